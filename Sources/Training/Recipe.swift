import ResinDataset
import ResinNetworks

/// How a network is trained on a data set when nothing else is said.
public struct Recipe: Sendable {
    /// Height and width that images are resized to.
    public var side: Int
    public var epochs: Int
    public var batch: Int
    public var optimizer: OptimizerSettings
    public var schedule = Schedule()
    public var initialiser: Initialiser = .xavier
    public var options = NetworkOptions()
    public var labelSmoothing: Float = 0

    /// The books' recipes ("Dive into Deep Learning", 7.6 for LeNet, 8.3 for NiN and 8.6 for ResNet-18), and for the
    /// built-in set smaller images and Adam, so that a CPU is done in a minute or two.
    public init(network: String, data: String, variant: NetworkOptions.Variant? = nil) {
        switch (network, data) {
        case ("nin", "glyphs"):
            // 67 is the smallest side that NiN takes. Without the last ReLU no class can die; small batches at a low
            // rate keep Adam's first steps from killing the ten channels of the ReLUs before it, and smoothed labels keep
            // pushing on classes that share channels when the other labels are learnt.
            self.init(side: 67, epochs: 6, batch: 32, optimizer: .adam(learningRate: 0.0005))
            options = NetworkOptions(dropout: 0, hasFinalReLU: false)
            schedule = Schedule(.cosine, warmupEpochs: 1)
            labelSmoothing = 0.1
        case ("nin", _):
            self.init(side: 224, epochs: 10, batch: 128, optimizer: .sgd(learningRate: 0.1))
        case ("lenet", "glyphs"):
            // SGD does not get its sigmoids off the ground in so few steps.
            self.init(side: 28, epochs: 10, batch: 64, optimizer: .adam(learningRate: 0.01))
        case ("lenet", _):
            self.init(side: 28, epochs: 10, batch: 256, optimizer: .sgd(learningRate: 0.9))
        case (_, "glyphs"):
            self.init(side: 32, epochs: 4, batch: 64, optimizer: .sgd(learningRate: 0.05))
        default:
            self.init(side: 96, epochs: 10, batch: 256, optimizer: .sgd(learningRate: 0.05))
        }
        switch (network, variant) {
        case ("inception-mnist", _), ("residual-mnist", _): side = 28
        // The smallest sides that they take.
        case ("alexnet", .torchvision?): side = 224
        case (let name, let variant)
        where name.hasPrefix("vgg") && (variant == .torchvision || name.hasSuffix("_bn")):
            side = 224
        case ("inception_v3", _): side = 299
        case ("alexnet", _): side = max(side, 65)
        default: break
        }
    }

    /// For a folder of photographs, which may be few: SGD with momentum, its rate in proportion to the batch (Goyal et al.,
    /// "Accurate, large minibatch SGD", 2017).
    ///
    /// - Parameters:
    ///   - count: training images.
    ///   - batch: where it is given.
    public func forPhotographs(count: Int, batch givenBatch: Int? = nil) -> Recipe {
        var recipe = self
        // Eight steps an epoch, but batches of which batch norm can learn something.
        while recipe.batch > 32 || (recipe.batch > 8 && 8 * recipe.batch > count) { recipe.batch /= 2 }
        recipe.batch = min(recipe.batch, count)
        recipe.optimizer = .sgd(
            learningRate: 0.1 * Float(givenBatch ?? recipe.batch) / 256, momentum: 0.9, weightDecay: 1e-4)
        recipe.schedule = Schedule()
        recipe.initialiser = .kaiming
        return recipe
    }

    private init(side: Int, epochs: Int, batch: Int, optimizer: OptimizerSettings) {
        self.side = side
        self.epochs = epochs
        self.batch = batch
        self.optimizer = optimizer
    }
}

extension AugmentationPolicy {
    /// What photographs get when nothing else is said.
    public static let ofPhotographs: AugmentationPolicy = {
        var policy = AugmentationPolicy()
        policy.randomResizedCrop = RandomResizedCrop(scale: RandomResizedCrop.defaultScale)
        policy.flips = true
        return policy
    }()
}
