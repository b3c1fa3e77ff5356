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
    private var family = Family.residual

    /// Networks that torchvision's references train alike.
    private enum Family {
        /// With batch norm: ResNet and those that came of it.
        case residual
        /// Without: it takes a tenth of the rate.
        case plain
        /// Depthwise convolutions, whose few weights need less decay.
        case mobile
        /// Layer norm, and AdamW.
        case transformerLike

        init(_ network: String) {
            func isOne(of names: String...) -> Bool { names.contains { network.hasPrefix($0) } }
            self =
                if isOne(of: "convnext") {
                    .transformerLike
                } else if isOne(of: "mobilenet", "mnasnet", "shufflenet", "efficientnet") {
                    .mobile
                } else if isOne(of: "alexnet", "vgg", "squeezenet") && !network.hasSuffix("_bn") {
                    .plain
                } else {
                    .residual
                }
        }
    }

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
        family = Family(network)
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

    /// For a folder of photographs, which may be few: what torchvision's references train the network's family with. SGD has
    /// momentum, and its rate is in proportion to the batch (Goyal et al., "Accurate, large minibatch SGD", 2017), AdamW's
    /// to the batch's square root (Malladi et al., "On the SDEs and scaling rules for adaptive gradient algorithms",
    /// NeurIPS 2022).
    ///
    /// - Parameters:
    ///   - count: training images.
    ///   - batch: where it is given.
    public func forPhotographs(count: Int, batch givenBatch: Int? = nil) -> Recipe {
        var recipe = self
        // Eight steps an epoch, but batches of which batch norm can learn something.
        while recipe.batch > 32 || (recipe.batch > 8 && 8 * recipe.batch > count) { recipe.batch /= 2 }
        recipe.batch = min(recipe.batch, count)
        let images = Float(givenBatch ?? recipe.batch)
        func sgd(rate: Float, decay: Float) -> OptimizerSettings {
            .sgd(learningRate: rate * images / 256, momentum: 0.9, weightDecay: decay)
        }
        recipe.schedule = Schedule()
        recipe.initialiser = .kaiming
        switch family {
        case .residual: recipe.optimizer = sgd(rate: 0.1, decay: 1e-4)
        case .plain: recipe.optimizer = sgd(rate: 0.01, decay: 1e-4)
        case .mobile:
            recipe.optimizer = sgd(rate: 0.1, decay: 4e-5)
            recipe.schedule = Schedule(.cosine, warmupEpochs: 1)
        case .transformerLike:
            recipe.optimizer = .adamW(learningRate: 0.001 * (images / 1024).squareRoot(), weightDecay: 0.05)
            recipe.optimizer.decays = .filters
            recipe.schedule = Schedule(.cosine, warmupEpochs: 1)
            recipe.labelSmoothing = 0.1
        }
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
