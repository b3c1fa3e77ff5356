import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

extension TrainingConfiguration {
    /// What each value may be, by its key in `config.json`. What they allow is also what the planner can count
    /// with: no sum or product of these values overflows.
    package static let rules: [ValueRule<TrainingConfiguration>] =
        basicRules + lossRules + optimizerRules + scheduleRules + samplingRules + augmentationRules
        + NetworkOptions.rules.map { $0.within("options") { $0.options } }

    private static let basicRules: [ValueRule<TrainingConfiguration>] =
        [
            text("network") { [$0.network] },
            ValueRule("input", "--input", ImageShape.allowed) {
                let extents = [$0.input.channels, $0.input.height, $0.input.width]
                return ImageShape.isWithinLimits(extents) ? nil : "\($0.input)"
            },
            ValueRule("classes", "--classes", 1...Limits.classes) { $0.classCount },
            ValueRule("class_names", nil, "a list of as many names as there are classes") {
                $0.classNames.count == $0.classCount
                    ? nil : "a list of \($0.classNames.count) for \($0.classCount) classes"
            },
            text("class_names") { $0.classNames },
            text("data", mayBeEmpty: true) { [$0.data] },
            ValueRule(
                "split", "--split", "above 0 and below 1, such as 0.1", 0.0.nextUp...1.0.nextDown
            ) { $0.split },
            ValueRule("image_size", nil, sizeWords) { configuration in
                configuration.imageSize.flatMap {
                    ImageShape.isWithinLimits([configuration.input.channels] + $0) ? nil : "\($0)"
                }
            },
            text("data_checksum") { $0.dataChecksum.map { [$0] } ?? [] },
            ValueRule("limit", "--limit", 1...Limits.images) { $0.limit },
            ValueRule("limit_test", "--limit-test", 1...Limits.images) { $0.limitTest },
            ValueRule(
                "validation", "--validation", "above 0 and below 1, such as 0.1", 0.0.nextUp...1.0.nextDown
            ) { $0.validation },
            ValueRule("exif", nil, "true or false"),
            perChannel("mean", "--mean", -1000...1000) { $0.mean },
            perChannel("std", "--std", 1e-6...1000) { $0.standardDeviation },
            ValueRule("fit", "--fit", TestFit.allNames),
            ValueRule("eval_crop", "--eval-crop", "above 0 and at most 1, such as 0.875", 0.0.nextUp...1.0) {
                $0.evalCrop
            },
            ValueRule("epochs", "--epochs", 1...Limits.epochs) { $0.epochs },
            ValueRule("batch", "--batch", 1...Limits.batch) { $0.batch },
            ValueRule(
                "batch", "--batch", "so small that its images have at most \(Limits.batchValues) values"
            ) {
                $0.batch * $0.input.valueCount > Limits.batchValues ? "\($0.batch) of \($0.input)" : nil
            },
            ValueRule("optimizer.name", "--optimizer", OptimizerSettings.Name.allNames),
            ValueRule("optimizer.lr", "--lr", "a number above 0", Float(0).nextUp...finite) {
                $0.optimizer.learningRate
            },
            ValueRule("optimizer.momentum", "--momentum", shareWords, share) { $0.optimizer.momentum },
            ValueRule("optimizer.nesterov", "--nesterov", "true or false"),
            ValueRule("optimizer.weight_decay", "--weight-decay", "a number of at least 0", 0...finite) {
                $0.optimizer.weightDecay
            },
            ValueRule("init", "--init", Initialiser.allNames),
            text("weights") { $0.startingWeights.map { [$0] } ?? [] },
            text("replaced") { $0.replaced },
            text("freeze") { $0.frozen },
            ValueRule("seed", "--seed", "a whole number from 0 to \(UInt64.max)"),
            ValueRule("on_nan", "--on-nan", NaNPolicy.allNames),
            ValueRule("patience", "--patience", 1...Limits.epochs) { $0.patience },
            ValueRule(
                "ema", "--ema", "above 0 and below 1, such as 0.999", 0.0.nextUp...1.0.nextDown
            ) { $0.averageDecay },
            ValueRule("math", "--math", MathMode.allNames),
            ValueRule("precision", "--precision", Precision.allNames),
        ]

    private static let samplingRules: [ValueRule<TrainingConfiguration>] = [
        ValueRule("shards", "--shards", 1...Limits.batch) { $0.shards },
        ValueRule("shards", "--shards", "a number that divides the batch") {
            $0.batch % $0.shards == 0 ? nil : "\($0.shards) of a batch of \($0.batch)"
        },
        ValueRule(
            "class_weights", "--class-weights",
            "a number for each class, each of at least 0 and at most 1e6, and one above 0"
        ) { configuration in
            guard let weights = configuration.classWeights else { return nil }
            let isRight =
                weights.count == configuration.classCount && weights.allSatisfy { $0 >= 0 && $0 <= 1e6 }
                && weights.contains { $0 > 0 }
            return isRight ? nil : "\(weights)"
        },
        ValueRule(
            "class_weights", "--class-weights",
            "without mixup and cutmix, whose labels are of several classes, or with --loss binary"
        ) {
            $0.classWeights != nil && $0.augmentation.mixes && $0.loss == .crossEntropy ? "with them" : nil
        },
        ValueRule("sampler", "--sampler", Sampler.allNames),
    ]

    /// - Throws: for the first value that breaks its rule.
    package func check() throws(ValueFault) {
        for rule in Self.rules { try rule.check(self) }
    }

    static let finite = Float.greatestFiniteMagnitude
    static let share = 0...Float(1).nextDown
    static let shareWords = "at least 0 and less than 1"
    private static let sizeWords =
        "height and width of the images, each from 1 to \(Limits.side), with all channels at most "
        + "\(Limits.imageValues) values"

    /// C's functions, which open files, would take a name up to its first zero for the whole.
    private static func text(
        _ key: String, mayBeEmpty: Bool = false,
        of texts: @escaping @Sendable (TrainingConfiguration) -> [String]
    ) -> ValueRule<TrainingConfiguration> {
        ValueRule(key, nil, "text without zero characters" + (mayBeEmpty ? "" : ", and not empty")) {
            texts($0).first { $0.utf8.contains(0) || (!mayBeEmpty && $0.isEmpty) }
                .map { "'\($0.replacing("\0", with: "\\0"))'" }
        }
    }

    private static func perChannel(
        _ key: String, _ option: String, _ range: ClosedRange<Float>,
        of values: @escaping @Sendable (TrainingConfiguration) -> [Float]
    ) -> ValueRule<TrainingConfiguration> {
        let allowed = "a number for each channel, each from \(range.lowerBound) to \(range.upperBound)"
        return ValueRule(key, option, allowed) {
            let values = values($0)
            return values.count == $0.input.channels && values.allSatisfy(range.contains) ? nil : "\(values)"
        }
    }
}

extension TrainingConfiguration {
    /// The network that a run's configuration names.
    ///
    /// - Parameter path: the configuration's, for errors.
    /// - Throws: `ResinError(.badContent)` where there is no such network, or options or images do not fit it.
    public func knownNetwork(from path: String) throws -> Network {
        do {
            let network = try Network.named(network, input: input, classes: classCount, options: options)
            // Whether the layers fit shows when a graph is made.
            _ = try network.makeGraph()
            return network
        } catch let error as ResinError where error.kind == .usage {
            throw ResinError(
                .badContent,
                "\(path): 'network', 'options', 'input' and 'classes' do not go together: \(error.message)")
        }
    }
}
