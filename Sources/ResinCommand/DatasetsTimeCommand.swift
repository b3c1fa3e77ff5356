import ArgumentParser
import Resin

extension DatasetsCommand {
    struct TimeCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "time",
            abstract: "Times the way of a folder's training images to a network's input on a device.",
            discussion: """
                Read, decode, send, crop, augment, normalise: a training step without its network. The first pass over the \
                images warms up and is not counted.
                """)

        @Argument(help: "A folder of photographs, with train/ and test/ or with --split.")
        var data: String
        @OptionGroup var source: DataSource
        @Option(help: ArgumentHelp("Height and width of the network's input.", valueName: "n"))
        var resize = 224
        @Option(help: ArgumentHelp("Images a step.", valueName: "n"))
        var batch = 32
        @Option(help: ArgumentHelp("As of train.", valueName: "list"))
        var augment = "random-resized-crop,flip"
        @Option(help: ArgumentHelp("Passes to time; the median is told.", valueName: "n"))
        var passes = 3
        @OptionGroup var loading: LoadingOptions
        @OptionGroup var deviceOption: DeviceOption
        @Flag(help: "As JSON.")
        var json = false

        private struct Row: Encodable {
            var images, batch: Int
            var device: String
            var imagesPerSecond: Double
        }

        func run() throws {
            let side = try bounded("--resize", resize, 1...Limits.side)
            let batch = try bounded("--batch", batch, 1...largestBatch)
            let passes = try bounded("--passes", passes, 1...1000)
            let augmentation = try AugmentationPolicy(option: augment)
            let set = try source.load(
                Dataset.identity(of: data), side: side, split: source.split, seed: 42)
            // Of the network only the input's size enters.
            let network = try Network.named(
                "lenet", input: ImageShape(channels: set.train.channels, side: side),
                classes: set.classNames.count)
            var configuration = TrainingConfiguration(
                network: network, data: data, classNames: set.classNames, mean: set.mean,
                standardDeviation: set.standardDeviation, epochs: 1 + passes, batch: batch,
                optimizer: .sgd(learningRate: 1))
            configuration.augmentation = augmentation
            try configuration.check()
            let device = try deviceOption.choose()
            let bench = try LoadingReporter.showing(.auto) {
                try LoadingBench(set.train, configuration, loading.checked(source), device: device)
            }
            _ = try bench.runEpoch()
            let speeds = try (0..<passes).map { _ in try bench.runEpoch() }.sorted()
            let row = Row(
                images: set.train.count, batch: batch, device: device.details.name,
                imagesPerSecond: speeds[passes / 2])
            if json { return try printJSON(row) }
            printLine(
                "\(row.images) images to \(side)×\(side) in batches of \(batch): "
                    + "\(decimals(row.imagesPerSecond, 0)) images/s")
        }
    }
}
