import ResinGraph
import ResinTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Op.LocalResponseNorm: ReferenceOperator {
    /// What is raised to −beta at a pixel's channels.
    fileprivate func divisors(_ x: UnsafeMutableBufferPointer<Float>, _ channels: Range<Int>) -> [Double] {
        channels.map { c in
            let first = max(c - size / 2, channels.lowerBound)
            let last = min(c + (size - 1) / 2, channels.upperBound - 1)
            let squares = (first...last).reduce(0) { $0 + Double(x[$1]) * Double(x[$1]) }
            return Double(k) + Double(alpha) / Double(size) * squares
        }
    }

    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        concurrently(shape.pixels) { pixel in
            let own = pixel * shape.channels..<(pixel + 1) * shape.channels
            for (index, divisor) in zip(own, divisors(x, own)) {
                y[index] = Float(Double(x[index]) * pow(divisor, -Double(beta)))
            }
        }
    }
}

extension Op.LocalResponseNormGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let x = invocation.inputs[1].floats
        let dx = invocation.outputs[0].floats
        let (size, beta) = (forward.size, Double(forward.beta))
        let factor = 2 * Double(forward.alpha) * beta / Double(size)

        concurrently(shape.pixels) { pixel in
            let own = pixel * shape.channels..<(pixel + 1) * shape.channels
            let divisors = forward.divisors(x, own)
            for (j, index) in own.enumerated() {
                let readers = max(j - (size - 1) / 2, 0)...min(j + size / 2, shape.channels - 1)
                let sum = readers.reduce(0.0) { sum, c in
                    let product = Double(dy[own.lowerBound + c]) * Double(x[own.lowerBound + c])
                    return sum + product * pow(divisors[c], -beta - 1)
                }
                dx[index] = Float(
                    Double(dy[index]) * pow(divisors[j], -beta) - factor * Double(x[index]) * sum)
            }
        }
    }
}
