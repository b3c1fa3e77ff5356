import ResinTensor

/// A published network that Resin knows by name, before its input and classes are chosen.
public struct Blueprint: Sendable {
    /// What the command line calls it.
    public var name: String
    /// One line.
    public var description: String
    /// Authors, title, venue.
    public var paper: String
    public var defaultInput: ImageShape
    /// What can be varied.
    public var options: [NetworkOptions.Name]
    /// Whose forms there are, the default first; each has names of its own for its weights. Empty where there is
    /// one form without a choice.
    public var variants: [NetworkOptions.Variant]
    fileprivate var make: @Sendable (ImageShape, _ classes: Int, NetworkOptions) throws -> Network

    init(
        _ name: String, description: String, paper: String, defaultInput: ImageShape,
        options: [NetworkOptions.Name] = [], variants: [NetworkOptions.Variant] = [],
        make: @escaping @Sendable (ImageShape, _ classes: Int, NetworkOptions) throws -> Network
    ) {
        self.name = name
        self.description = description
        self.paper = paper
        self.defaultInput = defaultInput
        self.options = options + (variants.isEmpty ? [] : [.variant])
        self.variants = variants
        self.make = make
    }

    /// The images of the network with these options: torchvision's forms are for colour.
    public func defaultInput(with options: NetworkOptions) -> ImageShape {
        var input = defaultInput
        if options.variant == .torchvision { input.channels = 3 }
        return input
    }

    /// - Throws: `ResinError(.usage)` for an option that the network does not have, or a value out of range.
    fileprivate func check(_ given: NetworkOptions) throws {
        try check(given.given)
        if let variant = given.variant, !variants.contains(variant) {
            throw ResinError(
                .usage,
                "\(name) has no --variant \(variant.rawValue), only \(variants[0].rawValue); leave the option out"
            )
        }
        do { try given.check() } catch { throw error.usage }
    }

    /// - Throws: `ResinError(.usage)` for an option that the network does not have; it names those that do.
    package func check(_ given: [NetworkOptions.Name]) throws {
        for option in given where !options.contains(option) {
            let others = Network.blueprints.filter { $0.options.contains(option) }.map(\.name)
            throw ResinError(
                .usage,
                "\(name) has no option \(option.rawValue); networks that have it: "
                    + others.joined(separator: ", "))
        }
    }
}

extension Network {
    /// Every network known by name, in the order of their papers.
    public static let blueprints: [Blueprint] =
        [.leNet, .alexNet, .nin] + Blueprint.vggs + [
            .googLeNet, .inceptionMNIST, .inceptionV3, .squeezeNet10, .squeezeNet11, .resNet18, .resNet34,
            .resNet50, .resNet101, .resNet152, .wideResNet50, .resNeXt50, .residualMNIST, .denseNet,
            .denseNet121, .denseNet161, .denseNet169, .denseNet201, .mobileNetV2, .shuffleNetV2, .mnasNet10,
            .mobileNetV3Small, .mobileNetV3Large, .efficientNetLite0,
        ] + Blueprint.efficientNets + Blueprint.regNets + [.convNeXtTiny]

    public static var knownNames: [String] { blueprints.map(\.name) }

    /// The network known by this name.
    ///
    /// - Parameter input: the images; nil for the network's default.
    /// - Throws: `ResinError(.usage)` for a name that is not known, no classes, or an option that the network
    ///   does not have.
    public static func named(
        _ name: String, input: ImageShape? = nil, classes: Int = 10,
        options: NetworkOptions = NetworkOptions()
    ) throws -> Network {
        let blueprint = try blueprint(named: name)
        guard classes > 0 else {
            throw ResinError(.usage, "a network has at least one class, not \(classes)")
        }
        try blueprint.check(options)
        var network = try blueprint.make(input ?? blueprint.defaultInput(with: options), classes, options)
        network.remake = { try blueprint.make($0, $1, options) }
        return network
    }

    /// What is known of a network before it is made.
    ///
    /// - Throws: `ResinError(.usage)` for a name that is not known; it lists the known ones.
    public static func blueprint(named name: String) throws -> Blueprint {
        if let blueprint = blueprints.first(where: { $0.name == name }) { return blueprint }
        let suggestion = name.nearest(among: knownNames).map { "did you mean '\($0)'? " } ?? ""
        throw ResinError(
            .usage,
            "there is no network '\(name)'; \(suggestion)known networks: "
                + knownNames.joined(separator: ", "))
    }
}

extension String {
    /// The candidate that the fewest insertions, deletions and replacements of a character (Levenshtein
    /// 1966) turn this into, letter case aside; nil when more than half of it would have to change.
    package func nearest(among candidates: [String]) -> String? {
        candidates.map { (candidate: $0, distance: distance(to: $0)) }
            .filter { $0.distance <= Swift.max(2, count / 2) }
            .min { $0.distance < $1.distance }?.candidate
    }

    private func distance(to other: String) -> Int {
        let other = Array(other.lowercased())
        var row = Array(0...other.count)
        for (index, letter) in lowercased().enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in other.indices {
                let replaced = diagonal + (other[column] == letter ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = Swift.min(replaced, row[column] + 1, diagonal + 1)
            }
        }
        return row[other.count]
    }
}
