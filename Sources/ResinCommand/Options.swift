import ArgumentParser
import Resin

struct DeviceOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "gpu, cpu, reference, an index of 'resin devices', platform:device, or part of a name.",
            discussion: "Without it: the best GPU, else an OpenCL CPU, else the reference executor.",
            valueName: "spec"))
    var device: String?

    func choose() throws -> ComputeDevice {
        try device.map(ComputeDevice.matching) ?? ComputeDevice.best()
    }
}

struct DataOptions: ParsableArguments {
    @Option(help: "A data set: \(Dataset.knownNames.joined(separator: ", ")).")
    var data: String?

    @Option(
        help: ArgumentHelp(
            "Folder in which named sets lie, one folder each.",
            discussion: "Without it: $RESIN_DATA, else the user's cache folder.", valueName: "dir"))
    var dataDir: String?

    @Option(help: ArgumentHelp("Use the first N training images.", valueName: "n"))
    var limit: Int?

    @Option(help: ArgumentHelp("Use the first N test images.", valueName: "n"))
    var limitTest: Int?

    func load(_ name: String, seed: UInt64, limit: Int?, limitTest: Int?) throws -> Dataset {
        var dataset = try Dataset.named(name, directory: dataDir, seed: seed)
        if let limit { dataset.train = try dataset.train.prefix(limit) }
        if let limitTest { dataset.test = try dataset.test.prefix(limitTest) }
        return dataset
    }
}

struct NetworkArguments: ParsableArguments {
    @Flag(
        help: ArgumentHelp(
            "NiN without the ReLU before the global average, which can kill a class; the same parameters."))
    var noFinalRelu = false

    @Option(help: ArgumentHelp("Probability of dropout, in place of the network's own.", valueName: "p"))
    var dropout: Float?

    func check() throws {
        if let dropout, !(dropout >= 0 && dropout < 1) {
            throw ResinError(.usage, "--dropout is \(dropout); it must be at least 0 and less than 1")
        }
    }

    /// The given options over those of a recipe or a run.
    func options(over defaults: NetworkOptions) throws -> NetworkOptions {
        try check()
        var options = defaults
        if noFinalRelu { options.hasFinalReLU = false }
        if let dropout { options.dropout = dropout }
        return options
    }
}

extension Initialiser: ExpressibleByArgument {}
extension OptimizerSettings.Name: ExpressibleByArgument {}
extension Schedule.Kind: ExpressibleByArgument {}
extension TrainingConfiguration.NaNPolicy: ExpressibleByArgument {}
