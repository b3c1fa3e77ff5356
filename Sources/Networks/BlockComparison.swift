import ResinGraph
import ResinTensor

/// A block beside plain convolutions of the same input and output: what it saves, for one image.
public struct BlockComparison: Codable, Hashable, Sendable {
    /// The first of its kind in the network.
    public var block: NetworkSummary.Row
    /// A 3×3 and a 5×5 convolution with biases, as far as one has the block's output.
    public var plain: [NetworkSummary.Row]

    private static let kernels = [3, 5]

    init(_ block: NetworkSummary.Row) throws {
        self.block = block
        plain = try Self.kernels.compactMap { try Self.convolution($0, like: block) }
    }

    /// The row of a convolution between the block's input and output; nil where no stride and padding give it.
    private static func convolution(_ kernel: Int, like block: NetworkSummary.Row) throws -> NetworkSummary
        .Row?
    {
        let (input, output) = (block.input, block.output)
        let images = Shape(images: 1, height: input[1], width: input[2], channels: input[0])
        for stride in 1...max(input[1] / output[1] + 1, 1) {
            for padding in (0...kernel / 2).reversed() {
                let window = Window(kernel: kernel, stride: stride, padding: padding)
                guard (try? window.output(for: images)) == Extent(output[1], output[2]) else { continue }
                var graph = Graph()
                let value = graph.addRegion(.images(.test), TensorType(images))
                var scope = NetworkScope(graph: graph, mode: .inference)
                _ = try scope.apply(
                    Convolution2D(output[0], window: window), to: value, name: "\(window.kernel)")
                return scope.entries[0].row
            }
        }
        return nil
    }
}

extension NetworkSummary {
    /// The network's different blocks: those that have a name of their own, such as `Residual`, or, where there are
    /// none, the innermost sequences of layers.
    public func blockComparisons() throws -> [BlockComparison] {
        let images = blocks.filter { $0.input.count == 3 && $0.output.count == 3 && $0.multiplyAdds > 0 }
        let named = images.filter { $0.type != "Sequential" }
        let candidates =
            named.isEmpty
            ? images.filter { row in !images.contains { $0.name.hasPrefix(row.name + ".") } }
            : named.filter { row in !named.contains { row.name.hasPrefix($0.name + ".") } }
        var seen = Set<Row>()
        return try candidates.filter { row in
            var kind = row
            kind.name = ""
            return seen.insert(kind).inserted
        }.map { try BlockComparison($0) }
    }

    /// The blocks as text, each with its plain convolutions and how many times its multiply-adds they take.
    public static func table(of comparisons: [BlockComparison]) -> String {
        let columns = ["block", "input shape", "output shape", "parameters", "multiply-adds", "times"]
        let groups = comparisons.map { comparison -> [[String]] in
            let block = comparison.block
            func cells(_ row: Row, _ name: String) -> [String] {
                let hundredths = (100 * row.multiplyAdds + block.multiplyAdds / 2) / block.multiplyAdds
                let decimals = hundredths % 100
                return [
                    name, text(row.input), text(row.output), row.parameters.grouped,
                    row.multiplyAdds.grouped, "\(hundredths / 100).\(decimals < 10 ? "0" : "")\(decimals)",
                ]
            }
            let plain = comparison.plain.map { cells($0, "  plain \($0.name) convolution") }
            let none = [["  no 3×3 or 5×5 convolution gives this output", "", "", "", "", ""]]
            return [cells(block, "\(block.name) (\(block.type))")] + (plain.isEmpty ? none : plain)
        }
        return TextTable(columns: columns, groups: groups).lines.joined(separator: "\n")
    }
}
