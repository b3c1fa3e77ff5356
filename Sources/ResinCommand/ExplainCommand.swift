import ArgumentParser
import Foundation
import Resin

/// What a network's plan depends on beside the device.
struct PlanArguments: ParsableArguments {
    enum Mode: String, CaseIterable, ExpressibleByArgument { case train, infer }

    @Argument(help: "The network: \(Network.knownNames.joined(separator: ", ")).")
    var network: String
    @Option(help: ArgumentHelp("Channels × height × width, such as 1x96x96.", valueName: "shape"))
    var input: String?
    @Option(help: ArgumentHelp("Number of classes.", valueName: "n"))
    var classes = 10
    @Option(help: ArgumentHelp("Images a step.", valueName: "n"))
    var batch = 32
    @Option(help: "train or infer.")
    var mode: Mode = .train
    @Option(
        help: ArgumentHelp(
            "Of photographs, which become the network's images on the device: what is done to them, as train has it.",
            valueName: "list"))
    var augment: String?
    @OptionGroup(title: "Network") var networkArguments: NetworkArguments
    @OptionGroup var deviceOption: DeviceOption

    func explanation() throws -> (Explanation, ComputeDevice) {
        let batch = try bounded("--batch", batch, 1...largestBatch)
        let classes = try bounded("--classes", classes, 1...Limits.classes)
        let model = try Network.named(
            network, input: input.map(ImageShape.init(parsing:)), classes: classes,
            options: networkArguments.options(over: NetworkOptions(), for: network))
        let device = try deviceOption.choose()
        let explanation = try Explanation(
            model, batch: batch, trains: mode == .train,
            augmentation: augment.map { try AugmentationPolicy(option: $0) }, device: device)
        return (explanation, device)
    }
}

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Prints a network's step launch by launch: which kernels, in which form and why.",
        discussion: """
            Nothing is run. RESIN_DEBUG=1 prints the forms of every plan of any other command while it works, 2 its \
            launches too; 3 also waits after each launch, so that a kernel that fails is named.
            """)

    @OptionGroup var plan: PlanArguments
    @Flag(help: "The fused graph in Graphviz's language.")
    var dot = false
    @Option(help: ArgumentHelp("The text of the program that a kernel is taken from.", valueName: "kernel"))
    var source: String?
    @Flag(help: "As JSON.")
    var json = false

    func run() throws {
        guard [dot, json, source != nil].count(where: { $0 }) <= 1 else {
            throw ResinError(.usage, "--dot, --json and --source are three answers; ask for one")
        }
        let (explanation, device) = try plan.explanation()
        if dot { return print(explanation.dot()) }
        if let source {
            guard let text = explanation.source(ofKernel: source) else {
                let known = Set(explanation.launches.map(\.kernel)).sorted().joined(separator: ", ")
                throw ResinError(.usage, "no launch has the kernel '\(source)'; there are \(known)")
            }
            return print(text)
        }
        if json {
            return try printJSON(
                Result(
                    network: plan.network, device: device.details.name, mode: plan.mode.rawValue,
                    batch: plan.batch, arenaBytes: explanation.arenaBytes,
                    leastBytes: explanation.leastBytes, launches: explanation.launches))
        }
        print(explanation.table())
    }

    private struct Result: Encodable {
        var network, device, mode: String
        var batch, arenaBytes, leastBytes: Int
        var launches: [Explanation.Launch]
    }
}

/// What would be built for a network, whole: what checks without a device read (.ci/ptx).
struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Lists the programs that would be built for a network.",
        shouldDisplay: false)

    @OptionGroup var plan: PlanArguments
    @Flag(help: "As JSON, with the programs' text.")
    var json = false
    @Option(
        help: ArgumentHelp(
            "Builds them, and writes there what the driver made of each, and what it said.",
            valueName: "folder"))
    var build: String?

    func run() throws {
        let (explanation, device) = try plan.explanation()
        let programs = explanation.programs
        if let build { return try self.build(programs, on: device, folder: build) }
        if json { return try printJSON(programs) }
        for program in programs {
            print("\(program.files.last ?? "") \(program.options.joined(separator: " "))")
            for kernel in program.kernels { print("  \(kernel.name), launches: \(kernel.launches)") }
        }
    }

    /// Writes NAME.ptx and NAME.log of each.
    private func build(_ programs: [Explanation.Program], on device: ComputeDevice, folder: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ResinError(.cannotWrite, "cannot make the folder \(folder): \(error.localizedDescription)")
        }
        var failures = 0
        for program in programs {
            let built = try device.build(program)
            let kernels = program.kernels.map(\.name).joined(separator: ", ")
            let log = """
                \(kernels)
                \(program.options.joined(separator: " "))
                \(built.builds ? "built" : "FAILED") in \(decimals(built.seconds, 3)) s
                \(built.log)

                """
            try AtomicFile.write(Data(log.utf8), to: "\(folder)/\(built.name).log")
            if built.builds { try AtomicFile.write(built.binary, to: "\(folder)/\(built.name).ptx") }
            if !built.builds {
                failures += 1
                note("\(built.name): \(built.log)")
            }
        }
        print("\(plan.network): \(programs.count - failures) of \(programs.count) programs built")
        if failures > 0 {
            throw ResinError(.noDevice, "\(failures) of \(programs.count) programs do not build")
        }
    }
}
