import ResinGraph
import ResinTensor

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How weights start. Batch norm's scales start at one and its shifts at zero, whatever is chosen.
///
/// The values follow from the seed, the parameter's index in the network and its shape alone; they are the
/// same on every device.
public enum Initialiser: String, CaseIterable, Codable, Sendable {
    /// Weights uniform in ±√(6 / (fanIn + fanOut)), biases zero: Glorot and Bengio, "Understanding the
    /// difficulty of training deep feedforward neural networks" (AISTATS 2010), equation 16.
    case xavier
    /// Weights normal with mean 0 and variance 2 / fanIn, biases zero: He et al., "Delving deep into
    /// rectifiers" (ICCV 2015), equation 10.
    case kaiming
    /// PyTorch's own for `Conv2d` and `Linear`: weights and biases uniform in ±1 / √fanIn.
    case `default`

    /// A parameter's first values, in the device's order.
    ///
    /// They are drawn in the order of files, so they do not depend on the device's layout.
    ///
    /// - Parameter index: the parameter's place in `Graph.parameters`.
    public func values(for parameter: Parameter, index: Int, seed: UInt64) -> [Float] {
        let draws = Draws(seed: seed, parameter: index, count: parameter.layout.count)
        switch parameter.role {
        case .scale: return draws.constant(1)
        case .shift: return draws.constant(0)
        case .constant(let value): return draws.constant(value)
        case .bias(let fanIn):
            return self == .default
                ? draws.uniform(bound: (1 / Double(fanIn)).squareRoot()) : draws.constant(0)
        case .filter:
            let (fanIn, fanOut) = parameter.layout.fans
            let external =
                switch self {
                case .xavier: draws.uniform(bound: (6 / Double(fanIn + fanOut)).squareRoot())
                case .kaiming: draws.normal(deviation: (2 / Double(fanIn)).squareRoot())
                case .default: draws.uniform(bound: (1 / Double(fanIn)).squareRoot())
                }
            return parameter.layout.deviceOrder(external)
        }
    }
}

/// One parameter's random numbers: words 4·b ..< 4·b + 4 come from the counter (b, parameter, 0, 0).
private struct Draws {
    let generator: Philox
    let parameter: UInt32
    let count: Int

    init(seed: UInt64, parameter: Int, count: Int) {
        generator = Philox(seed: seed, stream: .initialisation)
        self.parameter = UInt32(parameter)
        self.count = count
    }

    func constant(_ value: Float) -> [Float] { Array(repeating: value, count: count) }

    /// Uniform in −bound ..< bound.
    func uniform(bound: Double) -> [Float] {
        fill { words in
            var result = SIMD4<Double>()
            for lane in 0..<4 { result[lane] = (2 * Double(Philox.unit(words[lane])) - 1) * bound }
            return result
        }
    }

    /// Normal with mean 0, in pairs by Box and Muller's method (Annals of Mathematical Statistics, 1958).
    func normal(deviation: Double) -> [Float] {
        fill { words in
            // In the open interval (0, 1), so that the logarithm is finite.
            let unit = (SIMD4<Double>(words) + 0.5) * 0x1p-32
            var result = SIMD4<Double>()
            for pair in [0, 2] {
                let radius = deviation * (-2 * log(unit[pair])).squareRoot()
                let angle = 2 * Double.pi * unit[pair + 1]
                result[pair] = radius * cos(angle)
                result[pair + 1] = radius * sin(angle)
            }
            return result
        }
    }

    private func fill(_ draw: (Philox.Block) -> SIMD4<Double>) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(count + 3)
        for block in 0..<UInt32((count + 3) / 4) {
            let drawn = SIMD4<Float>(draw(generator(Philox.Block(block, parameter, 0, 0))))
            for lane in 0..<4 { values.append(drawn[lane]) }
        }
        values.removeLast(values.count - count)
        return values
    }
}
