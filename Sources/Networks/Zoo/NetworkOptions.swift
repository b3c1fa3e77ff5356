import ResinTensor

/// What can be varied in a known network; not every network has everything.
///
/// What is nil or at its default is the network's own. New options are optional, so that the `config.json` of
/// an older run still loads.
public struct NetworkOptions: Codable, Hashable, Sendable {
    /// Probability of the dropout layers, in 0 ..< 1.
    public var dropout: Float?
    /// With which probability the last residual branch is left out for an image while training, the others less; in 0 ..< 1.
    public var stochasticDepth: Float?
    /// How many times their usual channels the layers of MobileNet, MnasNet and ShuffleNet have, rounded to a multiple of 8.
    public var width: Double?
    /// Whether NiN has a ReLU before its global pooling. Without it no class can die.
    public var hasFinalReLU: Bool
    /// Number of 1×1 convolutions in each of NiN's blocks: 1, or the paper's 2.
    public var ones: Int?
    /// Channels of NiN's third block: 384 in the book.
    public var thirdWidth: Int?
    /// How NiN makes one number of a class's channel.
    public var head: Head?
    /// What goes around the residual blocks of `residual-mnist`.
    public var shortcut: Shortcut?
    /// Whose form of the network.
    public var variant: Variant?

    /// The pooling of each class's channel over the image.
    public enum Head: String, Codable, CaseIterable, Sendable { case average, max }

    /// He et al., "Identity mappings in deep residual networks" (ECCV 2016), Table 1.
    public enum Shortcut: String, Codable, CaseIterable, Sendable {
        /// relu(x + F(x)).
        case identity
        /// relu(½ · (x + F(x))).
        case constantScaling = "constant-scaling"
        /// relu(conv(x) + F(x)) with a 1×1 convolution.
        case convolution = "conv"
    }

    public enum Variant: String, Codable, CaseIterable, Sendable {
        /// "Dive into deep learning".
        case book
        /// torchvision's, under its names.
        case torchvision
    }

    public init(
        dropout: Float? = nil, hasFinalReLU: Bool = true, ones: Int? = nil, thirdWidth: Int? = nil,
        head: Head? = nil, shortcut: Shortcut? = nil, variant: Variant? = nil, stochasticDepth: Float? = nil,
        width: Double? = nil
    ) {
        self.dropout = dropout
        self.stochasticDepth = stochasticDepth
        self.width = width
        self.hasFinalReLU = hasFinalReLU
        self.ones = ones
        self.thirdWidth = thirdWidth
        self.head = head
        self.shortcut = shortcut
        self.variant = variant
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        dropout = try values.optional(.dropout)
        stochasticDepth = try values.optional(.stochasticDepth)
        width = try values.optional(.width)
        hasFinalReLU = try values.value(.hasFinalReLU)
        ones = try values.optional(.ones)
        thirdWidth = try values.optional(.thirdWidth)
        head = try values.optional(.head)
        shortcut = try values.optional(.shortcut)
        variant = try values.optional(.variant)
    }

    /// An option as the command line calls it.
    public enum Name: String, CaseIterable, Sendable {
        case dropout = "--dropout"
        case stochasticDepth = "--stochastic-depth"
        case width = "--width"
        case finalReLU = "--no-final-relu"
        case ones = "--ones"
        case thirdWidth = "--third-width"
        case head = "--head"
        case shortcut = "--shortcut"
        case variant = "--variant"
    }

    /// The options that are not left to the network.
    public var given: [Name] {
        Name.allCases.filter { name in
            switch name {
            case .dropout: dropout != nil
            case .stochasticDepth: stochasticDepth != nil
            case .width: width != nil
            case .finalReLU: !hasFinalReLU
            case .ones: ones != nil
            case .thirdWidth: thirdWidth != nil
            case .head: head != nil
            case .shortcut: shortcut != nil
            case .variant: variant != nil
            }
        }
    }

    package static let rules: [ValueRule<NetworkOptions>] = [
        ValueRule("dropout", "--dropout", "at least 0 and less than 1", 0...Float(1).nextDown) { $0.dropout },
        ValueRule(
            "stochasticDepth", "--stochastic-depth", "at least 0 and less than 1", 0...Float(1).nextDown
        ) { $0.stochasticDepth },
        ValueRule("width", "--width", "from 0.1 to 4, such as 0.5", 0.1...4) { $0.width },
        ValueRule("hasFinalReLU", "--no-final-relu", "true or false"),
        ValueRule("ones", "--ones", 1...2) { $0.ones },
        ValueRule("thirdWidth", "--third-width", 1...8192) { $0.thirdWidth },
        ValueRule("head", "--head", Head.allNames),
        ValueRule("shortcut", "--shortcut", Shortcut.allNames),
        ValueRule("variant", "--variant", Variant.allNames),
    ]

    /// - Throws: for a number that no network can take.
    package func check() throws(ValueFault) {
        for rule in Self.rules { try rule.check(self) }
    }
}

extension CaseIterable where Self: RawRepresentable<String> {
    /// "one of sgd, adam, adamw".
    package static var allNames: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }
}
