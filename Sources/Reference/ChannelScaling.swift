import ResinGraph
import ResinTensor

extension Op.Multiplication: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let a = invocation.inputs[0].floats
        let b = invocation.inputs[1].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let y = invocation.outputs[0].floats
        concurrently(a.count, inRangesOf: elementwiseRange) { range in
            for index in range { y[index] = epilogue(Double(a[index]) * Double(b[index]), operands, index) }
        }
    }
}

extension Op.ChannelScaling: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let factors = invocation.inputs[1].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let y = invocation.outputs[0].floats
        let isOfImages = invocation.inputs[1].shape.rank > 1
        let imageCount = shape.count / shape.images

        concurrently(shape.images) { n in
            for index in n * imageCount..<(n + 1) * imageCount {
                let factor = factors[(isOfImages ? n * shape.channels : 0) + index % shape.channels]
                y[index] = epilogue(Double(x[index]) * Double(factor), operands, index)
            }
        }
    }
}

extension Op.ChannelProductSum: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let x = invocation.inputs[1].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let result = invocation.outputs[0].floats
        let channels = shape.channels
        // Numbers of one sum each.
        let images = self.result.rank > 1 ? shape.images : 1
        let imageCount = shape.count / images

        concurrently(images) { n in
            withAccumulators(channels) { sums in
                for index in n * imageCount..<(n + 1) * imageCount {
                    let factor = takesNegative && x[index] > 0 ? 0 : Double(x[index])
                    sums[index % channels] += Double(dy[index]) * factor
                }
                if isOfAllChannels {
                    result[0] = Float(sums.reduce(0, +))
                    return
                }
                for c in 0..<channels {
                    result[n * channels + c] = epilogue(sums[c], operands, n * channels + c)
                }
            }
        }
    }
}

extension Op.ParametricReLU: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let x = invocation.inputs[0].floats
        let slopes = invocation.inputs[1].floats
        let y = invocation.outputs[0].floats
        concurrently(x.count, inRangesOf: elementwiseRange) { range in
            for index in range {
                y[index] = x[index] > 0 ? x[index] : slopes[index % slopes.count] * x[index]
            }
        }
    }
}

extension Op.ParametricReLUGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let dy = invocation.inputs[0].floats
        let x = invocation.inputs[1].floats
        let slopes = invocation.inputs[2].floats
        let dx = invocation.outputs[0].floats
        concurrently(x.count, inRangesOf: elementwiseRange) { range in
            for index in range {
                dx[index] = x[index] > 0 ? dy[index] : slopes[index % slopes.count] * dy[index]
            }
        }
    }
}

extension Op.StochasticDepth: ReferenceOperator {
    /// Images 4·k … 4·k + 3 draw the four words of counter (k, step, node, shard).
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let y = invocation.outputs[0].floats
        let philox = Philox(seed: invocation.uniforms.seed, stream: .dropout)
        let (step, shard) = (invocation.uniforms.step, invocation.uniforms.shard)
        let scale = 1 / (1 - dropout.probability)
        let imageCount = shape.count / shape.images

        concurrently(shape.images) { n in
            let words = philox(Philox.Block(UInt32(n / 4), step, dropout.node, shard))
            let isKept = words[n % 4] >= dropout.threshold
            for index in n * imageCount..<(n + 1) * imageCount {
                y[index] = epilogue(isKept ? Double(x[index] * scale) : 0, operands, index)
            }
        }
    }
}
