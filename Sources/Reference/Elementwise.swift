import ResinGraph
import ResinTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Op.ReLU {
    static func execute(_ invocation: Invocation) {
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        concurrently(x.count, inRangesOf: elementwiseRange) { range in
            for index in range { y[index] = rectified(x[index]) }
        }
    }
}

extension Op.ReLUGradient {
    static func execute(_ invocation: Invocation) {
        let dy = invocation.inputs[0].floats
        let y = invocation.inputs[1].floats
        let dx = invocation.outputs[0].floats
        concurrently(dy.count, inRangesOf: elementwiseRange) { range in
            for index in range { dx[index] = y[index] > 0 ? dy[index] : 0 }
        }
    }
}

extension Op.Sigmoid {
    static func execute(_ invocation: Invocation) {
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        concurrently(x.count, inRangesOf: elementwiseRange) { range in
            for index in range { y[index] = Float(1 / (1 + exp(-Double(x[index])))) }
        }
    }
}

extension Op.SigmoidGradient {
    static func execute(_ invocation: Invocation) {
        let dy = invocation.inputs[0].floats
        let y = invocation.inputs[1].floats
        let dx = invocation.outputs[0].floats
        concurrently(dy.count, inRangesOf: elementwiseRange) { range in
            for index in range {
                let y = Double(y[index])
                dx[index] = Float(Double(dy[index]) * y * (1 - y))
            }
        }
    }
}

extension Op.Scale {
    func execute(_ invocation: Invocation) {
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        concurrently(x.count, inRangesOf: elementwiseRange) { range in
            for index in range { y[index] = factor * x[index] }
        }
    }
}

extension Op.Add {
    func execute(_ invocation: Invocation) {
        let a = invocation.inputs[0].floats
        let b = invocation.inputs[1].floats
        let mask = epilogue.mask(of: invocation.inputs)
        let y = invocation.outputs[0].floats
        concurrently(a.count, inRangesOf: elementwiseRange) { range in
            for index in range { y[index] = epilogue(Double(a[index]) + Double(b[index]), mask, index) }
        }
    }
}

extension Op.Dropout {
    /// Elements 4·k … 4·k + 3, counted over the whole tensor in NHWC order, draw the four words of counter
    /// (k, step, node, 0).
    func execute(_ invocation: Invocation) {
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        let philox = Philox(seed: invocation.uniforms.seed, stream: .dropout)
        let step = invocation.uniforms.step
        let scale = 1 / (1 - probability)

        concurrently(x.count, inRangesOf: elementwiseRange) { range in
            for group in stride(from: range.lowerBound, to: range.upperBound, by: 4) {
                let words = philox(Philox.Block(UInt32(group / 4), step, node, 0))
                for index in group..<min(group + 4, range.upperBound) {
                    y[index] = words[index - group] < threshold ? 0 : x[index] * scale
                }
            }
        }
    }
}
