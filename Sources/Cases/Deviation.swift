import ResinGraph

/// How sums are made, as far as results differ by it.
package enum Arithmetic: Hashable, Sendable {
    /// Products in float32, or of 16 bits in mixed precision, added up in float32.
    case direct
    /// Minimal filtering (Winograd), in float32.
    case winograd
    /// On NVIDIA's, which add up with fewer bits, and round float32's operands to TF32.
    case tensorCores
}

/// What an element may be off by: the sum of both.
package struct Tolerance: Hashable, Sendable {
    /// Of the largest absolute value of the exact output, since rounding errors of a sum follow its terms.
    var ofLargest: Float
    /// Of the element itself.
    var ofElement: Float = 0
}

extension OpCase {
    /// All bounds of errors come from here, but for those of PyTorch's goldens, which are in float64.
    package func tolerance(of arithmetic: Arithmetic, in precision: Precision = .float32) -> Tolerance {
        // A sum that is off in float32 may be rounded to a neighbour.
        let neighbour: Float =
            switch precision {
            case .float32: 0
            case .mixed: 0x1p-7
            case .mixedFloat16: 0x1p-10
            }
        let ofLargest: Float =
            switch arithmetic {
            case .direct: tolerance
            case .winograd: winogradTolerance
            // Operands of 11 significant bits; those of 16 bits are multiplied as they are.
            case .tensorCores: precision == .float32 ? 1e-3 : 1e-4
            }
        return Tolerance(ofLargest: ofLargest, ofElement: Float(roundings) * neighbour)
    }
}

/// How far outputs are from the exact ones.
package struct Deviation: Sendable {
    /// The largest error, relative to the largest absolute value of its exact output; infinite where only one
    /// of two numbers is finite.
    package private(set) var worst = 0.0
    /// The element that is furthest beyond what is allowed, and what its output begins with, in words; nil where none is.
    package private(set) var failure: String?

    package init(of outputs: [[Float]], from exact: [[Float]], allowing tolerance: Tolerance) {
        precondition(outputs.map(\.count) == exact.map(\.count), "outputs of other sizes than the exact ones")
        var furthest = 0.0
        for (number, (output, exacts)) in zip(outputs, exact).enumerated() {
            let largest = Double(
                exacts.reduce(.leastNormalMagnitude) { max($0, $1.isFinite ? abs($1) : 0) })
            for (index, (value, exact)) in zip(output, exacts).enumerated() {
                if value == exact || value.isNaN && exact.isNaN { continue }
                let difference = abs(Double(value) - Double(exact)) / largest
                let error = difference.isFinite ? difference : .infinity
                worst = max(worst, error)
                let allowed =
                    Double(tolerance.ofLargest)
                    + (exact.isFinite ? Double(tolerance.ofElement * abs(exact)) / largest : 0)
                guard error - allowed > furthest else { continue }
                furthest = error - allowed
                failure =
                    "element \(index) of output \(number) is \(value) instead of \(exact), "
                    + "off by \(error) of the largest value, more than \(allowed); it begins with "
                    + "\(Self.beginning(output)) instead of \(Self.beginning(exacts))"
            }
        }
    }

    private static func beginning(_ values: [Float]) -> String {
        values.prefix(8).map(\.description).joined(separator: " ")
    }
}
