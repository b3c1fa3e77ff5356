import ResinDataset
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTraining

/// A network in its prediction form, from bytes of one size to its outputs.
struct PredictionGraph {
    private(set) var graph: Graph
    /// `[batch, classes]`
    let logits: ValueID
    private(set) var features: ValueID?
    private let layers: [(name: String, value: ValueID)]

    /// - Parameter size: of the images on the device.
    init(
        _ network: Network, _ configuration: TrainingConfiguration, size: PixelSize, batch: Int
    ) throws {
        var configuration = configuration
        configuration.batch = batch
        let shape = Shape(
            images: batch, height: size.height, width: size.width, channels: configuration.mean.count)
        let maker = ImageMaker(.uniform(shape), .test, network.input, configuration, .inference)
        let made = try network.makeGraph(batch: batch, mode: .inference) { try maker.images(&$0) }
        graph = made.graph
        logits = made.logits
        layers = made.entries.compactMap { entry in entry.output.map { (entry.row.name, $0) } }
        graph.results = [logits]
    }

    /// Has a layer's output read, too.
    mutating func keepFeatures(of layer: String) throws {
        let value = try output(of: layer, option: "--features")
        features = value
        if !graph.results.contains(value) { graph.results.append(value) }
    }

    private func output(of layer: String, option: String) throws -> ValueID {
        if let found = layers.last(where: { $0.name == layer }) { return found.value }
        throw ResinError(
            .usage, "\(option) is '\(layer)', but the network has no such layer; its layers are:",
            lines: layers.map { "\n  \($0.name)" }.joined())
    }
}

/// A network's outputs, and how one of them depends on a layer's: what Grad-CAM is made of.
struct HeatmapGraph {
    let graph: Graph
    /// The layer's dotted name.
    let layer: String
    /// `[1, height, width, channels]`: the layer's output, and the gradient of an output with respect to it.
    let maps: ValueID
    let gradients: ValueID

    /// - Parameter named: nil for the last feature map before the global pooling.
    init(
        _ network: Network, _ configuration: TrainingConfiguration, size: PixelSize, layer named: String?
    ) throws {
        let prediction = try PredictionGraph(network, configuration, size: size, batch: 1)
        var graph = prediction.graph
        (layer, maps) = try prediction.mapLayer(named)
        let seed = graph.addRegion(.outputGradients, graph[prediction.logits].type)
        guard
            let gradients = try graph.gradient(of: prediction.logits, seed: seed, withRespectTo: maps)
        else {
            throw ResinError(
                .usage, "--heatmap-layer is '\(layer)', but the network's outputs do not depend on it")
        }
        self.gradients = gradients
        graph.results = [prediction.logits, maps, gradients]
        self.graph = graph
    }
}

extension PredictionGraph {
    fileprivate func mapLayer(_ named: String?) throws -> (String, ValueID) {
        func isMap(_ value: ValueID) -> Bool {
            let shape = graph.shape(of: value)
            return shape.rank == 4 && shape.height * shape.width > 1
        }
        if let named {
            let value = try output(of: named, option: "--heatmap-layer")
            guard isMap(value) else {
                throw ResinError(
                    .usage,
                    "--heatmap-layer is '\(named)', whose output is \(graph.shape(of: value)): a heat map needs a "
                        + "layer that gives images of more than a pixel, such as \(try mapLayer(nil).0)")
            }
            return (named, value)
        }
        let pooled = graph.nodes.last { $0.op == .globalAveragePool }?.inputs[0]
        let value = pooled.flatMap { isMap($0) ? $0 : nil } ?? layers.last { isMap($0.value) }?.value
        guard let value else {
            throw ResinError(.usage, "a heat map needs a layer that gives images, and this network has none")
        }
        // A block before its layers: the name of the innermost says most.
        return (layers.last { $0.value == value }?.name ?? "the last feature map", value)
    }
}
