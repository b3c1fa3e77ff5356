import ResinGraph
import ResinTensor

/// Values of an image batch that are normalised together, those of some channels of neighbouring pixels, and where their
/// mean and 1 / √(variance + epsilon) are kept.
private struct Group {
    let pixels: Range<Int>
    let channels: Range<Int>
    let statistics: Range<Int>
    /// From a pixel to the next.
    let stride: Int

    /// All channels of a pixel: layer norm's.
    init(pixel: Int, of shape: Shape) {
        (pixels, channels) = (pixel..<pixel + 1, 0..<shape.channels)
        (statistics, stride) = (pixels, shape.channels)
    }

    /// The group of this number, of so many an image: group norm's, which keeps its statistics for each channel.
    init(_ index: Int, of groups: Int, _ shape: Shape) {
        let (n, group) = index.quotientAndRemainder(dividingBy: groups)
        let (size, area) = (shape.channels / groups, shape.height * shape.width)
        (pixels, channels) = (n * area..<(n + 1) * area, group * size..<(group + 1) * size)
        stride = shape.channels
        statistics = n * stride + channels.lowerBound..<n * stride + channels.upperBound
    }

    /// Of values.
    var count: Double { Double(pixels.count * channels.count) }

    @inline(__always)
    func forEachValue(_ body: (_ channel: Int, _ index: Int) -> Void) {
        for pixel in pixels {
            for c in channels { body(c, pixel * stride + c) }
        }
    }

    /// y, means and inverses from x, scale and shift.
    func normalise(_ invocation: Invocation, epsilon: Float) {
        let (x, y) = (invocation.inputs[0].floats, invocation.outputs[0].floats)
        let (scale, shift) = (invocation.inputs[1].floats, invocation.inputs[2].floats)
        var mean = 0.0
        forEachValue { _, index in mean += Double(x[index]) / count }
        var variance = 0.0
        forEachValue { _, index in
            variance += (Double(x[index]) - mean) * (Double(x[index]) - mean) / count
        }
        let inverse = 1 / (variance + Double(epsilon)).squareRoot()
        forEachValue { c, index in
            let normal = (Double(x[index]) - mean) * inverse
            y[index] = Float(Double(scale[c]) * normal + Double(shift[c]))
        }
        for place in statistics {
            invocation.outputs[1].floats[place] = Float(mean)
            invocation.outputs[2].floats[place] = Float(inverse)
        }
    }

    /// dx from dy, x, scale, means and inverses.
    func makeGradient(_ invocation: Invocation) {
        let (dy, x) = (invocation.inputs[0].floats, invocation.inputs[1].floats)
        let (scale, dx) = (invocation.inputs[2].floats, invocation.outputs[0].floats)
        let mean = Double(invocation.inputs[3].floats[statistics.lowerBound])
        let inverse = Double(invocation.inputs[4].floats[statistics.lowerBound])
        func normal(_ index: Int) -> Double { (Double(x[index]) - mean) * inverse }
        func gradient(_ c: Int, _ index: Int) -> Double { Double(dy[index]) * Double(scale[c]) }
        var (sum, products) = (0.0, 0.0)
        forEachValue { c, index in
            sum += gradient(c, index)
            products += gradient(c, index) * normal(index)
        }
        forEachValue { c, index in
            let rest = gradient(c, index) - sum / count - normal(index) * products / count
            dx[index] = Float(inverse * rest)
        }
    }
}

/// dscale = Σ dy · x̂ and dshift = Σ dy by channel.
///
/// - Parameters:
///   - statistics: means and inverses.
///   - place: where a value's statistics stand.
///   - results: dscale and dshift.
private func addParameterGradients(
    _ invocation: Invocation, statistics: [Operand], place: (_ pixel: Int, _ channel: Int) -> Int,
    to results: [Operand]
) {
    let shape = invocation.inputs[0].shape
    let (dy, x) = (invocation.inputs[0].floats, invocation.inputs[1].floats)
    let (means, inverses) = (statistics[0].floats, statistics[1].floats)
    let channels = shape.channels
    withAccumulators(2 * channels) { sums in
        for pixel in 0..<shape.pixels {
            for c in 0..<channels {
                let (index, statistic) = (pixel * channels + c, place(pixel, c))
                let normal = (Double(x[index]) - Double(means[statistic])) * Double(inverses[statistic])
                sums[c] += Double(dy[index]) * normal
                sums[channels + c] += Double(dy[index])
            }
        }
        for c in 0..<channels {
            results[0].floats[c] = Float(sums[c])
            results[1].floats[c] = Float(sums[channels + c])
        }
    }
}

extension Op.LayerNorm: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        concurrently(shape.pixels) { Group(pixel: $0, of: shape).normalise(invocation, epsilon: epsilon) }
    }
}

extension Op.LayerNormGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        concurrently(shape.pixels) { Group(pixel: $0, of: shape).makeGradient(invocation) }
    }
}

extension Op.NormParameterSums: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        addParameterGradients(
            invocation, statistics: Array(invocation.inputs[2...3]), place: { pixel, _ in pixel },
            to: invocation.outputs)
    }
}

extension Op.GroupNorm: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        concurrently(shape.images * groups) {
            Group($0, of: groups, shape).normalise(invocation, epsilon: epsilon)
        }
    }
}

extension Op.GroupNormGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        concurrently(shape.images * groups) { Group($0, of: groups, shape).makeGradient(invocation) }
        let area = shape.height * shape.width
        addParameterGradients(
            invocation, statistics: Array(invocation.inputs[3...4]),
            place: { pixel, c in pixel / area * shape.channels + c }, to: Array(invocation.outputs[1...2]))
    }
}
