import ArgumentParser
import Resin

struct SummaryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "summary",
        abstract: "Prints a network's layers with shapes, parameters, multiply-adds and memory.")

    @Argument(help: "The network: \(Network.knownNames.joined(separator: ", ")).")
    var network: String

    @Option(help: ArgumentHelp("Channels × height × width, such as 1x224x224.", valueName: "shape"))
    var input: String?

    @Option(help: ArgumentHelp("Number of classes.", valueName: "n"))
    var classes = 10

    @Option(help: ArgumentHelp("Images a step, for the memory.", valueName: "n"))
    var batch = 1

    @Flag(help: "Compare the network's blocks with plain convolutions of the same input and output.")
    var blocks = false

    @OptionGroup var networkArguments: NetworkArguments
    @OptionGroup var deviceOption: DeviceOption

    @Flag(help: "As JSON.")
    var json = false

    func run() throws {
        let batch = try bounded("--batch", batch, 1...largestBatch)
        let classes = try bounded("--classes", classes, 1...Limits.classes)
        let model = try Network.named(
            network, input: input.map(ImageShape.init(parsing:)), classes: classes,
            options: networkArguments.options(over: NetworkOptions(), for: network))
        var summary = try model.summary()
        if blocks {
            let comparisons = try summary.blockComparisons()
            if comparisons.isEmpty { throw ResinError(.usage, "\(network) has no blocks to compare") }
            if !json { return print(NetworkSummary.table(of: comparisons)) }
            summary.comparisons = comparisons
        }
        let device = try deviceOption.choose()
        summary.memory = try model.memory(batch: batch, on: device)
        if json { return try printJSON(summary) }
        print(summary.table())
        note("memory as planned for \(device.details.name); training with SGD and momentum")
    }
}
