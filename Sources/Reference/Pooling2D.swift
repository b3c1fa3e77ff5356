import ResinGraph
import ResinTensor

extension Window {
    /// The places of the window at output (i, j) that lie on the image, with the pixel of the image (its
    /// index `y · width + x`) under each.
    @inline(__always)
    func forEachPlace(
        ofOutput i: Int, _ j: Int, on image: Shape, _ body: (_ place: Int, _ pixel: Int) -> Void
    ) {
        for kh in 0..<kernel.height {
            let y = i * stride.height + kh * dilation.height - padding.top
            guard y >= 0 && y < image.height else { continue }
            for kw in 0..<kernel.width {
                let x = j * stride.width + kw * dilation.width - padding.left
                guard x >= 0 && x < image.width else { continue }
                body(kh * kernel.width + kw, y * image.width + x)
            }
        }
    }
}

extension Op.MaxPool2D: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        let result = invocation.outputs[0].shape
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        let indices = givesIndices ? invocation.outputs[1].bytes : nil
        let channels = image.channels

        concurrently(result.images * result.height) { row in
            let (n, i) = row.quotientAndRemainder(dividingBy: result.height)
            for j in 0..<result.width {
                let start = (row * result.width + j) * channels
                var isFirst = true
                window.forEachPlace(ofOutput: i, j, on: image) { place, pixel in
                    let pixel = (n * image.height * image.width + pixel) * channels
                    for c in 0..<channels {
                        let value = x[pixel + c]
                        // Not a number wins, as in PyTorch: it must not vanish.
                        guard isFirst || value > y[start + c] || value.isNaN else { continue }
                        y[start + c] = value
                        indices?[start + c] = UInt8(place)
                    }
                    isFirst = false
                }
                for c in 0..<channels { y[start + c] = epilogue(Double(y[start + c]), .init(), start + c) }
            }
        }
    }
}

extension Op.MaxPool2DGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let gradient = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let indices = invocation.inputs[1].bytes
        let operands = epilogue.operands(of: invocation.inputs)
        let dx = invocation.outputs[0].floats
        let channels = inputShape.channels
        let imageCount = inputShape.count / inputShape.images

        concurrently(inputShape.images) { n in
            withAccumulators(imageCount) { sums in
                for i in 0..<gradient.height {
                    for j in 0..<gradient.width {
                        let start = ((n * gradient.height + i) * gradient.width + j) * channels
                        window.forEachPlace(ofOutput: i, j, on: inputShape) { place, pixel in
                            for c in 0..<channels where Int(indices[start + c]) == place {
                                sums[pixel * channels + c] += Double(
                                    epilogue(Double(dy[start + c]), operands, start + c))
                            }
                        }
                    }
                }
                for index in 0..<imageCount { dx[n * imageCount + index] = Float(sums[index]) }
            }
        }
    }
}

extension Op.AveragePool2D: ReferenceOperator {
    /// Number of values that the mean at output (i, j) is over.
    fileprivate func divisor(ofOutput i: Int, _ j: Int, on image: Shape) -> Double {
        if countsPadding {
            let top = i * window.stride.height - window.padding.top
            let left = j * window.stride.width - window.padding.left
            return Double(
                (min(top + window.kernel.height, image.height + window.padding.bottom) - top)
                    * (min(left + window.kernel.width, image.width + window.padding.right) - left))
        }
        var count = 0
        window.forEachPlace(ofOutput: i, j, on: image) { _, _ in count += 1 }
        return Double(count)
    }

    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        let result = invocation.outputs[0].shape
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        let channels = image.channels

        concurrently(result.images * result.height) { row in
            let (n, i) = row.quotientAndRemainder(dividingBy: result.height)
            withAccumulators(channels) { sums in
                for j in 0..<result.width {
                    sums.update(repeating: 0)
                    window.forEachPlace(ofOutput: i, j, on: image) { _, pixel in
                        let pixel = (n * image.height * image.width + pixel) * channels
                        for c in 0..<channels { sums[c] += Double(x[pixel + c]) }
                    }
                    let divisor = divisor(ofOutput: i, j, on: image)
                    let start = (row * result.width + j) * channels
                    for c in 0..<channels { y[start + c] = epilogue(sums[c] / divisor, .init(), start + c) }
                }
            }
        }
    }
}

extension Op.AveragePool2DGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let gradient = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let dx = invocation.outputs[0].floats
        let channels = inputShape.channels
        let imageCount = inputShape.count / inputShape.images

        concurrently(inputShape.images) { n in
            withAccumulators(imageCount) { sums in
                for i in 0..<gradient.height {
                    for j in 0..<gradient.width {
                        let start = ((n * gradient.height + i) * gradient.width + j) * channels
                        let divisor = forward.divisor(ofOutput: i, j, on: inputShape)
                        forward.window.forEachPlace(ofOutput: i, j, on: inputShape) { _, pixel in
                            for c in 0..<channels {
                                sums[pixel * channels + c] += Double(dy[start + c]) / divisor
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
}

/// Part `index` of `parts` of so many places.
private func part(_ index: Int, of parts: Int, _ places: Int) -> Range<Int> {
    index * places / parts..<((index + 1) * places + parts - 1) / parts
}

extension Op.AdaptiveAveragePool2D: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        let channels = image.channels

        concurrently(image.images * output.height) { row in
            let (n, i) = row.quotientAndRemainder(dividingBy: output.height)
            let rows = part(i, of: output.height, image.height)
            withAccumulators(channels) { sums in
                for j in 0..<output.width {
                    let columns = part(j, of: output.width, image.width)
                    sums.update(repeating: 0)
                    for h in rows {
                        for w in columns {
                            let pixel = ((n * image.height + h) * image.width + w) * channels
                            for c in 0..<channels { sums[c] += Double(x[pixel + c]) }
                        }
                    }
                    let start = (row * output.width + j) * channels
                    let area = Double(rows.count * columns.count)
                    for c in 0..<channels { y[start + c] = epilogue(sums[c] / area, .init(), start + c) }
                }
            }
        }
    }
}

extension Op.AdaptiveAveragePool2DGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let gradient = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let dx = invocation.outputs[0].floats
        let channels = inputShape.channels
        let imageCount = inputShape.count / inputShape.images

        concurrently(inputShape.images) { n in
            withAccumulators(imageCount) { sums in
                for i in 0..<gradient.height {
                    let rows = part(i, of: gradient.height, inputShape.height)
                    for j in 0..<gradient.width {
                        let columns = part(j, of: gradient.width, inputShape.width)
                        let start = ((n * gradient.height + i) * gradient.width + j) * channels
                        let area = Double(rows.count * columns.count)
                        for h in rows {
                            for w in columns {
                                let pixel = (h * inputShape.width + w) * channels
                                for c in 0..<channels { sums[pixel + c] += Double(dy[start + c]) / area }
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
}

extension Op.GlobalAveragePool: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        let channels = image.channels
        let pixels = image.height * image.width

        concurrently(image.images) { n in
            withAccumulators(channels) { sums in
                for pixel in n * pixels..<(n + 1) * pixels {
                    for c in 0..<channels { sums[c] += Double(x[pixel * channels + c]) }
                }
                for c in 0..<channels { y[n * channels + c] = Float(sums[c] / Double(pixels)) }
            }
        }
    }
}

extension Op.GlobalAveragePoolGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let dy = invocation.inputs[0].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let dx = invocation.outputs[0].floats
        let channels = invocation.inputs[0].shape.channels

        concurrently(invocation.inputs[0].shape.images) { n in
            for pixel in n * extent.area..<(n + 1) * extent.area {
                for c in 0..<channels {
                    let value = Double(dy[n * channels + c]) / Double(extent.area)
                    dx[pixel * channels + c] = epilogue(value, operands, pixel * channels + c)
                }
            }
        }
    }
}
