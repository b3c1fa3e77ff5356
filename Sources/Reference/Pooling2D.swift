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
