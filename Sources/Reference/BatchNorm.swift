import ResinGraph
import ResinTensor

/// Channels that one call of batch norm's work takes: a cache line of floats.
private let channelRange = 16

extension Op.BatchNorm: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let scale = invocation.inputs[1].floats
        let shift = invocation.inputs[2].floats
        let runningMean = invocation.inputs[3].floats
        let runningVariance = invocation.inputs[4].floats
        let y = invocation.outputs[0].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let batchMean = invocation.outputs[1].floats
        let batchInverseDeviation = invocation.outputs[2].floats
        let channels = shape.channels
        let pixels = shape.pixels
        let n = Double(pixels)
        let momentum = Double(momentum)

        concurrently(channels, inRangesOf: channelRange) { range in
            let first = range.lowerBound
            // A row each: sum and then mean, sum of squared deviations and then 1 / √(variance + epsilon).
            withAccumulators(2 * range.count) { sums in
                let mean = UnsafeMutableBufferPointer(rebasing: sums[..<range.count])
                let deviation = UnsafeMutableBufferPointer(rebasing: sums[range.count...])
                for pixel in 0..<pixels {
                    for c in range { mean[c - first] += Double(x[pixel * channels + c]) }
                }
                for c in range { mean[c - first] /= n }
                for pixel in 0..<pixels {
                    for c in range {
                        let difference = Double(x[pixel * channels + c]) - mean[c - first]
                        deviation[c - first] += difference * difference
                    }
                }
                for c in range {
                    let squares = deviation[c - first]
                    deviation[c - first] = 1 / (squares / n + Double(epsilon)).squareRoot()
                    batchMean[c] = Float(mean[c - first])
                    batchInverseDeviation[c] = Float(deviation[c - first])
                    runningMean[c] = Float(
                        (1 - momentum) * Double(runningMean[c]) + momentum * mean[c - first])
                    runningVariance[c] = Float(
                        (1 - momentum) * Double(runningVariance[c]) + momentum * squares / (n - 1))
                }
                for pixel in 0..<pixels {
                    for c in range {
                        let index = pixel * channels + c
                        let normal = (Double(x[index]) - mean[c - first]) * deviation[c - first]
                        y[index] = epilogue(Double(scale[c]) * normal + Double(shift[c]), operands, index)
                    }
                }
            }
        }
    }
}

/// Batch norm with running statistics, channel by channel.
struct InferenceNorm {
    private let scale, shift, mean: UnsafeMutableBufferPointer<Float>
    private let inverseDeviation: [Double]

    /// - Parameter inputs: scale, shift, mean, variance.
    init(_ inputs: ArraySlice<Operand>, epsilon: Float) {
        let inputs = inputs.map(\.floats)
        (scale, shift, mean) = (inputs[0], inputs[1], inputs[2])
        inverseDeviation = inputs[3].map { 1 / (Double($0) + Double(epsilon)).squareRoot() }
    }

    func callAsFunction(_ value: Double, channel: Int) -> Double {
        Double(scale[channel]) * (value - Double(mean[channel])) * inverseDeviation[channel]
            + Double(shift[channel])
    }
}

extension Op.BatchNormInference: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let norm = InferenceNorm(invocation.inputs[1...], epsilon: epsilon)

        concurrently(shape.channels, inRangesOf: channelRange) { range in
            for pixel in 0..<shape.pixels {
                for c in range {
                    let index = pixel * shape.channels + c
                    y[index] = epilogue(norm(Double(x[index]), channel: c), operands, index)
                }
            }
        }
    }
}

extension Op.BatchNormGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let x = invocation.inputs[1].floats
        let scale = invocation.inputs[2].floats
        let mean = invocation.inputs[3].floats
        let inverseDeviation = invocation.inputs[4].floats
        let dx = invocation.outputs[0].floats
        let dscale = invocation.outputs[1].floats
        let dshift = invocation.outputs[2].floats
        let channels = shape.channels
        let n = Double(shape.pixels)

        /// x̂
        func normal(_ index: Int, _ c: Int) -> Double {
            (Double(x[index]) - Double(mean[c])) * Double(inverseDeviation[c])
        }
        concurrently(channels, inRangesOf: channelRange) { range in
            let first = range.lowerBound
            withAccumulators(2 * range.count) { sums in
                let scaleSums = UnsafeMutableBufferPointer(rebasing: sums[..<range.count])
                let shiftSums = UnsafeMutableBufferPointer(rebasing: sums[range.count...])
                for pixel in 0..<shape.pixels {
                    for c in range {
                        let index = pixel * channels + c
                        scaleSums[c - first] += Double(dy[index]) * normal(index, c)
                        shiftSums[c - first] += Double(dy[index])
                    }
                }
                for c in range {
                    dscale[c] = Float(scaleSums[c - first])
                    dshift[c] = Float(shiftSums[c - first])
                }
                for pixel in 0..<shape.pixels {
                    for c in range {
                        let index = pixel * channels + c
                        dx[index] = Float(
                            Double(scale[c]) * Double(inverseDeviation[c])
                                * (Double(dy[index]) - shiftSums[c - first] / n
                                    - normal(index, c) * scaleSums[c - first] / n))
                    }
                }
            }
        }
    }
}
