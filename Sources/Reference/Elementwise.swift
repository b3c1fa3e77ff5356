import ResinGraph
import ResinTensor

extension Op.ActivationForward: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        concurrently(x.count, inRangesOf: elementwiseRange) { range in
            for index in range { y[index] = Float(activation.value(Double(x[index]))) }
        }
    }
}

extension Op.ActivationGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let dy = invocation.inputs[0].floats
        let operand = invocation.inputs[1].floats
        let dx = invocation.outputs[0].floats
        concurrently(dy.count, inRangesOf: elementwiseRange) { range in
            for index in range {
                dx[index] = Float(activation.gradient(Double(dy[index]), Double(operand[index])))
            }
        }
    }
}

extension Op.Scale: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        concurrently(x.count, inRangesOf: elementwiseRange) { range in
            for index in range { y[index] = factor * x[index] }
        }
    }
}

extension Op.Add: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let a = invocation.inputs[0].floats
        let b = invocation.inputs[1].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let y = invocation.outputs[0].floats
        concurrently(a.count, inRangesOf: elementwiseRange) { range in
            for index in range { y[index] = epilogue(Double(a[index]) + Double(b[index]), operands, index) }
        }
    }
}

extension Op.Dropout: ReferenceOperator {
    /// Elements 4·k … 4·k + 3, counted over the whole tensor in NHWC order, draw the four words of counter
    /// (k, step, node, shard).
    func execute(_ invocation: Invocation) {
        let x = invocation.inputs[0].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let y = invocation.outputs[0].floats
        let philox = Philox(seed: invocation.uniforms.seed, stream: .dropout)
        let (step, shard) = (invocation.uniforms.step, invocation.uniforms.shard)
        let scale = 1 / (1 - probability)

        concurrently(x.count, inRangesOf: elementwiseRange) { range in
            for group in stride(from: range.lowerBound, to: range.upperBound, by: 4) {
                let words = philox(Philox.Block(UInt32(group / 4), step, node, shard))
                for index in group..<min(group + 4, range.upperBound) {
                    let kept = words[index - group] < threshold ? 0 : x[index] * scale
                    y[index] = epilogue(Double(kept), operands, index)
                }
            }
        }
    }
}

extension Op.Flatten: ReferenceOperator {
    func execute(_ invocation: Invocation) { invocation.outputs[0].copyBytes(from: invocation.inputs[0]) }
}

extension Op.Unflatten: ReferenceOperator {
    func execute(_ invocation: Invocation) { invocation.outputs[0].copyBytes(from: invocation.inputs[0]) }
}
