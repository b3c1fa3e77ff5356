import Foundation
import ResinGraph
import ResinNetworks
import ResinProtobuf
import ResinTensor
import ResinTraining

/// Makes layers and weights of an ONNX graph, node by node.
///
/// What does not depend on the images is computed at once. Of what does, shapes are known but for the number of images;
/// reshaping and transposing are kept as an `Arrangement` and come to layers only where an operator needs another order.
struct ModelReader {
    /// What an input or the result of a node is.
    enum Value {
        case constant(ConstantTensor)
        case activation(Activation)
        /// erf(x / √2) and factor · (1 + erf(x / √2)), on the way to a GELU.
        case erf(of: Activation)
        case normal(of: Activation, factor: Float)
    }

    /// A tensor that depends on the images.
    struct Activation: Equatable {
        /// The layers' value that it is.
        var number: Int
        var shape: ValueShape
        var arrangement: Arrangement
        /// Zeros around an image that the next window takes as its padding.
        var padding = Padding()
    }

    enum ValueShape: Equatable {
        case image(channels: Int, height: Int, width: Int)
        /// Perhaps of an image, whose elements lie channels × height × width.
        case features(Int, isFlattenedImage: Bool)

        var channels: Int {
            switch self {
            case .image(let channels, _, _): channels
            case .features(let count, _): count
            }
        }

        var arrangement: Arrangement {
            switch self {
            case .image(let channels, let height, let width): .image(channels, height, width)
            case .features(let count, _): .features(count)
            }
        }
    }

    let opset: Int
    /// How many images the model says there are, where it does.
    let images: Int?
    private(set) var values: [String: Value]
    var layers = ImportedLayers(steps: [], output: 0)
    var entries: [Safetensors.Entry] = []
    /// How many nodes read each value; what the model gives is read once more.
    private let readers: [String: Int]
    /// The model's own output.
    let result: String
    /// What a value is a function of, for functions of several nodes.
    var origins: [Int: Origin] = [:]
    private var names = Set<String>()
    /// The value that another name is a view of.
    private var views: [String: String] = [:]
    /// The one that is read.
    private(set) var node: ModelNode!

    enum Origin {
        case scaled(Activation, by: Float)
        case sigmoid(Activation)
        case hardSigmoid(Activation)
        /// Or its logarithm: what a network gives is before it.
        case softmax(Activation)
    }

    init(
        opset: Int, images: Int?, values: [String: Value], readers: [String: Int], result: String
    ) {
        self.opset = opset
        self.images = images
        self.values = values
        self.readers = readers
        self.result = result
    }

    // MARK: Nodes

    /// - Throws: `ModelFlaw`.
    mutating func read(_ node: ModelNode) throws {
        self.node = node
        guard let output = node.outputs.first, !output.isEmpty else { throw ModelFlaw("it has no output") }
        if let name = node.outputs.first(where: { values[$0] != nil }) {
            throw ModelFlaw("it gives '\(name)' a second time")
        }
        for input in node.inputs where !input.isEmpty && values[input] == nil {
            throw ModelFlaw("nothing before it gives its input '\(input)'")
        }
        if let result = try constantResult() {
            values[output] = .constant(result)
            return
        }
        if !Self.rearranging.contains(node.type) {
            try settleInputs()
        } else if let input = node.input(0) {
            views[output] = input
        }
        let results = try apply()
        for (name, result) in zip(node.outputs, results) { values[name] = result }
    }

    /// Operators that take a value in whatever order.
    private static let rearranging: Set = [
        "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Cast",
        "InstanceNormalization",
    ]

    /// Shuffles the channels of inputs that have come to be shuffled: once, whoever else reads them.
    private mutating func settleInputs() throws {
        // An instance norm takes channels in whatever order.
        for name in node.inputs where node.type != "InstanceNormalization" {
            guard case .activation(let activation)? = values[name],
                activation.arrangement.shuffledGroups != nil
            else {
                continue
            }
            let shuffled = try image(activation)
            values[name] = .activation(
                Activation(
                    number: shuffled.number, shape: activation.shape,
                    arrangement: activation.shape.arrangement))
        }
    }

    // MARK: Inputs

    func value(_ index: Int) throws -> Value {
        guard let name = node.input(index) else { throw ModelFlaw("its input \(index) is not there") }
        return values[name]!
    }

    func constant(_ index: Int) throws -> ConstantTensor {
        guard case .constant(let constant) = try value(index) else {
            throw ModelFlaw(
                "its input \(index), '\(node.inputs[index])', depends on the images; known are constants")
        }
        return constant
    }

    func optionalConstant(_ index: Int) throws -> ConstantTensor? {
        node.input(index) == nil ? nil : try constant(index)
    }

    func activation(_ index: Int) throws -> Activation {
        switch try value(index) {
        case .activation(let activation): return activation
        case .constant:
            throw ModelFlaw("its input \(index) is a constant; expected is what depends on the images")
        case .erf, .normal: throw ModelFlaw("Erf is known as a part of GELU alone")
        }
    }

    // MARK: Layers

    /// Adds a layer.
    ///
    /// - Parameter weights: of the layer, by the names that it gives them.
    mutating func add(
        _ layer: any Layer, to input: Int, giving shape: ValueShape, _ arrangement: Arrangement? = nil,
        name: String? = nil, weights: [(name: String, shape: [Int], values: [Float])] = []
    ) throws -> Activation {
        let name = unused(name ?? Self.layerName(node.name))
        for weight in weights {
            entries.append(
                Safetensors.Entry(
                    weight.name.isEmpty ? name : "\(name).\(weight.name)", shape: weight.shape,
                    values: weight.values))
        }
        return try add(.layer(layer), [input], giving: shape, arrangement, name: name)
    }

    mutating func add(
        _ kind: ImportedLayers.Kind, _ inputs: [Int], giving shape: ValueShape,
        _ arrangement: Arrangement? = nil, name: String? = nil
    ) throws -> Activation {
        if case .image(let channels, let height, let width) = shape {
            let (count, isTooMuch) = ConstantTensor.product([channels, height, width])
            guard !isTooMuch, count <= Limits.imageValues, max(height, width) <= Limits.side else {
                throw ModelFlaw(
                    "it gives \(channels) channels of \(height)×\(width) pixels; at most \(Limits.imageValues) values, and "
                        + "\(Limits.side) pixels a side, are known")
            }
        }
        let number = layers.steps.count + 1
        layers.steps.append(
            ImportedLayers.Step(
                name: name ?? unused(Self.layerName(node.name)), inputs: inputs, output: number, kind: kind))
        return Activation(number: number, shape: shape, arrangement: arrangement ?? shape.arrangement)
    }

    /// A layer element by element.
    mutating func add(_ layer: any Layer, to input: Activation) throws -> Activation {
        let input = try unpadded(input)
        return try add(layer, to: input.number, giving: input.shape, input.arrangement)
    }

    /// As PyTorch's names, without what stands before and between in some exporters'.
    private static func layerName(_ name: String) -> String {
        let parts = name.split(whereSeparator: { $0 == "/" || $0 == ":" || $0 == "." })
        return parts.isEmpty ? "node" : parts.joined(separator: ".")
    }

    /// Of a layer that the node needs before it: the node's own layer keeps the node's name.
    private func addedName(_ what: String) -> String { "\(Self.layerName(node.name)).\(what)" }

    /// The layer that a weight is called after: of `conv1.weight` it is `conv1`.
    func layerName(ofWeight index: Int) -> String? {
        guard let name = node.input(index), name.hasSuffix(".weight"), name.count > ".weight".count else {
            return nil
        }
        return Self.layerName(String(name.dropLast(".weight".count)))
    }

    /// The name itself, or with a number behind it: no other layer has it, nor a parameter.
    mutating func unused(_ name: String) -> String {
        let parameters = ["", ".weight", ".bias", ".running_mean", ".running_var"]
        var candidate = name
        var number = 1
        while parameters.contains(where: { names.contains(candidate + $0) }) {
            number += 1
            candidate = "\(name)_\(number)"
        }
        names.formUnion(parameters.map { candidate + $0 })
        return candidate
    }

    /// The last layer, where it gave this value, and only the node that is read reads it: what may still be changed.
    func lastLayer<Kind: Layer>(of type: Kind.Type, gave activation: Activation, as name: String) -> Kind? {
        var own = name
        while readers[own] == 1, let viewed = views[own] { own = viewed }
        guard readers[own] == 1, views[own] == nil, let step = layers.steps.last,
            step.output == activation.number,
            case .layer(let layer) = step.kind
        else { return nil }
        return layer as? Kind
    }

    // MARK: Orders

    func unpadded(_ activation: Activation) throws -> Activation {
        guard activation.padding == Padding() else {
            throw ModelFlaw("Pad before it: padding is known before a convolution alone")
        }
        return activation
    }

    /// The value as an image `[N, C, H, W]`.
    mutating func image(_ activation: Activation) throws -> (number: Int, channels: Int, size: Extent) {
        switch activation.shape {
        case .image(let channels, let height, let width):
            if activation.arrangement == activation.shape.arrangement {
                return (activation.number, channels, Extent(height, width))
            }
            if let groups = activation.arrangement.shuffledGroups,
                activation.arrangement.dimensions[2...] == activation.shape.arrangement.dimensions[2...]
            {
                let shuffled = try add(
                    ChannelShuffle(groups: groups), to: activation.number, giving: activation.shape,
                    name: addedName("shuffle"))
                return (shuffled.number, channels, Extent(height, width))
            }
        case .features(let count, false):
            if activation.arrangement == .image(count, 1, 1) {
                let pixel = try add(
                    UnflattenedPixel(), to: activation.number,
                    giving: .image(channels: count, height: 1, width: 1), name: addedName("pixel"))
                return (pixel.number, count, Extent(1))
            }
        case .features: break
        }
        throw ModelFlaw("it needs images [N, C, H, W], but its input is \(activation.arrangement.described)")
    }

    enum FeatureOrder {
        case channelsFirst, channelsLast
    }

    /// The value as features `[N, F]`, and in which order the model has those of an image.
    mutating func features(_ activation: Activation) throws -> (value: Activation, order: FeatureOrder) {
        let activation = try unpadded(activation)
        let arrangement = activation.arrangement
        if case .features(let count, _) = activation.shape, arrangement == .features(count) {
            return (activation, .channelsFirst)
        }
        if case .image(let channels, let height, let width) = activation.shape, arrangement.rank == 2 {
            let own = activation.shape.arrangement
            let orders: [(FeatureOrder, [Int])] = [(.channelsFirst, [1, 2, 3]), (.channelsLast, [2, 3, 1])]
            for (order, places) in orders
            where arrangement.factors([1]) == own.factors(places)
                && arrangement.factors([0]) == own.factors([0])
            {
                let flat = try add(
                    Flatten(), to: activation.number,
                    giving: .features(channels * height * width, isFlattenedImage: height * width > 1),
                    name: addedName("flatten"))
                return (flat, order)
            }
        }
        throw ModelFlaw("it needs features [N, F], but its input is \(arrangement.described)")
    }
}
