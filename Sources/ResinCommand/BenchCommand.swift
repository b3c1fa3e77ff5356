import ArgumentParser
import Foundation
import Resin

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Times a network's training or prediction step.")

    enum Mode: String, CaseIterable, ExpressibleByArgument { case train, infer }

    @Argument(help: "The network: \(Network.knownNames.joined(separator: ", ")).")
    var network: String
    @Option(help: ArgumentHelp("Channels × height × width, such as 1x96x96.", valueName: "shape"))
    var input: String?
    @Option(help: ArgumentHelp("Images a step.", valueName: "n"))
    var batch = 32
    @Option(help: "train or infer.")
    var mode: Mode = .train
    @Option(help: ArgumentHelp("Steps to time, after two to warm up.", valueName: "n"))
    var steps = 10
    @Flag(help: "Also a table of time, GFLOP/s and GB/s by layer and pass.")
    var profile = false
    @OptionGroup(title: "Network") var networkArguments: NetworkArguments
    @OptionGroup var deviceOption: DeviceOption
    @Flag(help: "As JSON.")
    var json = false

    private struct Result: Encodable {
        var network, device, mode: String
        var batch: Int
        var imagesPerSecond, stepMilliseconds, gflops: Double
        var peakBytes: Int
        var firstStepSeconds: Double
    }

    func run() throws {
        let batch = try bounded("--batch", batch, 1...largestBatch)
        let steps = try bounded("--steps", steps, 1...1_000_000)
        let model = try Network.named(
            network, input: input.map(ImageShape.init(parsing:)),
            options: networkArguments.options(over: NetworkOptions()))
        let device = try deviceOption.choose()
        let bench = try Bench(model, batch: batch, trains: mode == .train, device: device, profiling: profile)
        try bench.runStep()
        let firstStep = secondsSinceStart()
        try bench.runStep()
        let times = try (0..<steps).map { _ in try bench.runStep() }.sorted()
        let seconds = times[times.count / 2]
        let result = Result(
            network: network, device: device.details.name, mode: mode.rawValue, batch: batch,
            imagesPerSecond: Double(batch) / seconds, stepMilliseconds: 1e3 * seconds,
            gflops: Double(bench.flops) / seconds * 1e-9, peakBytes: peakByteCount(),
            firstStepSeconds: firstStep)
        if profile { note(try bench.profileTable()) }
        if json { return try printJSON(result) }
        print(
            "\(network) \(model.input), batch \(batch), \(mode.rawValue): \(decimals(result.imagesPerSecond, 1)) images/s, "
                + "\(decimals(result.stepMilliseconds, 2)) ms a step, \(decimals(result.gflops, 0)) GFLOP/s on "
                + "\(device.details.name)")
    }

    /// Since the process was started, as the kernel counts it.
    private func secondsSinceStart() -> Double {
        guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            let uptime = try? String(contentsOfFile: "/proc/uptime", encoding: .utf8),
            // The 22nd field, counted behind the name, which may hold spaces.
            let fields = text.split(separator: ")").last?.split(separator: " "), fields.count > 19,
            let ticks = Double(fields[19]),
            let now = uptime.split(separator: " ").first.flatMap({ Double($0) })
        else { return .nan }
        return now - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The process's largest resident set.
    private func peakByteCount() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}
