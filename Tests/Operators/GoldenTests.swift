import Foundation
import ResinCases
import Testing

@Suite struct GoldenTests {
    @Test("The reference gives what PyTorch gives in double precision", arguments: OpCase.all)
    func golden(of opCase: OpCase) throws {
        let golden = try #require(Golden.all[opCase.name], "no golden; see Tests/Operators/README.md")
        try #require(golden.case == opCase.fingerprint, "its golden is stale; see Tests/Operators/README.md")
        #expect(golden.outputs.map { $0.shape } == opCase.outputs.map { $0.shape.extents })

        let outputs = try ReferenceResults.outputs(of: opCase)
        for (output, exact) in zip(outputs, golden.outputs) {
            let tolerance = Double(opCase.tolerance) * exact.largest
            for (index, sample) in exact.samples.enumerated() {
                let value = Double(output[exact.place(ofSample: index)])
                #expect(abs(value - sample) <= tolerance, "\(value) instead of \(sample)")
            }
            // Elements that were not sampled: independent errors add up by their squares, and a constant that
            // is rounded to float32, such as ImageInput's 1 / 255, moves all elements alike by up to 2⁻²³.
            let count = Double(output.count)
            let values = output.map(Double.init)
            let sum = values.reduce(0, +)
            let squares = values.reduce(0) { $0 + $1 * $1 }
            let sumError = tolerance * count.squareRoot() + 0x1p-23 * (count * exact.squares).squareRoot()
            let squaresError = 2 * tolerance * exact.squares.squareRoot() + 0x1p-22 * exact.squares
            #expect(abs(sum - exact.sum) <= sumError)
            #expect(abs(squares - exact.squares) <= squaresError)
        }
    }
}

@Suite struct CaseListTests {
    @Test("Every golden is of a case that there is")
    func goldens() {
        let names = Set(OpCase.all.map(\.name))
        #expect(Golden.all.keys.filter { !names.contains($0) } == [])
    }

    @Test(
        "The cases are written for make_goldens.py",
        .enabled(if: ProcessInfo.processInfo.environment["RESIN_WRITE_CASES"] != nil))
    func writeCases() throws {
        let path = try #require(ProcessInfo.processInfo.environment["RESIN_WRITE_CASES"])
        try OpCase.all.map { $0.json + "\n" }.joined().write(toFile: path, atomically: true, encoding: .utf8)
    }
}
