import ResinGraph
import ResinTensor

/// An optimizer with its settings, under PyTorch's names.
public struct OptimizerSettings: Codable, Equatable, Sendable {
    public enum Name: String, Codable, CaseIterable, Sendable {
        case sgd, adam, adamw, rmsprop, lamb, lion

        /// PyTorch's, or timm's where PyTorch does not have the optimizer; nil where it has no such setting.
        public var weightDecay: Float { self == .adamw || self == .lamb ? 0.01 : 0 }
        public var learningRate: Float {
            switch self {
            case .sgd: 0.1
            case .adam, .adamw, .lamb: 0.001
            case .rmsprop: 0.01
            case .lion: 1e-4
            }
        }
        public var beta1: Float? { self == .sgd || self == .rmsprop ? nil : 0.9 }
        public var beta2: Float? { self == .sgd || self == .rmsprop ? nil : self == .lion ? 0.99 : 0.999 }
        public var epsilon: Float? { self == .sgd || self == .lion ? nil : self == .lamb ? 1e-6 : 1e-8 }
        public var alpha: Float? { self == .rmsprop ? 0.99 : nil }
        public var clipNorm: Float? { self == .lamb ? 1 : nil }
        public var hasMomentum: Bool { self == .sgd || self == .rmsprop }
    }

    /// What weight decay acts on.
    public enum DecayScope: String, Codable, CaseIterable, Sendable {
        /// Every parameter, as in PyTorch unless one says otherwise.
        case all
        /// Filters and dense layers' matrices: no biases, and nothing of batch norms.
        case filters
    }

    public var name: Name
    public var learningRate: Float
    /// SGD's and RMSprop's.
    public var momentum: Float = 0
    public var nesterov = false
    public var weightDecay: Float = 0
    /// Those of the optimizer's own that are nil take its defaults.
    public var beta1, beta2, epsilon: Float?
    /// RMSprop's share of the past in the mean of squares.
    public var alpha: Float?
    /// What the norm of all gradients together may be: `torch.nn.utils.clip_grad_norm_`.
    public var clipNorm: Float?
    /// The classifier's rate, where it is another.
    public var headLearningRate: Float?
    /// Each block of layers has the rate of the one behind it times this, from the classifier down.
    public var layerDecay: Float = 1
    public var decays = DecayScope.all

    /// - Parameter weightDecay: nil for the optimizer's own.
    public init(
        _ name: Name, learningRate: Float, momentum: Float = 0, nesterov: Bool = false,
        weightDecay: Float? = nil
    ) {
        self.name = name
        self.learningRate = learningRate
        self.momentum = momentum
        self.nesterov = nesterov
        self.weightDecay = weightDecay ?? name.weightDecay
        (beta1, beta2, epsilon, alpha) = (name.beta1, name.beta2, name.epsilon, name.alpha)
        clipNorm = name.clipNorm
    }

    public static func sgd(
        learningRate: Float, momentum: Float = 0, nesterov: Bool = false, weightDecay: Float = 0
    ) -> OptimizerSettings {
        OptimizerSettings(
            .sgd, learningRate: learningRate, momentum: momentum, nesterov: nesterov, weightDecay: weightDecay
        )
    }

    /// Adam with β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    public static func adam(learningRate: Float, weightDecay: Float = 0) -> OptimizerSettings {
        OptimizerSettings(.adam, learningRate: learningRate, weightDecay: weightDecay)
    }

    /// AdamW: Adam's settings, and weight decay apart from the gradient.
    public static func adamW(learningRate: Float, weightDecay: Float = Name.adamw.weightDecay)
        -> OptimizerSettings
    {
        OptimizerSettings(.adamw, learningRate: learningRate, weightDecay: weightDecay)
    }

    /// RMSprop with α = 0.99, ε = 1e-8.
    public static func rmsprop(
        learningRate: Float, momentum: Float = 0, weightDecay: Float = 0
    ) -> OptimizerSettings {
        OptimizerSettings(.rmsprop, learningRate: learningRate, momentum: momentum, weightDecay: weightDecay)
    }

    /// LAMB as in timm: β₁ = 0.9, β₂ = 0.999, ε = 1e-6, gradients clipped to a norm of 1.
    public static func lamb(learningRate: Float, weightDecay: Float = Name.lamb.weightDecay)
        -> OptimizerSettings
    {
        OptimizerSettings(.lamb, learningRate: learningRate, weightDecay: weightDecay)
    }

    /// Lion with β₁ = 0.9, β₂ = 0.99.
    public static func lion(learningRate: Float, weightDecay: Float = 0) -> OptimizerSettings {
        OptimizerSettings(.lion, learningRate: learningRate, weightDecay: weightDecay)
    }

    package var rule: Op.Optimizer.Rule {
        func own(_ value: Float?, _ ofName: Float?) -> Float { value ?? ofName ?? 0 }
        let betas = (own(beta1, name.beta1), own(beta2, name.beta2))
        let epsilon = own(epsilon, name.epsilon)
        return switch name {
        case .sgd: .sgd(momentum: momentum, nesterov: nesterov, weightDecay: weightDecay)
        case .adam, .adamw:
            .adam(
                beta1: betas.0, beta2: betas.1, epsilon: epsilon, weightDecay: weightDecay,
                isDecoupled: name == .adamw)
        case .rmsprop:
            .rmsprop(
                alpha: own(alpha, name.alpha), epsilon: epsilon, momentum: momentum, weightDecay: weightDecay)
        case .lamb: .lamb(beta1: betas.0, beta2: betas.1, epsilon: epsilon, weightDecay: weightDecay)
        case .lion: .lion(beta1: betas.0, beta2: betas.1, weightDecay: weightDecay)
        }
    }
}

// MARK: Files

extension OptimizerSettings {
    public enum CodingKeys: String, CodingKey {
        case name
        case learningRate = "lr"
        case momentum, nesterov
        case weightDecay = "weight_decay"
        case beta1, beta2
        case epsilon = "eps"
        case alpha
        case clipNorm = "clip"
        case headLearningRate = "head_lr"
        case layerDecay = "layer_decay"
        case decays = "decay"
    }

    /// What the first versions' files do not have was at its default.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.value(.name)
        learningRate = try values.value(.learningRate)
        momentum = try values.value(.momentum)
        nesterov = try values.value(.nesterov)
        weightDecay = try values.value(.weightDecay)
        func own(_ key: CodingKeys, _ ofName: Float?) throws -> Float? {
            try ofName.map { try values.optional(key) ?? $0 }
        }
        beta1 = try own(.beta1, name.beta1)
        beta2 = try own(.beta2, name.beta2)
        epsilon = try own(.epsilon, name.epsilon)
        alpha = try own(.alpha, name.alpha)
        clipNorm = try values.optional(.clipNorm)
        headLearningRate = try values.optional(.headLearningRate)
        layerDecay = try values.optional(.layerDecay) ?? 1
        decays = try values.optional(.decays) ?? .all
    }

    /// What is off, or another optimizer's, is left out.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(name, forKey: .name)
        try values.encode(learningRate, forKey: .learningRate)
        try values.encode(momentum, forKey: .momentum)
        try values.encode(nesterov, forKey: .nesterov)
        try values.encode(weightDecay, forKey: .weightDecay)
        try values.encodeIfPresent(beta1, forKey: .beta1)
        try values.encodeIfPresent(beta2, forKey: .beta2)
        try values.encodeIfPresent(epsilon, forKey: .epsilon)
        try values.encodeIfPresent(alpha, forKey: .alpha)
        try values.encodeIfPresent(clipNorm, forKey: .clipNorm)
        try values.encodeIfPresent(headLearningRate, forKey: .headLearningRate)
        if layerDecay != 1 { try values.encode(layerDecay, forKey: .layerDecay) }
        if decays != .all { try values.encode(decays, forKey: .decays) }
    }
}

extension TrainingConfiguration {
    /// What each value of an optimizer may be, beside its name, rate and momentum.
    static let optimizerRules: [ValueRule<TrainingConfiguration>] = [
        ValueRule("beta1", "--beta1", shareWords, share) { $0.beta1 },
        ValueRule("beta2", "--beta2", shareWords, share) { $0.beta2 },
        // Less would vanish beside the smallest roots there are, and divide zero by zero.
        ValueRule("eps", "--eps", "a number of at least 1e-30", 1e-30...finite) { $0.epsilon },
        ValueRule("alpha", "--alpha", shareWords, share) { $0.alpha },
        ValueRule("clip", "--clip", "a number above 0", Float(0).nextUp...finite) { $0.clipNorm },
        ValueRule("head_lr", "--head-lr", "a number above 0", Float(0).nextUp...finite) {
            $0.headLearningRate
        },
        ValueRule("layer_decay", "--layer-decay", "above 0 and at most 1", Float(0).nextUp...1) {
            $0.layerDecay
        },
        ValueRule("decay", "--decay", OptimizerSettings.DecayScope.allNames),
    ].map { (rule: ValueRule<OptimizerSettings>) in rule.within("optimizer") { $0.optimizer } }
}
