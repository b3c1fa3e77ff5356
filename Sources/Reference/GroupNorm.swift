import ResinGraph
import ResinTensor

extension Op.GroupNorm: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let scale = invocation.inputs[1].floats
        let shift = invocation.inputs[2].floats
        let y = invocation.outputs[0].floats
        let means = invocation.outputs[1].floats
        let inverses = invocation.outputs[2].floats
        let size = shape.channels / groups

        concurrently(shape.images * groups) { index in
            let (n, group) = index.quotientAndRemainder(dividingBy: groups)
            let own = Group(shape, image: n, channels: group * size..<(group + 1) * size)
            var mean = 0.0
            own.forEachValue { _, index in mean += Double(x[index]) / own.count }
            var variance = 0.0
            own.forEachValue { _, index in
                variance += (Double(x[index]) - mean) * (Double(x[index]) - mean) / own.count
            }
            let inverse = 1 / (variance + Double(epsilon)).squareRoot()
            own.forEachValue { c, index in
                let normal = (Double(x[index]) - mean) * inverse
                y[index] = Float(Double(scale[c]) * normal + Double(shift[c]))
            }
            for c in own.channels {
                means[n * shape.channels + c] = Float(mean)
                inverses[n * shape.channels + c] = Float(inverse)
            }
        }
    }
}

extension Op.GroupNormGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let x = invocation.inputs[1].floats
        let scale = invocation.inputs[2].floats
        let means = invocation.inputs[3].floats
        let inverses = invocation.inputs[4].floats
        let dx = invocation.outputs[0].floats
        let size = shape.channels / groups

        func normal(_ image: Int, _ c: Int, _ index: Int) -> Double {
            let statistic = image * shape.channels + c
            return (Double(x[index]) - Double(means[statistic])) * Double(inverses[statistic])
        }
        concurrently(shape.images * groups) { index in
            let (n, group) = index.quotientAndRemainder(dividingBy: groups)
            let own = Group(shape, image: n, channels: group * size..<(group + 1) * size)
            var sum = 0.0
            var products = 0.0
            own.forEachValue { c, index in
                let gradient = Double(dy[index]) * Double(scale[c])
                sum += gradient
                products += gradient * normal(n, c, index)
            }
            let inverse = Double(inverses[n * shape.channels + own.channels.lowerBound])
            own.forEachValue { c, index in
                let gradient = Double(dy[index]) * Double(scale[c])
                let rest = gradient - sum / own.count - normal(n, c, index) * products / own.count
                dx[index] = Float(inverse * rest)
            }
        }
        withAccumulators(2 * shape.channels) { sums in
            for n in 0..<shape.images {
                Group(shape, image: n, channels: 0..<shape.channels).forEachValue { c, index in
                    sums[c] += Double(dy[index]) * normal(n, c, index)
                    sums[shape.channels + c] += Double(dy[index])
                }
            }
            for c in 0..<shape.channels {
                invocation.outputs[1].floats[c] = Float(sums[c])
                invocation.outputs[2].floats[c] = Float(sums[shape.channels + c])
            }
        }
    }
}

/// Some channels of an image.
private struct Group {
    let shape: Shape
    let image: Int
    let channels: Range<Int>

    init(_ shape: Shape, image: Int, channels: Range<Int>) {
        self.shape = shape
        self.image = image
        self.channels = channels
    }

    private var pixels: Int { shape.height * shape.width }
    /// Of values.
    var count: Double { Double(pixels * channels.count) }

    @inline(__always)
    func forEachValue(_ body: (_ channel: Int, _ index: Int) -> Void) {
        for pixel in image * pixels..<(image + 1) * pixels {
            for c in channels { body(c, pixel * shape.channels + c) }
        }
    }
}
