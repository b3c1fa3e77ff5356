import Foundation
import ResinGraph
import ResinNetworks
import ResinProtobuf
import ResinTensor
import ResinTraining

/// A model of ONNX (onnx.ai) as a network with its weights: one that classifies images, of operators that Resin knows.
///
/// Shapes follow from those of the images, constants are computed, reshaping and transposing move nothing where the
/// network's own order serves. Batch norms stay layers of their own, so that the network can be trained on.
public struct ONNXImport: Sendable {
    public let network: Network
    /// By the names that the network has for them, with what the file says beside the graph as metadata.
    public let weights: Safetensors
    /// What was left out: sentences for the person who gave the file.
    public let notes: [String]

    public static let opsets = 7...21

    /// - Parameters:
    ///   - input: the images; nil for those that the model names.
    ///   - classes: how many the network is to have; nil for as many as the model. With another number the last layer's
    ///     weights do not fit.
    /// - Throws: `ResinError`: `.missingFile`, `.badContent` that names what is not known, every operator of the graph at
    ///   once; `.usage` where the model leaves the images' size open.
    public init(contentsOf path: String, input: ImageShape? = nil, classes: Int? = nil) throws {
        try self.init(ModelFile(path), input: input, classes: classes)
    }

    private init(_ file: ModelFile, input: ImageShape?, classes: Int?) throws {
        let path = file.path
        let graph = file.model.graph
        let opset = try file.opset()
        try file.checkOperators(opset: opset)
        let initializers = Set(graph.initializer.map(\.name))
        let inputs = graph.input.filter { !initializers.contains($0.name) }
        guard inputs.count == 1, let first = graph.output.first else {
            throw file.fault(
                "has the inputs \(inputs.map(\.name)) and \(graph.output.count) outputs; a network here has one of each, "
                    + "images and logits")
        }
        let images = try file.images(inputs[0], input)
        var readers = Dictionary(
            graph.node.flatMap(\.input).map { ($0, 1) }, uniquingKeysWith: +)
        readers[first.name, default: 0] += 1

        var values: [String: ModelReader.Value] = [:]
        // Many tensors could name the same bytes of a file: what they take together is bounded by what there is.
        var taken: [String: Int] = [:]
        func external(_ location: String, _ offset: Int, _ length: Int?) throws -> Data {
            let (data, size) = try file.external(location, offset, length)
            taken[location, default: 0] += data.count
            guard taken[location]! <= 2 * size else {
                throw ModelFlaw("tensors take more of '\(location)' than there is")
            }
            return data
        }
        for tensor in graph.initializer {
            do {
                values[tensor.name] = .constant(try ConstantTensor(tensor, external: external))
            } catch let flaw as ModelFlaw {
                throw file.fault(flaw.text)
            }
        }
        values[inputs[0].name] = .activation(images.activation)
        var reader = ModelReader(
            opset: opset, images: images.count, values: values, readers: readers, result: first.name)
        for (index, proto) in graph.node.enumerated() {
            let node = ModelNode(proto, index: index)
            do { try reader.read(node) } catch let flaw as ModelFlaw {
                throw file.fault("node '\(node.name)' (\(node.type), opset \(opset)): \(flaw.text)")
            }
        }
        var notes = file.notes
        if graph.output.count > 1 {
            notes.append(
                "\(path): of its outputs '\(first.name)' is taken; "
                    + graph.output.dropFirst().map { "'\($0.name)'" }.joined(separator: ", ")
                    + " are left out")
        }
        let (output, count): (Int, Int)
        do {
            var isWithoutSoftmax = false
            (output, count, isWithoutSoftmax) = try reader.logits()
            if isWithoutSoftmax {
                notes.append("\(path): its last softmax is left out, for networks here give logits")
            }
        } catch let flaw as ModelFlaw {
            throw file.fault("its output '\(first.name)': \(flaw.text)")
        }
        var layers = reader.layers
        layers.output = output
        layers = layers.withoutUnused()
        if let classes, classes != count { try layers.give(classes, insteadOf: count, file) }

        let name =
            graph.name.isEmpty
            ? ((path as NSString).lastPathComponent as NSString).deletingPathExtension : graph.name
        let network = Network(
            name, input: images.shape, classes: classes ?? count, root: layers
        ) { shape, classes in try ONNXImport(file, input: shape, classes: classes).network }
        do { _ = try network.makeGraph() } catch let error as ResinError where error.kind == .usage {
            throw file.fault(error.message)
        }
        let kept = Set(layers.steps.map(\.name))
        let entries = reader.entries.filter { entry in
            kept.contains(entry.name)
                || kept.contains(
                    String(entry.name[..<(entry.name.lastIndex(of: ".") ?? entry.name.startIndex)]))
        }
        self.network = network
        self.weights = Safetensors(
            entries,
            metadata: Dictionary(
                file.model.metadataProps.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first }))
        self.notes = notes
    }
}

extension ModelReader {
    /// The number of what the model gives, as features, how many they are, and whether a softmax is left out.
    mutating func logits() throws -> (number: Int, classes: Int, isWithoutSoftmax: Bool) {
        guard case .activation(var value)? = values[result] else {
            throw ModelFlaw("no node gives it, or it does not depend on the images")
        }
        var isWithoutSoftmax = false
        if case .softmax(let input)? = origins[value.number] {
            value = Activation(number: input.number, shape: input.shape, arrangement: value.arrangement)
            isWithoutSoftmax = true
        }
        let arrangement = value.arrangement
        let ones = arrangement.dimensions.indices.dropFirst(2).filter { arrangement.dimensions[$0].isEmpty }
        value.arrangement = try arrangement.squeezed(Array(ones))
        let features = try features(value).value
        return (features.number, features.shape.channels, isWithoutSoftmax)
    }
}

extension ImportedLayers {
    /// Has the last layer with weights give another number of classes.
    fileprivate mutating func give(_ classes: Int, insteadOf count: Int, _ file: ModelFile) throws {
        for index in steps.indices.reversed() {
            guard case .layer(let layer) = steps[index].kind else { break }
            if var dense = layer as? Dense, dense.outputs == count {
                dense.outputs = classes
                steps[index].kind = .layer(dense)
                return
            }
            if var convolution = layer as? Convolution2D, convolution.outputChannels == count,
                convolution.groups == 1
            {
                convolution.outputChannels = classes
                steps[index].kind = .layer(convolution)
                return
            }
            if layer is BatchNorm || layer is ChannelAffine || layer is LayerScale { break }
        }
        throw file.fault(
            "is for \(count.grouped) classes, and its last layer is none that could be for \(classes.grouped)"
        )
    }
}
