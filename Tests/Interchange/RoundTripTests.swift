import Foundation
import ResinGraph
import ResinInterchange
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

/// A network with weights that differ from each other.
private struct Model {
    var network: Network
    var weights: NetworkWeights
    var configuration: TrainingConfiguration

    init(_ network: Network) throws {
        self.network = network
        var state: UInt32 = 1
        func values(_ count: Int, above least: Float) -> [Float] {
            (0..<count).map { _ in
                state = state &* 1_664_525 &+ 1_013_904_223
                return least + Float(state >> 8) / Float(1 << 24)
            }
        }
        let graph = try network.makeGraph().graph
        let entries =
            graph.parameters.map {
                Safetensors.Entry(
                    $0.name, shape: $0.layout.externalShape, values: values($0.layout.count, above: -0.5))
            }
            + graph.statistics.map {
                Safetensors.Entry($0.name, shape: [$0.count], values: values($0.count, above: 0.5))
            }
        weights = try NetworkWeights(Safetensors(entries), from: "weights", for: network)
        configuration = TrainingConfiguration(
            network: network, data: "", classNames: (0..<network.classCount).map { "class \($0)" },
            mean: [Float](repeating: 0.5, count: network.input.channels),
            standardDeviation: [Float](repeating: 0.25, count: network.input.channels), epochs: 1, batch: 1,
            optimizer: .sgd(learningRate: 0.1))
    }

    /// Written and read again.
    func imported(opset: Int = 17, foldsNorms: Bool = false, largestModel: Int? = nil) throws -> ONNXImport {
        try withTemporaryFolder { folder in
            let path = folder + "/model.onnx"
            let export = try ONNXExport(
                of: network, weights: weights, configuration, opset: opset, foldsNorms: foldsNorms)
            if let largestModel {
                try export.write(to: path, largestModel: largestModel)
            } else {
                try export.write(to: path)
            }
            return try ONNXImport(contentsOf: path)
        }
    }
}

func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = NSTemporaryDirectory() + "resin-onnx-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
}

/// What is written is read as the same graph, which runs by the same kernels to the same bits.
@Suite struct RoundTripTests {
    /// One of each family, at a size that keeps all its layers; those with many weights are much like others.
    private static let families = [
        ("lenet", "1x28x28"), ("residual-mnist", "1x28x28"), ("inception-mnist", "1x28x28"),
        ("nin", "3x67x67"),
        ("squeezenet1_1", "3x64x64"), ("resnet18", "3x64x64"), ("googlenet", "3x64x64"),
        ("densenet", "1x64x64"),
        ("densenet121", "3x64x64"), ("mobilenet_v2", "3x64x64"), ("shufflenet_v2_x1_0", "3x64x64"),
        ("mnasnet1_0", "3x64x64"), ("mobilenet_v3_small", "3x64x64"), ("efficientnet_lite0", "3x64x64"),
        ("efficientnet_b0", "3x64x64"), ("regnet_y_400mf", "3x64x64"), ("regnet_x_400mf", "3x64x64"),
    ]

    @Test("A network is the same graph with the same weights", arguments: families)
    func networks(_ name: String, input: String) throws {
        let model = try Model(Network.named(name, input: ImageShape(parsing: input), classes: 7))
        try expectSame(try model.imported(), model)
    }

    /// ConvNeXt's layer norms are an operator from opset 17 on, and its GELU from 20 on.
    @Test("So it is in every opset", arguments: ONNXExport.opsets)
    func opsets(_ opset: Int) throws {
        let model = try Model(
            Network("all", input: ImageShape(channels: 3, side: 16), classes: 5) { Self.layers(opset) })
        try expectSame(try model.imported(opset: opset), model)
    }

    /// Every layer that ONNX has a form for and that no network above has.
    @LayerBuilder private static func layers(_ opset: Int) -> [any Layer] {
        Convolution2D(
            16,
            window: Window(
                kernel: Extent(3, 5), stride: Extent(1, 2),
                padding: Padding(top: 0, left: 1, bottom: 2, right: 3),
                dilation: Extent(2, 1)))
        LeakyReLU(slope: 0.125)
        PReLU()
        PReLU(isShared: true)
        Convolution2D(16, kernel: 3, padding: 1, groups: 4)
        ELU(alpha: 0.5)
        AveragePool2D(
            window: Window(
                kernel: Extent(3), stride: Extent(2), padding: Padding(top: 1, left: 0, bottom: 0, right: 1)),
            countsPadding: false)
        Softplus()
        Tanh()
        LocalResponseNorm(size: 5, alpha: 0.001, beta: 0.5, k: 2)
        GroupNorm(groups: 4)
        Scale(by: 0.75)
        LayerScale()
        Upsample(by: 2)
        Upsample(by: 2, .bilinear(alignsCorners: false))
        HardSigmoid()
        MaxPool2D(
            window: Window(kernel: Extent(3), stride: Extent(2), padding: Padding(), dilation: Extent(2)),
            roundsUp: true)
        GELU()
        if opset >= 17 { LayerNorm() }
        if opset >= 20 { GELU(usesTanh: true) }
        Softmax()
        Flatten()
        Dense(11, bias: false)
        ReLU()
        Dense(5)
    }

    @Test("Weights beside the model are the same")
    func externalData() throws {
        let model = try Model(Network.named("lenet", classes: 10))
        try expectSame(try model.imported(largestModel: 1000), model)
    }

    @Test("A folded batch norm is part of the convolution before it")
    func folding() throws {
        let model = try Model(Network.named("resnet18", input: ImageShape(channels: 3, side: 64), classes: 7))
        let graph = try model.imported(foldsNorms: true).network.makeGraph().graph
        #expect(!graph.nodes.contains { if case .batchNormInference = $0.op { true } else { false } })
        #expect(graph.parameters.count { $0.name.hasSuffix(".bias") } == 21)
    }

    @Test("Classes and preprocessing travel along")
    func metadata() throws {
        let model = try Model(Network.named("lenet", classes: 10))
        let weights = try model.imported().weights
        #expect(try weights.classNames(from: "model") == model.configuration.classNames)
        #expect(try weights.modelDescription(from: "model") == ModelDescription(model.configuration))
    }

    /// - Parameter model: before it was written.
    private func expectSame(_ imported: ONNXImport, _ model: Model) throws {
        let (graph, own) = (try imported.network.makeGraph().graph, try model.network.makeGraph().graph)
        #expect(graph.nodes.map(\.op) == own.nodes.map(\.op))
        #expect(graph.nodes.map(\.inputs) == own.nodes.map(\.inputs))
        #expect(graph.parameters.map(\.layout) == own.parameters.map(\.layout))
        #expect(graph.parameters.map(\.name) == own.parameters.map(\.name))
        let weights = try NetworkWeights(imported.weights, from: "model", for: imported.network)
        for (name, ownName) in zip(
            graph.parameters.map(\.name) + graph.statistics.map(\.name),
            own.parameters.map(\.name) + own.statistics.map(\.name))
        {
            #expect(weights.values(of: name) == model.weights.values(of: ownName), "\(ownName)")
        }
        #expect(imported.notes.isEmpty)
    }
}
