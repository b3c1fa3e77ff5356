import ResinGraph
import ResinTensor

/// A known network in one of its forms, found by the names and shapes of its weights.
package struct NetworkIdentity: Hashable, Sendable {
    package var name: String
    /// Those that change names or shapes, with their values where they are the network's own too.
    package var options: NetworkOptions
    /// Height and width are one of those that these weights are for.
    package var input: ImageShape
    package var classes: Int

    /// - Parameters:
    ///   - shapes: of all tensors by name, as `Graph.tensorShapes`.
    ///   - side: height and width that the images may well have.
    package init?(_ shapes: [String: [Int]], side: Int) {
        for blueprint in Network.blueprints {
            for options in blueprint.forms(shapes) {
                var identity = NetworkIdentity(blueprint.name, options, blueprint.defaultInput(with: options))
                for side in [identity.input.height, side] + Self.usualSides {
                    identity.input.height = side
                    identity.input.width = side
                    guard let usual = identity.graph else { continue }
                    guard usual.tensorShapes.keys == shapes.keys else { break }
                    // The first filter has the channels, the last bias the classes.
                    guard let filter = shapes[usual.parameters[0].name], filter.count == 4,
                        (1...1 << 14).contains(filter[1]),
                        let classes = shapes[usual.parameters.last!.name]?.first,
                        (1...1 << 20).contains(classes)
                    else { break }
                    var candidate = identity
                    candidate.input.channels = filter[1]
                    candidate.classes = classes
                    if candidate.graph?.tensorShapes == shapes {
                        self = candidate
                        return
                    }
                }
            }
        }
        return nil
    }

    private init(_ name: String, _ options: NetworkOptions, _ input: ImageShape) {
        self.name = name
        self.options = options
        self.input = input
        classes = 10
    }

    private static let usualSides = [28, 32, 64, 96, 128, 160, 192, 224, 227, 256, 299]

    /// nil where the images do not fit the network.
    private var graph: Graph? {
        try? Network.named(name, input: input, classes: classes, options: options).makeGraph().graph
    }

    /// What a file's weights are, where they are not a network's: "the weights of resnet18 --variant torchvision,
    /// for 1,000 classes, not 10"; nil where they are of no network that is known.
    ///
    /// - Parameters:
    ///   - file: shapes by name.
    ///   - expected: the network's.
    package static func difference(
        between file: [String: [Int]], and expected: [String: [Int]], of network: Network
    ) -> String? {
        guard let found = NetworkIdentity(file, side: network.input.height) else { return nil }
        var parts: [String] = []
        let blueprint = Network.blueprints.first { $0.name == found.name }!
        let wanted = NetworkIdentity(expected, side: network.input.height)
        let isOther = found.name != network.name
        let options = found.options.arguments(
            over: (isOther ? nil : wanted?.options) ?? blueprint.forms([:])[0])
        if isOther || !options.isEmpty {
            parts.append("of " + ([found.name] + options).joined(separator: " "))
        }
        if found.classes != network.classCount {
            parts.append("for \(found.classes.grouped) classes, not \(network.classCount.grouped)")
        }
        var resized = found
        resized.input.height = network.input.height
        resized.input.width = network.input.width
        if let graph = resized.graph, graph.tensorShapes != file {
            parts.append("for --input \(found.input.argument), not \(network.input.argument)")
        } else if found.input.channels != network.input.channels {
            parts.append("for images of \(found.input.channels) channels, not \(network.input.channels)")
        }
        return parts.isEmpty ? nil : "the weights " + parts.joined(separator: ", ")
    }
}

extension Graph {
    /// The names and shapes of a `state_dict`, without batch norm's counters.
    package var tensorShapes: [String: [Int]] {
        var shapes: [String: [Int]] = [:]
        for parameter in parameters { shapes[parameter.name] = parameter.layout.externalShape }
        for statistic in statistics { shapes[statistic.name] = [statistic.count] }
        return shapes
    }
}

extension Blueprint {
    /// The options that give weights other names or shapes, the network's own first.
    ///
    /// - Parameter shapes: what numbers of channels are taken from.
    fileprivate func forms(_ shapes: [String: [Int]]) -> [NetworkOptions] {
        var forms = variants.isEmpty ? [NetworkOptions()] : variants.map { NetworkOptions(variant: $0) }
        func vary(_ option: NetworkOptions.Name, _ changes: [(inout NetworkOptions) -> Void]) {
            guard options.contains(option) else { return }
            forms = changes.flatMap { change in
                forms.map { form in
                    var form = form
                    change(&form)
                    return form
                }
            }
        }
        // What torchvision, timm and Keras have weights of.
        vary(.width, [nil, 0.25, 0.35, 0.5, 0.75, 1.3, 1.4, 1.5, 2].map { width in { $0.width = width } })
        vary(.ones, [{ $0.ones = 2 }, { $0.ones = 1 }])
        vary(.thirdWidth, [{ $0.thirdWidth = shapes["4.0.weight"]?.first ?? 384 }])
        vary(.shortcut, [{ $0.shortcut = .identity }, { $0.shortcut = .convolution }])
        return forms
    }
}

extension NetworkOptions {
    /// As the command line has those that differ and change names or shapes.
    fileprivate func arguments(over other: NetworkOptions) -> [String] {
        var arguments: [String] = []
        func add(_ option: Name, _ value: String?, _ other: String?) {
            if let value, value != other { arguments.append("\(option.rawValue) \(value)") }
        }
        add(.variant, variant?.rawValue, other.variant?.rawValue)
        add(.width, width.map { "\($0)" }, other.width.map { "\($0)" })
        add(.ones, ones.map(String.init), other.ones.map(String.init))
        add(.thirdWidth, thirdWidth.map(String.init), other.thirdWidth.map(String.init))
        add(.shortcut, shortcut?.rawValue, other.shortcut?.rawValue)
        return arguments
    }
}

extension ImageShape {
    /// As the command line has it: "1x28x28".
    fileprivate var argument: String { "\(channels)x\(height)x\(width)" }
}
