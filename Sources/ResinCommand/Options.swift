import ArgumentParser
import CActiveWait
import Resin

struct DeviceOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "gpu, cpu, reference, an index of 'resin devices', platform:device, or part of a name.",
            discussion: "Without it: the best GPU, else an OpenCL CPU, else the reference executor.",
            valueName: "spec"))
    var device: String?

    @Option(
        help: ArgumentHelp(
            "fast, or exact: without Winograd's convolution and tensor cores, which round differently."))
    var math: MathMode?

    @Option(
        help: ArgumentHelp(
            "float32, or mixed: activations and their gradients in bfloat16, weights and sums in float32; or mixed-float16.",
            discussion: """
                For GPUs; a CPU runs their kernels, slowly. With mixed-float16, which some GPUs prefer, the loss is scaled \
                so that gradients do not vanish, and steps whose gradients overflow are left out.
                """))
    var precision: Precision?

    /// - Parameter asksDriver: whether a driver that has not been asked what it can do is asked now.
    func choose(asksDriver: Bool = true) throws -> ComputeDevice {
        var chosen = try device.map(ComputeDevice.matching) ?? best()
        for line in ComputeDevice.driverNotes { note("note: \(line)") }
        chosen.math = math ?? .fast
        chosen.precision = precision ?? .float32
        if asksDriver && chosen.awaitsProbes {
            note("asking the driver of \(chosen.details.name) what it can do, once")
            _ = try DeviceProbes.found(for: chosen)
        }
        if chosen.precision != .float32 && chosen.details.type == .cpu {
            note("mixed precision has the kernels of GPUs, which a CPU is slow with")
        }
        wait_actively_in_pocl()
        return chosen
    }

    private func best() throws -> ComputeDevice {
        let best = try ComputeDevice.best()
        if best.details.type == .reference {
            note("no OpenCL device was found: the reference executor is used, which is right but slow")
            for problem in ComputeDevice.driverProblems() { note("  \(problem)") }
        }
        return best
    }
}

/// Which images.
struct DataSource: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A data set (\(Dataset.knownNames.joined(separator: ", "))) or a folder's path.",
            discussion:
                "A folder holds PNG, JPEG and WebP images in train/CLASS/ and test/CLASS/ (or val/CLASS/), or in "
                + "CLASS/ alone; or MNIST's four files, or CIFAR-10's binary ones; or .tar archives of images. A file "
                + "is a table, path,label a line, or such an archive.", valueName: "name|folder|file"))
    var data: String?

    @Option(
        help: ArgumentHelp(
            "Folder in which named sets lie, one folder each.",
            discussion: "Without it: $RESIN_DATA, else the user's cache folder.", valueName: "dir"))
    var dataDir: String?

    @Option(
        help: ArgumentHelp(
            "Of images without a part for testing: the share of each class to test with, such as 0.1.",
            valueName: "share"))
    var split: Double?

    @Option(
        help: ArgumentHelp(
            "stop or skip, where images of a folder cannot be read (default: stop).",
            discussion: "stop lists all of them, each with its reason; skip leaves them out."))
    var onBadImage: BadImagePolicy?

    @Flag(
        inversion: .prefixedNo,
        help: "Turn a folder's images upright as their EXIF data say (the default), or leave them as stored.")
    var exif: Bool?

    /// As configurations have it: a name, or a folder's absolute path.
    var identity: String? { data.map(Dataset.identity) }

    /// - Parameters:
    ///   - side: height and width that the network takes.
    ///   - split: that of a run, where the option is not given.
    ///   - honoursOrientation: as the run did, where the option is not given.
    ///   - progress: how it is told what is read.
    ///   - willRead: plans with what is known before any image is read.
    func load(
        _ name: String, side: Int, split: Double?, honoursOrientation: Bool = true, seed: UInt64,
        limit: Int? = nil, limitTest: Int? = nil, progress: ProgressStyle? = nil,
        willRead: (DatasetOutline) throws -> Void = { _ in }
    ) throws -> Dataset {
        if let split = self.split, !(split > 0 && split < 1) {
            throw ValueFault(
                key: "split", option: "--split", value: "\(split)",
                allowed: "above 0 and below 1, such as 0.1")
        }
        if dataDir != nil, name == "glyphs" || !Dataset.knownNames.contains(name) {
            note(
                "note: --data-dir is for named sets that lie in files; '\(name)' is none, so it does nothing")
        }
        let limit = try limit.map { try bounded("--limit", $0, 1...Limits.images) }
        let limitTest = try limitTest.map { try bounded("--limit-test", $0, 1...Limits.images) }
        let dataset = try LoadingReporter.showing(progress) {
            try Dataset.load(
                name, directory: dataDir, side: side, split: self.split ?? split, limit: limit,
                limitTest: limitTest, seed: seed, onBadImage: onBadImage ?? .stop,
                honoursOrientation: exif ?? honoursOrientation, willRead: willRead)
        }
        for line in dataset.notes { note("note: \(line)") }
        return dataset
    }
}

/// Which images, and how many of them to test with.
struct DataOptions: ParsableArguments {
    @OptionGroup var source: DataSource

    @Option(help: ArgumentHelp("Use the first N test images.", valueName: "n"))
    var limitTest: Int?
}

/// How photographs that are tested come to the network's size.
struct FitOptions: ParsableArguments {
    @Option(
        help:
            "crop, stretch or pad: how photographs that are tested come to the network's size (default: crop)."
    )
    var fit: TestFit?
    @Option(
        help: ArgumentHelp(
            "With --fit crop: the share of the shorter side that is left (default: 0.875).",
            valueName: "share"))
    var evalCrop: Double?

    /// - Throws: for a share that is none.
    func apply(to configuration: inout TrainingConfiguration) throws {
        if let fit { configuration.fit = fit }
        if let evalCrop {
            configuration.evalCrop = evalCrop
            try configuration.check()
        }
    }

    /// - Throws: `ResinError(.usage)` where they are given for images that have one size.
    func checkUnused(by dataset: Dataset) throws {
        guard fit != nil || evalCrop != nil else { return }
        throw ResinError(
            .usage,
            "--fit and --eval-crop are for folders of photographs; the images of \(dataset.name) have one size"
        )
    }
}

/// How images come to the device.
struct LoadingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "auto, always or never: whether photographs are decoded as they are needed, or all before, once.",
            discussion:
                "auto (the default) streams those that take more than a quarter of the device. It changes no bit."
        ))
    var stream: Streaming?
    @Option(help: ArgumentHelp("Threads that decode (default: the processors).", valueName: "n"))
    var decodeThreads: Int?

    func checked(_ source: DataSource) throws -> ImageLoading {
        ImageLoading(
            streaming: stream ?? .auto,
            threads: try decodeThreads.map { try bounded("--decode-threads", $0, 1...1024) },
            skipsUnreadable: source.onBadImage == .skip)
    }
}

struct NetworkArguments: ParsableArguments {
    @Flag(
        inversion: .prefixedNo,
        help: ArgumentHelp(
            "NiN with or without the ReLU before the global average, which can kill a class; the parameters "
                + "are the same."))
    var finalRelu: Bool?

    @Option(help: ArgumentHelp("Probability of dropout, in place of the network's own.", valueName: "p"))
    var dropout: Float?
    @Option(
        help: ArgumentHelp(
            "Probability that the last residual branch is left out, in place of the network's own.",
            valueName: "p"))
    var stochasticDepth: Float?
    @Option(
        help: ArgumentHelp(
            "MobileNet, MnasNet, ShuffleNet: channels, as a multiple of the usual.", valueName: "x"))
    var width: Double?

    @Option(help: ArgumentHelp("NiN: number of 1×1 convolutions in a block, 1 or 2.", valueName: "n"))
    var ones: Int?

    @Option(help: ArgumentHelp("NiN: channels of the third block; 384 in the book.", valueName: "n"))
    var thirdWidth: Int?

    @Option(help: "NiN: pooling of each class's channel, average or max.")
    var head: NetworkOptions.Head?

    @Option(help: "residual-mnist: what goes around a block, identity, constant-scaling or conv.")
    var shortcut: NetworkOptions.Shortcut?

    @Option(
        help: ArgumentHelp(
            "Whose form of the network, as 'resin networks' lists them: book or torchvision.",
            discussion: "Weights of torchvision's models need its form, with its layers under its names."))
    var variant: NetworkOptions.Variant?

    /// Those that are given, whatever their values.
    private var given: [NetworkOptions.Name] {
        NetworkOptions.Name.allCases.filter { name in
            switch name {
            case .dropout: dropout != nil
            case .stochasticDepth: stochasticDepth != nil
            case .width: width != nil
            case .finalReLU: finalRelu != nil
            case .ones: ones != nil
            case .thirdWidth: thirdWidth != nil
            case .head: head != nil
            case .shortcut: shortcut != nil
            case .variant: variant != nil
            }
        }
    }

    /// The given options over those of a recipe or a run of that network.
    ///
    /// - Throws: for a number out of range, and for an option that the network does not have.
    func options(over defaults: NetworkOptions, for network: String) throws -> NetworkOptions {
        var options = defaults
        if let finalRelu { options.hasFinalReLU = finalRelu }
        if let dropout { options.dropout = dropout }
        if let stochasticDepth { options.stochasticDepth = stochasticDepth }
        if let width { options.width = width }
        if let ones { options.ones = ones }
        if let thirdWidth { options.thirdWidth = thirdWidth }
        if let head { options.head = head }
        if let shortcut { options.shortcut = shortcut }
        if let variant { options.variant = variant }
        try options.check()
        // One that says what is so anyhow shows in the options of no network.
        try Network.blueprint(named: network).check(given)
        return options
    }
}

/// An option's number, once it is sure that it is one that programs can count with: a typing error such as
/// twenty digits would otherwise overflow far from here.
func bounded(_ option: String, _ value: Int, _ range: ClosedRange<Int>) throws(ValueFault) -> Int {
    guard range.contains(value) else {
        throw ValueFault(
            key: option, option: option, value: "\(value)", allowed: ValueRule<Int>.words(range))
    }
    return value
}

/// Errors of usage are those of what a file says, where no option has said otherwise.
///
/// - Parameter file: nil where one has.
func blamingFile<Result>(_ file: String?, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as ResinError where error.kind == .usage && file != nil {
        throw ResinError(.badContent, "\(file!): \(error.message)")
    }
}

/// Images a step, of which a device or a processor could hold some.
let largestBatch = 1 << 14

extension BadImagePolicy: ExpressibleByArgument {}
extension Initialiser: ExpressibleByArgument {}
extension MathMode: ExpressibleByArgument {}
extension Streaming: ExpressibleByArgument {}
extension TestFit: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}
extension NetworkOptions.Head: ExpressibleByArgument {}
extension NetworkOptions.Shortcut: ExpressibleByArgument {}
extension NetworkOptions.Variant: ExpressibleByArgument {}
extension OptimizerSettings.Name: ExpressibleByArgument {}
extension Schedule.Kind: ExpressibleByArgument {}
extension TrainingConfiguration.NaNPolicy: ExpressibleByArgument {}
