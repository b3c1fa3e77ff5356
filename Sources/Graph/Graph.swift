import ResinTensor

/// Names a value of one graph.
public struct ValueID: Hashable, Sendable {
    package var index: Int
    package init(_ index: Int) { self.index = index }
}

/// What a value is made of, without its content.
public struct TensorType: Hashable, Sendable {
    public var shape: Shape
    public var elementType: ElementType

    public init(_ shape: Shape, _ elementType: ElementType = .float32) {
        self.shape = shape
        self.elementType = elementType
    }

    public var byteCount: Int { shape.count * elementType.byteCount }
}

/// Where a value's content comes from, and so how long it lives.
public enum Source: Hashable, Sendable {
    /// Computed by a node; lives in the plan's arena from that node to the last that reads it.
    case node
    /// A trained tensor in the flat parameter buffer, by its index in `Graph.parameters`.
    case parameter(Int)
    /// That parameter's gradient, at the same place in the flat gradient buffer.
    case gradient(Int)
    /// A running statistic, by its index in `Graph.statistics`; batch norm updates it in place.
    case statistic(Int)
    /// Something the executor holds for all plans: the data set, its order, the metrics.
    case region(Region)
}

/// A buffer that outlives a step and that several plans share.
public enum Region: Hashable, Sendable {
    public enum Split: Hashable, Sendable, CaseIterable {
        case train, test
    }
    /// All parameters, gradients, and each state of the optimizer: one flat buffer each, laid out alike.
    case parameters, gradients
    case optimizerState(Int)
    /// Sums over shards of a step that wait for those of others, by how many they are: gradients and running statistics.
    case shardGradients(Int)
    case shardStatistics(Int)
    /// All running statistics, flat, and what they were after the last step whose loss was finite.
    case statistics, keptStatistics
    /// Moving averages of the parameters and of the running statistics, laid out like these.
    case averagedParameters, averagedStatistics
    /// The data set: bytes `[images, height, width, channels]`, class numbers (`Int32` `[images]`), and the order in
    /// which an epoch visits them (`Int32` `[images]`).
    case images(Split)
    case labels(Split)
    case order(Split)
    /// How each row of the steps to come is made of the bytes: `ImageSample`s, `Int32` `[rows, words]`.
    case samples(Split)
    /// A row a step with the sum of each `Metric`; float32 `[slots, metrics]`.
    case metrics(Split)
    /// One `Int32` a channel of every observed layer: whether it was ever above zero.
    case activity
    /// A `LossScale`, float32 `[4]`.
    case lossScale
    /// How much each class counts in the loss, float32 `[classes]`.
    case classWeights
    /// The sets of classes that labels are numbers of, `Int32` `[sets, words]`, a bit a class.
    case labelSets
    /// What a prediction's plan makes of the weights alone, kept from step to step.
    case keptWorkspaces
    /// The gradient of something with respect to the outputs, float32 `[images, classes]`.
    case outputGradients
    /// So many zeros as the widest layer has channels.
    case zeros
}

public struct Value: Hashable, Sendable {
    public var type: TensorType
    public var source: Source
    public var shape: Shape { type.shape }
}

/// One application of an operator. Nodes stand in execution order.
public struct Node: Hashable, Sendable {
    public var op: Op
    public var inputs: [ValueID]
    public var outputs: [ValueID]
    /// The layer's name, in PyTorch's dotted form; gradients carry the name of their layer.
    public var name: String
    public var pass: Pass

    public enum Pass: String, Hashable, Sendable {
        case input, forward, backward, update
    }
}

/// A tensor that is learnt.
public struct Parameter: Hashable, Sendable {
    /// PyTorch's name for it in a `state_dict`, such as `0.0.weight`.
    public var name: String
    public var layout: ParameterLayout
    public var role: Role
    /// Whether it has a gradient; one that has none keeps its values.
    public var isTrained: Bool

    /// What the initialiser has to know.
    public enum Role: Hashable, Sendable {
        case filter
        /// The bias beside a filter of so many inputs an output.
        case bias(fanIn: Int)
        /// Batch norm's scale, which starts at one, and shift, which starts at zero.
        case scale, shift
        /// What starts as that number everywhere.
        case constant(Float)
    }

    public init(name: String, layout: ParameterLayout, role: Role, isTrained: Bool = true) {
        self.name = name
        self.layout = layout
        self.role = role
        self.isTrained = isTrained
    }
}

/// A running mean or variance: saved with the weights but not trained.
public struct Statistic: Hashable, Sendable {
    public var name: String
    public var count: Int
    public var initialValue: Float

    public init(name: String, count: Int, initialValue: Float) {
        self.name = name
        self.count = count
        self.initialValue = initialValue
    }
}

/// How a parameter lies in files and on the device. Devices hold filters as
/// `[kernel height, kernel width, inputs, outputs]`; this is the only place that knows both.
public enum ParameterLayout: Hashable, Sendable {
    case vector(Int)
    /// A number a channel; in files `[channels, 1, 1]`.
    case channels(Int)
    /// A convolution's filter; in files `[outputs, inputs, height, width]`.
    case filter(outputs: Int, inputs: Int, height: Int, width: Int)
    /// A dense layer's filter; in files `[outputs, inputs · height · width]`, where the inputs are a flattened
    /// channels × height × width image. On the device it is the filter of a 1×1 convolution over the same
    /// image flattened as height × width × channels.
    case dense(outputs: Int, inputs: Int, height: Int, width: Int)

    public var count: Int {
        switch self {
        case .vector(let count), .channels(let count): count
        case .filter(let outputs, let inputs, let height, let width),
            .dense(let outputs, let inputs, let height, let width):
            outputs * inputs * height * width
        }
    }

    /// The shape in a PyTorch `state_dict`.
    public var externalShape: [Int] {
        switch self {
        case .vector(let count): [count]
        case .channels(let count): [count, 1, 1]
        case .filter(let outputs, let inputs, let height, let width): [outputs, inputs, height, width]
        case .dense(let outputs, let inputs, let height, let width): [outputs, inputs * height * width]
        }
    }

    /// Number of inputs and outputs a weight sits between, receptive field counted, as in the papers of
    /// Glorot and He.
    public var fans: (fanIn: Int, fanOut: Int) {
        switch self {
        case .vector(let count), .channels(let count): (count, count)
        case .filter(let outputs, let inputs, let height, let width):
            (inputs * height * width, outputs * height * width)
        case .dense(let outputs, let inputs, let height, let width): (inputs * height * width, outputs)
        }
    }

    /// Reorders from the file's order to the device's.
    public func deviceOrder(_ external: [Float]) -> [Float] { reordered(external, toDevice: true) }

    /// Reorders from the device's order to the file's.
    public func externalOrder(_ device: [Float]) -> [Float] { reordered(device, toDevice: false) }

    /// Outputs that are moved together: a cache line of them.
    private static let blockOutputs = 16

    /// On all processors where there are many.
    private func reordered(_ values: [Float], toDevice: Bool) -> [Float] {
        precondition(values.count == count)
        switch self {
        case .vector, .channels: return values
        case .filter(let outputs, let inputs, let height, let width),
            .dense(let outputs, let inputs, let height, let width):
            let pixels = height * width
            let blocks = (outputs + Self.blockOutputs - 1) / Self.blockOutputs
            return [Float](unsafeUninitializedCapacity: count) { result, filled in
                values.withUnsafeBufferPointer { values in
                    func moveBlock(_ block: Int) {
                        let first = block * Self.blockOutputs
                        let own = first..<min(first + Self.blockOutputs, outputs)
                        for input in 0..<inputs {
                            for pixel in 0..<pixels {
                                let device = (pixel * inputs + input) * outputs
                                let external = input * pixels + pixel
                                // Two loops, for what is moved by a closure takes four times as long.
                                if toDevice {
                                    for output in own {
                                        result[device + output] = values[output * inputs * pixels + external]
                                    }
                                } else {
                                    for output in own {
                                        result[output * inputs * pixels + external] = values[device + output]
                                    }
                                }
                            }
                        }
                    }
                    if count < 1 << 16 {
                        for block in 0..<blocks { moveBlock(block) }
                    } else {
                        concurrently(blocks) { moveBlock($0) }
                    }
                }
                filled = count
            }
        }
    }
}

/// A network as data: values, and the nodes that compute them, in execution order.
///
/// Hashable, so that a graph is a key for plans and tuned programs.
public struct Graph: Hashable, Sendable {
    public private(set) var values: [Value] = []
    public package(set) var nodes: [Node] = []
    public private(set) var parameters: [Parameter] = []
    public private(set) var statistics: [Statistic] = []
    /// Values that someone reads after the last node; they stay until the end of the step.
    public package(set) var results: [ValueID] = []

    public init() {}

    public subscript(id: ValueID) -> Value { values[id.index] }
    public func shape(of id: ValueID) -> Shape { values[id.index].shape }

    package mutating func makeValue(_ type: TensorType, source: Source) -> ValueID {
        values.append(Value(type: type, source: source))
        return ValueID(values.count - 1)
    }

    public mutating func addParameter(_ parameter: Parameter) -> ValueID {
        precondition(
            !parameters.contains { $0.name == parameter.name }, "two parameters called \(parameter.name)")
        parameters.append(parameter)
        return makeValue(TensorType([parameter.layout.count]), source: .parameter(parameters.count - 1))
    }

    public mutating func addStatistic(_ statistic: Statistic) -> ValueID {
        statistics.append(statistic)
        return makeValue(TensorType([statistic.count]), source: .statistic(statistics.count - 1))
    }

    /// A value that the executor holds; asking twice for a region gives the same value.
    public mutating func addRegion(_ region: Region, _ type: TensorType) -> ValueID {
        if let index = values.firstIndex(where: { $0.source == .region(region) }) {
            precondition(values[index].type == type)
            return ValueID(index)
        }
        return makeValue(type, source: .region(region))
    }

    /// Applies an operator; its outputs' shapes follow from the inputs.
    ///
    /// - Throws: `ResinError(.usage)` that names the layer when the inputs do not fit.
    @discardableResult
    public mutating func apply(
        _ op: Op, to inputs: [ValueID], name: String, pass: Node.Pass = .forward
    ) throws -> [ValueID] {
        let types: [TensorType]
        do {
            types = try op.body.outputTypes(for: inputs.map { self[$0].type })
        } catch let error as ShapeError {
            throw ResinError(.usage, "layer '\(name)' (\(op.body.summary)): \(error.message)")
        }
        let outputs = types.map { makeValue($0, source: .node) }
        nodes.append(Node(op: op, inputs: inputs, outputs: outputs, name: name, pass: pass))
        return outputs
    }

    package mutating func setSource(of id: ValueID, to source: Source) {
        values[id.index].source = source
    }

    package mutating func setElementType(of id: ValueID, to type: ElementType) {
        values[id.index].type.elementType = type
    }

    /// The nodes that read a value.
    package func consumers(of id: ValueID) -> [Int] {
        nodes.indices.filter { nodes[$0].inputs.contains(id) }
    }

    /// What a whole run of these nodes costs.
    public var cost: Cost {
        nodes.reduce(into: Cost()) { $0 += cost(of: $1) }
    }

    public func cost(of node: Node) -> Cost {
        node.op.body.cost(
            inputs: node.inputs.map { self[$0].type }, outputs: node.outputs.map { self[$0].type })
    }

    /// Traps when the graph contradicts itself: a value read before it is computed or computed twice, or a
    /// shape that its operator would not give.
    package func checkInvariants() {
        var computed = Set<ValueID>()
        for node in nodes {
            for input in node.inputs where self[input].source == .node {
                precondition(computed.contains(input), "\(node.name) reads a value that is not computed yet")
            }
            for output in node.outputs {
                precondition(computed.insert(output).inserted, "\(node.name) computes a value a second time")
            }
            let types = try? node.op.body.outputTypes(for: node.inputs.map { self[$0].type })
            precondition(
                types?.map(\.shape.count) == node.outputs.map { self[$0].shape.count },
                "\(node.name)'s outputs have other shapes than its operator gives")
        }
    }
}
