import ResinGraph
import ResinTensor

/// Where layers put their operators: the graph that grows, the name of the layer that is being added, and
/// what is noted about each layer on the way.
public struct NetworkScope: Sendable {
    /// What a graph is for. Both kinds hold the same parameters in the same order.
    public enum Mode: Hashable, Sendable, CaseIterable {
        /// Batch norm uses the batch's statistics, dropout drops, max pooling remembers which place won.
        case training
        /// Batch norm uses the running statistics, and dropout does nothing.
        case inference
    }

    public let mode: Mode
    package private(set) var graph: Graph
    /// Every layer and block in the order of application, a block before its layers.
    package private(set) var entries: [Entry] = []
    package private(set) var activations: [NetworkGraph.Activation] = []
    private var path: [String] = []
    private let frozen: Set<String>
    private var dropoutCount: UInt32 = 0
    /// The images that flattened values were made from. Their features lie height × width × channels on the
    /// device and channels × height × width in files; a dense layer behind them has to know.
    private var flattenedImages: [ValueID: Shape] = [:]

    package struct Entry: Sendable {
        package var row: NetworkSummary.Row
        package var isBlock: Bool
        package var output: ValueID?
    }

    /// - Parameter frozen: names of parameters that are not trained.
    package init(graph: Graph, mode: Mode, frozen: Set<String> = []) {
        self.graph = graph
        self.mode = mode
        self.frozen = frozen
    }

    /// The dotted name of the layer that is being added, such as `1.0.conv1`.
    public var layerName: String { path.joined(separator: ".") }

    /// A value's shape: `[images, height, width, channels]`, or `[images, features]`.
    public func shape(of value: ValueID) -> Shape { graph.shape(of: value) }

    /// Applies a layer as a child of the one that is being added.
    ///
    /// - Parameter name: what it is called there, one component of its dotted name.
    ///   A layer that is `named` keeps its own name.
    /// - Throws: `ResinError(.usage)` that names the layer when the input does not fit it.
    public mutating func apply(_ layer: some Layer, to input: ValueID, name: String) throws -> ValueID {
        if let named = layer as? Named { return try apply(named.layer, to: input, name: named.name) }
        path.append(name)
        defer { path.removeLast() }
        let entry = entries.count
        let firstNode = graph.nodes.count
        let firstParameter = graph.parameters.count
        var row = NetworkSummary.Row(name: layerName, type: "\(type(of: layer))")
        row.input = shape(of: input).channelsFirst
        entries.append(Entry(row: row, isBlock: false))
        let output = try layer.apply(to: input, in: &self)
        entries[entry].row.output = shape(of: output).channelsFirst
        entries[entry].output = output
        entries[entry].row.parameters = graph.parameters[firstParameter...].reduce(0) { $0 + $1.layout.count }
        entries[entry].row.multiplyAdds = graph.nodes[firstNode...]
            .reduce(0) { $0 + graph.cost(of: $1).multiplyAdds }
        entries[entry].isBlock = entries.count > entry + 1
        return output
    }

    /// Adds an operator under the name of the layer that is being added.
    ///
    /// - Throws: `ResinError(.usage)` that names the layer when the inputs do not fit the operator.
    public mutating func apply(_ op: Op, to inputs: [ValueID]) throws -> [ValueID] {
        let outputs = try graph.apply(op, to: inputs, name: layerName)
        if let image = flattenedImages[inputs[0]], op.body.keepsFeaturesInPlace {
            flattenedImages[outputs[0]] = image
        }
        if op == .relu {
            activations.append(NetworkGraph.Activation(layer: layerName, value: outputs[0]))
        }
        return outputs
    }

    /// The sum of two values of the same shape: a residual connection.
    ///
    /// - Parameter name: what the operator is called in profiles, one component of its dotted name.
    /// - Throws: `ResinError(.usage)` when the shapes differ.
    public mutating func add(_ first: ValueID, _ second: ValueID, name: String = "add") throws -> ValueID {
        try combine(first, second, by: .add(Op.Add()), name: name, ("addition", "add"))
    }

    /// The product of two values of the same shape, element by element.
    ///
    /// - Parameter name: what the operator is called in profiles, one component of its dotted name.
    /// - Throws: `ResinError(.usage)` when the shapes differ.
    public mutating func multiply(
        _ first: ValueID, _ second: ValueID, name: String = "multiply"
    ) throws -> ValueID {
        try combine(
            first, second, by: .multiplication(Op.Multiplication()), name: name,
            ("multiplication", "multiply"))
    }

    /// - Parameter words: what it is, and what one does.
    private mutating func combine(
        _ first: ValueID, _ second: ValueID, by op: Op, name: String, _ words: (noun: String, verb: String)
    ) throws -> ValueID {
        path.append(name)
        defer { path.removeLast() }
        guard flattenedImages[first] == flattenedImages[second] else {
            throw misfit(
                words.noun, "one of its inputs is a flattened image; \(words.verb) before Flatten()")
        }
        return try apply(op, to: [first, second])[0]
    }

    /// The channels of all values one after another; of one value, that value.
    ///
    /// - Parameter name: what the operator is called in profiles, one component of its dotted name.
    /// - Throws: `ResinError(.usage)` when height or width differ.
    public mutating func concatenate(
        _ values: [ValueID], name: String = "concatenation"
    ) throws -> ValueID {
        precondition(!values.isEmpty, "a concatenation has at least one input")
        guard values.count > 1 else { return values[0] }
        path.append(name)
        defer { path.removeLast() }
        for value in values {
            // Its features would lie in another order on the device than in files.
            guard let image = flattenedImages[value], image.height * image.width > 1 else { continue }
            throw misfit(
                "concatenation", "one of its inputs is a flattened image; concatenate before Flatten()")
        }
        return try apply(.concatenation, to: values)[0]
    }

    /// The channels in parts of so many, one after another: `torch.split` along the channels.
    ///
    /// - Throws: `ResinError(.usage)` when they are not as many as the value's.
    public mutating func split(_ value: ValueID, into counts: [Int]) throws -> [ValueID] {
        try requireChannels(value, for: "split", "split")
        guard shape(of: value).channels == counts.reduce(0, +), !counts.contains(where: { $0 < 1 }) else {
            throw misfit(
                "split",
                "its input has \(shape(of: value).channels) channels, which are not "
                    + counts.map(String.init).joined(separator: " and "))
        }
        var first = 0
        return try counts.map { count in
            defer { first += count }
            return try apply(.channelSlice(Op.ChannelSlice(first..<first + count)), to: [value])[0]
        }
    }

    /// Adds a trained parameter of the layer that is being added, `weight` as `1.0.conv1.weight`.
    public mutating func addParameter(
        _ name: String, _ layout: ParameterLayout, role: Parameter.Role
    ) -> ValueID {
        let name = qualified(name)
        return graph.addParameter(
            Parameter(name: name, layout: layout, role: role, isTrained: !frozen.contains(name)))
    }

    /// Whether a parameter of the layer that is being added keeps its values while others are trained.
    public func isFrozen(_ name: String) -> Bool { frozen.contains(qualified(name)) }

    /// Adds a running statistic of the layer that is being added.
    public mutating func addStatistic(_ name: String, count: Int, initialValue: Float) -> ValueID {
        graph.addStatistic(Statistic(name: qualified(name), count: count, initialValue: initialValue))
    }

    /// A number for the next dropout layer that no other of the network has.
    public mutating func makeDropoutNumber() -> UInt32 {
        defer { dropoutCount += 1 }
        return dropoutCount
    }

    /// The image a flattened value was made from, if it was.
    package func flattenedImage(of value: ValueID) -> Shape? { flattenedImages[value] }

    package mutating func noteFlattened(_ image: Shape, as value: ValueID) { flattenedImages[value] = image }

    /// The error of an input that the layer being added cannot take.
    package func misfit(_ layer: String, _ reason: String) -> ResinError {
        ResinError(.usage, "layer '\(layerName)' (\(layer)): \(reason)")
    }

    /// Checks that a value is an image, not a row of features.
    package func requireImage(_ value: ValueID, for layer: String) throws {
        let shape = shape(of: value)
        guard shape.rank == 4 else {
            throw misfit(layer, "it needs an image, but its input is \(shape.channels) features")
        }
    }

    /// Checks that a value's last extent is that of channels: a flattened image's parameters would lie in another order on
    /// the device than in files.
    package func requireChannels(_ value: ValueID, for layer: String, _ advice: String) throws {
        guard let image = flattenedImage(of: value), image.height * image.width > 1 else { return }
        throw misfit(layer, "its input is a flattened image; \(advice) before Flatten()")
    }

    /// - Parameter name: empty for what has the layer's own name.
    private func qualified(_ name: String) -> String {
        (path + (name.isEmpty ? [] : [name])).joined(separator: ".")
    }
}
