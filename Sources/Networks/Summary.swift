import ResinGraph
import ResinTensor

/// What a network costs, layer by layer, for one image. Encoded as JSON, this is what
/// `resin summary --json` prints.
public struct NetworkSummary: Codable, Hashable, Sendable {
    /// One layer or block.
    public struct Row: Codable, Hashable, Sendable {
        /// Dotted, as the layer's weights are called in files: `0.2`.
        public var name: String
        /// The Swift type: `Convolution2D`.
        public var type: String
        /// Channels × height × width, or features alone.
        public var input: [Int] = []
        public var output: [Int] = []
        /// Number of trained weights.
        public var parameters = 0
        /// Of convolutions and dense layers; the rest does not count, as is usual in the field.
        public var multiplyAdds = 0

        public enum CodingKeys: String, CodingKey {
            case name, type, input, output, parameters
            case multiplyAdds = "multiply_adds"
        }
    }

    /// Device memory; the caller asks a planner for it.
    public struct Memory: Codable, Hashable, Sendable {
        /// Number of images a step, which all but the parameters' bytes depend on.
        public var batch: Int
        /// A batch as the first layer reads it, in single precision.
        public var inputBytes: Int
        /// The weights alone.
        public var parametersBytes: Int
        /// Everything a training step holds: weights, gradients, the optimizer's state and activations.
        public var trainingBytes: Int
        /// Weights and activations of prediction.
        public var inferenceBytes: Int

        public init(
            batch: Int, inputBytes: Int, parametersBytes: Int, trainingBytes: Int, inferenceBytes: Int
        ) {
            self.batch = batch
            self.inputBytes = inputBytes
            self.parametersBytes = parametersBytes
            self.trainingBytes = trainingBytes
            self.inferenceBytes = inferenceBytes
        }

        public enum CodingKeys: String, CodingKey {
            case batch
            case inputBytes = "input_bytes"
            case parametersBytes = "parameters_bytes"
            case trainingBytes = "training_bytes"
            case inferenceBytes = "inference_bytes"
        }
    }

    public var network: String
    public var input: ImageShape
    public var classes: Int
    public var parameters: Int
    /// Running means and variances: kept with the weights, but not trained.
    public var statistics: Int
    public var multiplyAdds: Int
    /// The layers that are not made of others, in the order of application.
    public var layers: [Row]
    /// The layers that are made of others, an outer one before an inner one.
    public var blocks: [Row]
    /// nil until the caller has asked a planner.
    public var memory: Memory?
    /// nil until the caller has asked for `blockComparisons`.
    public var comparisons: [BlockComparison]?

    public enum CodingKeys: String, CodingKey {
        case network, input, classes, parameters, statistics, layers, blocks, memory
        case multiplyAdds = "multiply_adds"
        case comparisons = "block_comparison"
    }

    package init(of network: Network, _ graph: NetworkGraph) {
        self.network = network.name
        input = network.input
        classes = network.classCount
        parameters = graph.graph.parameters.reduce(0) { $0 + $1.layout.count }
        statistics = graph.graph.statistics.reduce(0) { $0 + $1.count }
        multiplyAdds = graph.graph.cost.multiplyAdds / graph.graph.shape(of: graph.images).images
        layers = graph.entries.filter { !$0.isBlock }.map(\.row)
        blocks = graph.entries.filter(\.isBlock).map(\.row)
    }

    /// Layers and blocks in the order of application, a block before its layers.
    public var rows: [Row] {
        var rest = blocks[...]
        return layers.flatMap { layer in
            let around = rest.prefix { layer.name.hasPrefix($0.name + ".") }
            rest = rest.dropFirst(around.count)
            return around + [layer]
        }
    }

    /// The network's outermost blocks and layers, whose outputs books tabulate.
    public var outermost: [Row] { rows.filter { !$0.name.contains(".") } }
}
