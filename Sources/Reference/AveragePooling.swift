import ResinGraph
import ResinTensor

/// The places of an image that a mean is over, and what their sum is divided by.
private struct Part {
    var rows: Range<Int>
    var columns: Range<Int>
    var divisor: Double

    /// The mean of these places.
    init(_ rows: Range<Int>, _ columns: Range<Int>) {
        (self.rows, self.columns) = (rows, columns)
        divisor = Double(rows.count * columns.count)
    }
}

/// y[n, i, j] = the mean of `part(i, j)` of image n, channel by channel.
private func average(
    _ invocation: Invocation, _ epilogue: Epilogue, to extent: Extent,
    _ part: (_ i: Int, _ j: Int) -> Part
) {
    let image = invocation.inputs[0].shape
    let (x, y) = (invocation.inputs[0].floats, invocation.outputs[0].floats)
    let channels = image.channels

    concurrently(image.images * extent.height) { row in
        let (n, i) = row.quotientAndRemainder(dividingBy: extent.height)
        withAccumulators(channels) { sums in
            for j in 0..<extent.width {
                let places = part(i, j)
                sums.update(repeating: 0)
                for h in places.rows {
                    for w in places.columns {
                        let pixel = ((n * image.height + h) * image.width + w) * channels
                        for c in 0..<channels { sums[c] += Double(x[pixel + c]) }
                    }
                }
                let start = (row * extent.width + j) * channels
                for c in 0..<channels {
                    y[start + c] = epilogue(sums[c] / places.divisor, .init(), start + c)
                }
            }
        }
    }
}

/// Each dy[n, i, j] spread evenly over `part(i, j)` of an image's gradient.
private func spread(
    _ invocation: Invocation, _ epilogue: Epilogue, from extent: Extent,
    _ part: (_ i: Int, _ j: Int) -> Part
) {
    let image = invocation.outputs[0].shape
    let (dy, dx) = (invocation.inputs[0].floats, invocation.outputs[0].floats)
    let operands = epilogue.operands(of: invocation.inputs)
    let channels = image.channels
    let imageCount = image.count / image.images

    concurrently(image.images) { n in
        withAccumulators(imageCount) { sums in
            for i in 0..<extent.height {
                for j in 0..<extent.width {
                    let places = part(i, j)
                    let start = ((n * extent.height + i) * extent.width + j) * channels
                    for h in places.rows {
                        for w in places.columns {
                            let pixel = (h * image.width + w) * channels
                            for c in 0..<channels {
                                sums[pixel + c] += Double(dy[start + c]) / places.divisor
                            }
                        }
                    }
                }
            }
            for index in 0..<imageCount {
                dx[n * imageCount + index] = epilogue(sums[index], operands, n * imageCount + index)
            }
        }
    }
}

extension Op.AveragePool2D: ReferenceOperator {
    fileprivate func part(_ image: Shape, _ i: Int, _ j: Int) -> Part {
        let top = i * window.stride.height - window.padding.top
        let left = j * window.stride.width - window.padding.left
        let (bottom, right) = (top + window.kernel.height, left + window.kernel.width)
        var part = Part(
            (top..<bottom).clamped(to: 0..<image.height), (left..<right).clamped(to: 0..<image.width))
        if countsPadding {
            part.divisor = Double(
                (min(bottom, image.height + window.padding.bottom) - top)
                    * (min(right, image.width + window.padding.right) - left))
        }
        return part
    }

    func execute(_ invocation: Invocation) {
        let (image, result) = (invocation.inputs[0].shape, invocation.outputs[0].shape)
        average(invocation, epilogue, to: Extent(result.height, result.width)) { part(image, $0, $1) }
    }
}

extension Op.AveragePool2DGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let gradient = invocation.inputs[0].shape
        spread(invocation, epilogue, from: Extent(gradient.height, gradient.width)) {
            forward.part(inputShape, $0, $1)
        }
    }
}

extension Part {
    /// Part (i, j) of height × width parts of an image.
    init(_ i: Int, _ j: Int, of extent: Extent, _ image: Shape) {
        func places(_ index: Int, of parts: Int, _ size: Int) -> Range<Int> {
            index * size / parts..<((index + 1) * size + parts - 1) / parts
        }
        self.init(places(i, of: extent.height, image.height), places(j, of: extent.width, image.width))
    }
}

extension Op.AdaptiveAveragePool2D: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        average(invocation, epilogue, to: output) { Part($0, $1, of: output, image) }
    }
}

extension Op.AdaptiveAveragePool2DGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let gradient = invocation.inputs[0].shape
        let extent = Extent(gradient.height, gradient.width)
        spread(invocation, epilogue, from: extent) { Part($0, $1, of: extent, inputShape) }
    }
}

extension Op.GlobalAveragePool: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        average(invocation, epilogue, to: Extent(1)) { Part($0, $1, of: Extent(1), image) }
    }
}

extension Op.GlobalAveragePoolGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.outputs[0].shape
        spread(invocation, epilogue, from: Extent(1)) { Part($0, $1, of: Extent(1), image) }
    }
}
