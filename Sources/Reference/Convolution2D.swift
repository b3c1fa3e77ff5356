import ResinGraph
import ResinTensor

extension Op.Convolution2D: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        let result = invocation.outputs[0].shape
        let x = invocation.inputs[0].floats
        let w = invocation.inputs[1].floats
        let bias = hasBias ? invocation.inputs[2].floats : nil
        let operands = epilogue.operands(of: invocation.inputs)
        let y = invocation.outputs[0].floats
        let inputs = image.channels
        let outputs = outputChannels
        let norm = foldedNormEpsilon.map { epsilon in
            InferenceNorm(invocation.inputs[foldedNormInputs], epsilon: epsilon)
        }

        concurrently(result.images * result.height) { row in
            let (n, i) = row.quotientAndRemainder(dividingBy: result.height)
            withAccumulators(outputs) { sums in
                for j in 0..<result.width {
                    for o in 0..<outputs { sums[o] = bias.map { Double($0[o]) } ?? 0 }
                    for kh in 0..<window.kernel.height {
                        let top = i * window.stride.height + kh * window.dilation.height - window.padding.top
                        guard top >= 0 && top < image.height else { continue }
                        for kw in 0..<window.kernel.width {
                            let left =
                                j * window.stride.width + kw * window.dilation.width - window.padding.left
                            guard left >= 0 && left < image.width else { continue }
                            let pixel = ((n * image.height + top) * image.width + left) * inputs
                            let filter = (kh * window.kernel.width + kw) * inputs * outputs
                            for c in 0..<inputs {
                                accumulate(
                                    x[pixel + c], w.baseAddress! + (filter + c * outputs),
                                    into: sums.baseAddress!, count: outputs)
                            }
                        }
                    }
                    let start = (row * result.width + j) * outputs
                    for o in 0..<outputs {
                        y[start + o] = epilogue(norm?(sums[o], channel: o) ?? sums[o], operands, start + o)
                    }
                }
            }
        }
    }
}

extension Op.Convolution2DInputGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let gradient = invocation.inputs[0].shape
        let image = inputShape
        let dy = invocation.inputs[0].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let dx = invocation.outputs[0].floats
        let inputs = image.channels
        let outputs = gradient.channels
        // [kh, kw, o, c], so that the innermost loop runs over neighbours.
        let transposed = Self.transposed(invocation.inputs[1].floats, inputs: inputs, outputs: outputs)
        defer { transposed.deallocate() }

        concurrently(image.images * image.height) { row in
            let (n, top) = row.quotientAndRemainder(dividingBy: image.height)
            withAccumulators(inputs) { sums in
                for left in 0..<image.width {
                    sums.update(repeating: 0)
                    for kh in 0..<window.kernel.height {
                        let (i, offRow) = (top + window.padding.top - kh * window.dilation.height)
                            .quotientAndRemainder(dividingBy: window.stride.height)
                        guard offRow == 0 && i >= 0 && i < gradient.height else { continue }
                        for kw in 0..<window.kernel.width {
                            let (j, offColumn) = (left + window.padding.left - kw * window.dilation.width)
                                .quotientAndRemainder(dividingBy: window.stride.width)
                            guard offColumn == 0 && j >= 0 && j < gradient.width else { continue }
                            let pixel = ((n * gradient.height + i) * gradient.width + j) * outputs
                            let filter = (kh * window.kernel.width + kw) * inputs * outputs
                            for o in 0..<outputs {
                                accumulate(
                                    dy[pixel + o], transposed.baseAddress! + (filter + o * inputs),
                                    into: sums.baseAddress!, count: inputs)
                            }
                        }
                    }
                    let start = (row * image.width + left) * inputs
                    for c in 0..<inputs { dx[start + c] = epilogue(sums[c], operands, start + c) }
                }
            }
        }
    }

    /// `[places, inputs, outputs]` → `[places, outputs, inputs]`; the caller deallocates it.
    private static func transposed(
        _ filter: UnsafeMutableBufferPointer<Float>, inputs: Int, outputs: Int
    ) -> UnsafeMutableBufferPointer<Float> {
        let result = UnsafeMutableBufferPointer<Float>.allocate(capacity: filter.count)
        concurrently(filter.count / (inputs * outputs)) { place in
            let start = place * inputs * outputs
            for c in 0..<inputs {
                for o in 0..<outputs {
                    result.initializeElement(
                        at: start + o * inputs + c, to: filter[start + c * outputs + o])
                }
            }
        }
        return result
    }
}

extension Op.Convolution2DFilterGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        let gradient = invocation.inputs[1].shape
        let x = invocation.inputs[0].floats
        let dy = invocation.inputs[1].floats
        let dw = invocation.outputs[0].floats
        let inputs = image.channels
        let outputs = gradient.channels

        // A few input channels at a time: dy is then read that much less often.
        let blockSize = 8
        let blocks = (inputs + blockSize - 1) / blockSize
        concurrently(window.kernel.area * blocks) { index in
            let (place, block) = index.quotientAndRemainder(dividingBy: blocks)
            let (kh, kw) = place.quotientAndRemainder(dividingBy: window.kernel.width)
            let channels = block * blockSize..<min(block * blockSize + blockSize, inputs)
            withAccumulators(channels.count * outputs) { sums in
                for n in 0..<image.images {
                    for i in 0..<gradient.height {
                        let top = i * window.stride.height + kh * window.dilation.height - window.padding.top
                        guard top >= 0 && top < image.height else { continue }
                        for j in 0..<gradient.width {
                            let left =
                                j * window.stride.width + kw * window.dilation.width - window.padding.left
                            guard left >= 0 && left < image.width else { continue }
                            let pixel = ((n * image.height + top) * image.width + left) * inputs
                            let result = ((n * gradient.height + i) * gradient.width + j) * outputs
                            for c in channels {
                                accumulate(
                                    x[pixel + c], dy.baseAddress! + result,
                                    into: sums.baseAddress! + (c - channels.lowerBound) * outputs,
                                    count: outputs)
                            }
                        }
                    }
                }
                let start = (place * inputs + channels.lowerBound) * outputs
                for offset in sums.indices { dw[start + offset] = Float(sums[offset]) }
            }
        }

        guard hasBias else { return }
        let db = invocation.outputs[1].floats
        withAccumulators(outputs) { sums in
            for pixel in 0..<gradient.pixels {
                for o in 0..<outputs { sums[o] += Double(dy[pixel * outputs + o]) }
            }
            for o in 0..<outputs { db[o] = Float(sums[o]) }
        }
    }
}
