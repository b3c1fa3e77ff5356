import ResinTensor

extension NetworkSummary {
    /// The rows as text, a block before its layers, which are indented; then the totals and the memory.
    public func table() -> String {
        let layers = rows.map { row in
            [
                String(repeating: "  ", count: row.name.count { $0 == "." }) + "\(row.name) (\(row.type))",
                Self.text(row.input), Self.text(row.output), row.parameters.grouped, row.multiplyAdds.grouped,
            ]
        }
        var totals = [
            ["total", "", "", parameters.grouped, multiplyAdds.grouped],
            // No layer keeps its weights as they are.
            ["trainable parameters", "", "", parameters.grouped, ""],
        ]
        if statistics > 0 { totals.append(["running statistics", "", "", statistics.grouped, ""]) }
        let columns = ["layer (type)", "input shape", "output shape", "parameters", "multiply-adds"]
        let table = TextTable(columns: columns, groups: [layers, totals])
        let title = "\(network), input \(input), \(classes) classes"
        return ([title, ""] + table.lines + memoryLines).joined(separator: "\n")
    }

    private var memoryLines: [String] {
        guard let memory else { return [] }
        let rows = [
            ["input", Self.megabytes(memory.inputBytes)],
            ["parameters", Self.megabytes(memory.parametersBytes)],
            ["training", Self.megabytes(memory.trainingBytes)],
            ["inference", Self.megabytes(memory.inferenceBytes)],
        ]
        return [""] + TextTable(columns: ["memory, batch \(memory.batch)", "MB"], groups: [rows]).lines
    }

    static func text(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: "×") }

    /// Millions of bytes, as torchinfo counts them: "7.97".
    private static func megabytes(_ byteCount: Int) -> String {
        let hundredths = (byteCount + 5_000) / 10_000
        let decimals = hundredths % 100
        return "\((hundredths / 100).grouped).\(decimals < 10 ? "0" : "")\(decimals)"
    }
}
