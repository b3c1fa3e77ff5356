import ResinOpCases
import Testing

/// Expects each output within the case's tolerance of the exact one: the error is relative to the largest
/// absolute value, since rounding errors of a sum follow its terms, not its result.
func expectClose(
    _ outputs: [[Float]], _ exact: [[Float]], of opCase: OpCase,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(outputs.map(\.count) == exact.map(\.count), sourceLocation: sourceLocation)
    for (number, (output, exact)) in zip(outputs, exact).enumerated() {
        let largest = exact.reduce(0) { max($0, abs($1)) }
        let worst = zip(output, exact).enumerated().map { ($0, error($1.0, $1.1)) }.max { $0.1 < $1.1 }
        guard let (index, error) = worst, error > opCase.tolerance * largest else { continue }
        Issue.record(
            """
            \(opCase): element \(index) of output \(number) is \(output[index]) instead of \(exact[index]), \
            off by \(error / largest) of the largest
            """, sourceLocation: sourceLocation)
    }
}

/// Infinite where only one of them is not a number.
private func error(_ value: Float, _ exact: Float) -> Float {
    let error = abs(value - exact)
    return value == exact || value.isNaN && exact.isNaN ? 0 : error.isNaN ? .infinity : error
}
