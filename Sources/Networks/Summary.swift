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
        public var output: [Int] = []
        /// Number of trained weights.
        public var parameters = 0
        /// Of convolutions and dense layers; the rest does not count, as is usual in the field.
        public var multiplyAdds = 0

        public enum CodingKeys: String, CodingKey {
            case name, type, output, parameters
            case multiplyAdds = "multiply_adds"
        }
    }

    /// Device memory; the caller asks a planner for it.
    public struct Memory: Codable, Hashable, Sendable {
        /// The weights alone.
        public var parametersBytes: Int
        /// Everything a training step holds: weights, gradients, the optimizer's state and activations.
        public var trainingBytes: Int
        /// Weights and activations of prediction.
        public var inferenceBytes: Int

        public init(parametersBytes: Int, trainingBytes: Int, inferenceBytes: Int) {
            self.parametersBytes = parametersBytes
            self.trainingBytes = trainingBytes
            self.inferenceBytes = inferenceBytes
        }

        public enum CodingKeys: String, CodingKey {
            case parametersBytes = "parameters_bytes"
            case trainingBytes = "training_bytes"
            case inferenceBytes = "inference_bytes"
        }
    }

    public var network: String
    public var input: ImageShape
    public var classes: Int
    public var parameters: Int
    public var multiplyAdds: Int
    /// The layers that are not made of others, in the order of application.
    public var layers: [Row]
    /// The layers that are made of others, an outer one before an inner one.
    public var blocks: [Row]
    /// nil until the caller has asked a planner.
    public var memory: Memory?

    public enum CodingKeys: String, CodingKey {
        case network, input, classes, parameters, layers, blocks, memory
        case multiplyAdds = "multiply_adds"
    }

    package init(of network: Network, _ graph: NetworkGraph) {
        self.network = network.name
        input = network.input
        classes = network.classCount
        parameters = graph.graph.parameters.reduce(0) { $0 + $1.layout.count }
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

extension NetworkSummary {
    /// The rows as text, a block before its layers, which are indented; then the totals.
    public func table() -> String {
        let header = ["layer", "type", "output", "parameters", "multiply-adds"]
        let cells = rows.map { row in
            [
                String(repeating: "  ", count: row.name.count { $0 == "." }) + row.name,
                row.type,
                row.output.map(String.init).joined(separator: "×"),
                row.parameters.grouped,
                row.multiplyAdds.grouped,
            ]
        }
        let total = [
            "total", "\(classes) classes", "", parameters.grouped, multiplyAdds.grouped,
        ]
        let heading = [header, ["input", "", input.description, "", ""]]
        let widths = header.indices.map { column in
            (heading + cells + [total]).map { $0[column].count }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            let padded = zip(cells, widths).enumerated().map { column, cell in
                let gap = String(repeating: " ", count: cell.1 - cell.0.count)
                return column < 2 ? cell.0 + gap : gap + cell.0
            }
            var line = padded.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
        let rule = String(repeating: "─", count: widths.reduce(2 * (widths.count - 1), +))
        var lines = [line(heading[0]), rule, line(heading[1])] + cells.map(line) + [rule, line(total)]
        if let memory {
            lines.append(
                "memory: parameters \(memory.parametersBytes.grouped) bytes, "
                    + "training \(memory.trainingBytes.grouped), inference \(memory.inferenceBytes.grouped)")
        }
        return lines.joined(separator: "\n")
    }
}

extension Int {
    /// With a comma before every third digit from the right: "1,992,166".
    package var grouped: String {
        let digits = String(magnitude)
        var result = self < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return result
    }
}
