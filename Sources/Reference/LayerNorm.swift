import ResinGraph
import ResinTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Op.Softmax: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        concurrently(shape.pixels) { pixel in
            let own = pixel * shape.channels..<(pixel + 1) * shape.channels
            let largest = own.reduce(-Double.infinity) { max($0, Double(x[$1])) }
            let sum = own.reduce(0) { $0 + exp(Double(x[$1]) - largest) }
            for index in own { y[index] = Float(exp(Double(x[index]) - largest) / sum) }
        }
    }
}

extension Op.SoftmaxGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let y = invocation.inputs[1].floats
        let dx = invocation.outputs[0].floats
        concurrently(shape.pixels) { pixel in
            let own = pixel * shape.channels..<(pixel + 1) * shape.channels
            let sum = own.reduce(0) { $0 + Double(dy[$1]) * Double(y[$1]) }
            for index in own { dx[index] = Float(Double(y[index]) * (Double(dy[index]) - sum)) }
        }
    }
}

extension Op.LayerNorm: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let scale = invocation.inputs[1].floats
        let shift = invocation.inputs[2].floats
        let y = invocation.outputs[0].floats
        let means = invocation.outputs[1].floats
        let inverses = invocation.outputs[2].floats
        let channels = shape.channels

        concurrently(shape.pixels) { pixel in
            let own = pixel * channels..<(pixel + 1) * channels
            let mean = own.reduce(0) { $0 + Double(x[$1]) } / Double(channels)
            let squares = own.reduce(0) { $0 + (Double(x[$1]) - mean) * (Double(x[$1]) - mean) }
            let inverse = 1 / (squares / Double(channels) + Double(epsilon)).squareRoot()
            for c in 0..<channels {
                let normal = (Double(x[own.lowerBound + c]) - mean) * inverse
                y[own.lowerBound + c] = Float(Double(scale[c]) * normal + Double(shift[c]))
            }
            means[pixel] = Float(mean)
            inverses[pixel] = Float(inverse)
        }
    }
}

extension Op.LayerNormGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let x = invocation.inputs[1].floats
        let scale = invocation.inputs[2].floats
        let means = invocation.inputs[3].floats
        let inverses = invocation.inputs[4].floats
        let dx = invocation.outputs[0].floats
        let channels = shape.channels

        concurrently(shape.pixels) { pixel in
            let first = pixel * channels
            func normal(_ c: Int) -> Double {
                (Double(x[first + c]) - Double(means[pixel])) * Double(inverses[pixel])
            }
            func gradient(_ c: Int) -> Double { Double(dy[first + c]) * Double(scale[c]) }
            var sum = 0.0
            var products = 0.0
            for c in 0..<channels {
                sum += gradient(c)
                products += gradient(c) * normal(c)
            }
            for c in 0..<channels {
                let rest = gradient(c) - sum / Double(channels) - normal(c) * products / Double(channels)
                dx[first + c] = Float(Double(inverses[pixel]) * rest)
            }
        }
    }
}

extension Op.NormParameterSums: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let x = invocation.inputs[1].floats
        let means = invocation.inputs[2].floats
        let inverses = invocation.inputs[3].floats
        let channels = shape.channels
        withAccumulators(2 * channels) { sums in
            for pixel in 0..<shape.pixels {
                for c in 0..<channels {
                    let index = pixel * channels + c
                    let normal = (Double(x[index]) - Double(means[pixel])) * Double(inverses[pixel])
                    sums[c] += Double(dy[index]) * normal
                    sums[channels + c] += Double(dy[index])
                }
            }
            for c in 0..<channels {
                invocation.outputs[0].floats[c] = Float(sums[c])
                invocation.outputs[1].floats[c] = Float(sums[channels + c])
            }
        }
    }
}
