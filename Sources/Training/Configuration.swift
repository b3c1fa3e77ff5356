import Foundation
import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor

/// Everything that a run's result follows from, besides the data's bytes and the device; `config.json`.
public struct TrainingConfiguration: Codable, Equatable, Sendable {
    public var network: String
    public var options = NetworkOptions()
    /// What the network sees: channels, and height and width after resizing.
    public var input: ImageShape
    public var classCount: Int
    public var classNames: [String]

    /// A named set, and where it lies is not part of the configuration; or a folder of images, by its path.
    public var data: String
    /// Of a folder of images: the share of the training images that is the test set.
    public var split: Double?
    /// Height and width of the data set's images, from which the device resizes; other images come to this
    /// size first. The trainer fills it in.
    public var imageSize: [Int]?
    /// `Dataset.checksum` of the images, those within the limits. The trainer fills it in.
    public var dataChecksum: String?
    /// Use only the first so many training and test images.
    public var limit: Int?
    public var limitTest: Int?
    /// The share of the training images that chooses the best weights, in place of the test images.
    public var validation: Double?
    /// Whether photographs are turned upright as their EXIF data say.
    public var honoursOrientation = true
    /// Per channel, on the 0…1 scale.
    public var mean: [Float]
    public var standardDeviation: [Float]
    public var augmentation = AugmentationPolicy()
    /// How a photograph that is tested comes to the network's size; nil for images that have one size by themselves.
    public var fit: TestFit?
    /// Of `TestFit.crop`: the share of the shorter side that is left.
    public var evalCrop = 0.875

    public var epochs: Int
    public var batch: Int
    /// In so many equal parts a step's batch is worked through; each has batch norm's statistics of its own.
    public var shards = 1
    public var optimizer: OptimizerSettings
    public var schedule = Schedule()
    public var initialiser: Initialiser = .xavier
    /// The file whose weights training began from.
    public var startingWeights: String?
    /// Tensors that the file does not have, and that began as they do without one. The trainer fills it in.
    public var replaced: [String] = []
    /// Layers that keep their weights; see `Network.freezing`.
    public var frozen: [String] = []
    public var seed: UInt64 = 42
    public var onNaN: NaNPolicy = .stop
    public var loss = LossFunction.crossEntropy
    /// Makes the binary loss focal. Test losses are plain.
    public var focal: Focal?
    /// How many different sets of classes images have, where the loss is binary. The trainer fills it in.
    public var labelSetCount: Int?
    /// So much of each training target is shared among all classes; test losses are plain.
    public var labelSmoothing: Float = 0
    /// How much each class counts in the training loss; nil for all alike. Test losses are plain.
    public var classWeights: [Float]?
    /// Which images an epoch is of.
    public var sampler = Sampler.shuffle
    /// End the run after so many epochs without a better test accuracy.
    public var patience: Int?
    /// Keep a moving average of the weights, in which each step's are so much of the last average and the rest of the
    /// step's weights; the average is what is evaluated as best.
    public var averageDecay: Double?
    public var math: MathMode = .fast
    public var precision: Precision = .float32

    /// The same for a part of the batch.
    package var ofShard: TrainingConfiguration {
        var shard = self
        shard.batch = batch / shards
        return shard
    }

    /// What to do when a step's loss is not finite.
    public enum NaNPolicy: String, Codable, CaseIterable, Sendable {
        /// Stop, and name the first layer whose values are not finite.
        case stop
        /// Leave the step's update out.
        case skip
    }

    public init(
        network: Network, data: String, classNames: [String], mean: [Float], standardDeviation: [Float],
        epochs: Int, batch: Int, optimizer: OptimizerSettings
    ) {
        self.network = network.name
        input = network.input
        classCount = network.classCount
        self.classNames = classNames
        self.data = data
        self.mean = mean
        self.standardDeviation = standardDeviation
        self.epochs = epochs
        self.batch = batch
        self.optimizer = optimizer
    }

    public enum CodingKeys: String, CodingKey {
        case network, options, input
        case classCount = "classes"
        case classNames = "class_names"
        case data, split
        case imageSize = "image_size"
        case dataChecksum = "data_checksum"
        case limit
        case limitTest = "limit_test"
        case validation
        case honoursOrientation = "exif"
        case mean
        case standardDeviation = "std"
        case augmentation = "augment"
        case fit
        case evalCrop = "eval_crop"
        case epochs, batch, shards, optimizer, schedule
        case initialiser = "init"
        case startingWeights = "weights"
        case replaced
        case frozen = "freeze"
        case seed
        case onNaN = "on_nan"
        case loss, focal
        case labelSetCount = "label_sets"
        case labelSmoothing = "label_smoothing"
        case classWeights = "class_weights"
        case sampler
        case patience
        case averageDecay = "ema"
        case math, precision
    }
}

extension TrainingConfiguration {
    /// What the first version's files do not have takes its default.
    ///
    /// - Throws: `ResinError(.badContent)` that names the key, what its value is and what it may be.
    public init(from decoder: any Decoder) throws {
        self = try JSONText.checked(by: Self.rules, in: decoder) { try Self(unchecked: decoder) }
    }

    private init(unchecked decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        network = try values.value(.network)
        options = try values.value(.options)
        input = try values.value(.input)
        classCount = try values.value(.classCount)
        classNames = try values.value(.classNames)
        data = try values.value(.data)
        split = try values.optional(.split)
        imageSize = try values.optional(.imageSize)
        dataChecksum = try values.optional(.dataChecksum)
        limit = try values.optional(.limit)
        limitTest = try values.optional(.limitTest)
        validation = try values.optional(.validation)
        honoursOrientation = try values.optional(.honoursOrientation) ?? true
        mean = try values.value(.mean)
        standardDeviation = try values.value(.standardDeviation)
        augmentation = try values.value(.augmentation)
        fit = try values.optional(.fit)
        evalCrop = try values.optional(.evalCrop) ?? 0.875
        epochs = try values.value(.epochs)
        batch = try values.value(.batch)
        shards = try values.optional(.shards) ?? 1
        optimizer = try values.value(.optimizer)
        schedule = try values.value(.schedule)
        initialiser = try values.value(.initialiser)
        startingWeights = try values.optional(.startingWeights)
        replaced = try values.optional(.replaced) ?? []
        frozen = try values.optional(.frozen) ?? []
        seed = try values.value(.seed)
        onNaN = try values.value(.onNaN)
        loss = try values.optional(.loss) ?? .crossEntropy
        focal = try values.optional(.focal)
        labelSetCount = try values.optional(.labelSetCount)
        labelSmoothing = try values.optional(.labelSmoothing) ?? 0
        classWeights = try values.optional(.classWeights)
        sampler = try values.optional(.sampler) ?? .shuffle
        patience = try values.optional(.patience)
        averageDecay = try values.optional(.averageDecay)
        // Until there was a choice, all sums were direct.
        math = try values.optional(.math) ?? .exact
        precision = try values.optional(.precision) ?? .float32
    }
}
