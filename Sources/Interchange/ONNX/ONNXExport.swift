import Foundation
import ResinGraph
import ResinNetworks
import ResinProtobuf
import ResinTensor
import ResinTraining

/// A network with its weights as a model of ONNX (onnx.ai): what other programs run.
///
/// Images are float32 `[N, channels, height, width]`, normalised already; outputs are the logits `[N, classes]`. N is any
/// number. Batch norm stays as it is, or is folded into the convolution before it, as runtimes do when they load a model.
/// The names of classes and how images come to the network are in the file's metadata, as in Resin's own files of weights.
public struct ONNXExport: Sendable {
    public static let opsets = 13...21
    public static let inputName = "images"
    public static let outputName = "logits"

    private let network: NetworkGraph
    private let configuration: TrainingConfiguration
    private let weights: NetworkWeights
    private let opset: Int
    private let foldsNorms: Bool

    /// - Parameters:
    ///   - weights: found for this network.
    ///   - configuration: of the run that they are from.
    ///   - opset: which version of ONNX's operators; one of `opsets`.
    ///   - foldsNorms: whether a batch norm becomes part of the convolution before it.
    /// - Throws: `ResinError(.usage)` for another opset, or layers that do not fit.
    public init(
        of network: Network, weights: NetworkWeights, _ configuration: TrainingConfiguration, opset: Int = 17,
        foldsNorms: Bool = false
    ) throws {
        guard Self.opsets.contains(opset) else {
            throw ResinError(
                .usage,
                "opset \(opset) is not known here; it may be \(Self.opsets.lowerBound) to \(Self.opsets.upperBound)"
            )
        }
        self.network = try network.makeGraph(mode: .inference)
        self.configuration = configuration
        self.weights = weights
        self.opset = opset
        self.foldsNorms = foldsNorms
    }

    /// Protocol buffers end at 2 GiB; what is larger has its weights in a file beside it.
    package static let largestModel = Int(Int32.max) - 1 << 20

    /// Writes the model; weights of more than 2 GB lie in `FILE.data` beside it, where ONNX's programs look for them.
    ///
    /// - Throws: `ResinError`: `.usage` for an operator that only training has, `.cannotWrite`.
    public func write(to path: String) throws { try write(to: path, largestModel: Self.largestModel) }

    package func write(to path: String, largestModel: Int) throws {
        var model = try makeModel()
        let byteCount = model.graph.initializer.reduce(0) { $0 + $1.rawData.count }
        if byteCount > largestModel {
            let name = (path as NSString).lastPathComponent + ".data"
            let folder = (path as NSString).deletingLastPathComponent
            try AtomicFile.write(to: (folder as NSString).appendingPathComponent(name)) { append in
                var offset = 0
                for index in model.graph.initializer.indices {
                    let data = model.graph.initializer[index].rawData
                    try data.withUnsafeBytes { try append($0) }
                    model.graph.initializer[index].refer(
                        to: name, bytes: offset..<offset + data.count)
                    offset += data.count
                }
            }
        }
        let bytes: [UInt8] = try model.serializedBytes()
        try AtomicFile.write(bytes, to: path)
    }

    /// - Throws: `ResinError(.usage)` for an operator that only training has.
    func makeModel() throws -> Onnx_ModelProto {
        var lowering = GraphLowering(network.graph, opset: opset, foldsNorms: foldsNorms) {
            weights.values(of: $0)
        }
        let images = network.graph.shape(of: network.images)
        lowering.builder.addInput(
            Self.inputName, .float,
            [.named("N")] + [images.channels, images.height, images.width].map { .size($0) })
        lowering.names[network.images] = Self.inputName
        for index in network.graph.nodes.indices { try lowering.lower(index) }
        let logits = lowering.builder.add(
            "Identity", [lowering.names[network.logits]!], name: Self.outputName)
        lowering.builder.addOutput(
            logits, .float, [.named("N"), .size(network.graph.shape(of: network.logits).channels)])

        var model = Onnx_ModelProto()
        // The format's version that came with the opset.
        model.irVersion = opset < 15 ? 7 : opset < 19 ? 8 : opset < 21 ? 9 : 10
        model.producerName = "resin"
        var operators = Onnx_OperatorSetIdProto()
        operators.version = Int64(opset)
        model.opsetImport = [operators]
        model.graph = lowering.builder.graph
        model.graph.name = configuration.network
        model.metadataProps = Safetensors.metadata(of: configuration).sorted { $0.key < $1.key }.map {
            var entry = Onnx_StringStringEntryProto()
            (entry.key, entry.value) = $0
            return entry
        }
        return model
    }
}

extension Onnx_TensorProto {
    /// Takes the values from a file beside the model's.
    fileprivate mutating func refer(to name: String, bytes: Range<Int>) {
        clearRawData()
        dataLocation = .external
        externalData = [
            ("location", name), ("offset", "\(bytes.lowerBound)"), ("length", "\(bytes.count)"),
        ].map {
            var entry = Onnx_StringStringEntryProto()
            (entry.key, entry.value) = $0
            return entry
        }
    }
}
