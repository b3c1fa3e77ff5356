import ResinGraph
import ResinTensor

extension Op.Upsampling {
    /// The two places that a place of the result is made of, and the second one's share.
    fileprivate func source(_ place: Int, of size: Int, _ resultSize: Int) -> (Int, Int, share: Double) {
        let at: Double
        switch method {
        case .nearest:
            let nearest = place * size / resultSize
            return (nearest, nearest, 0)
        case .bilinear(alignsCorners: true):
            at = resultSize > 1 ? Double(place * (size - 1)) / Double(resultSize - 1) : 0
        case .bilinear(alignsCorners: false):
            at = max((Double(place) + 0.5) * Double(size) / Double(resultSize) - 0.5, 0)
        }
        let first = min(Int(at), size - 1)
        return (first, min(first + 1, size - 1), at - Double(first))
    }

    /// Calls with each pair of a pixel of the result and one that it is made of, by their indices in an image, and the share.
    fileprivate func forEachShare(
        of image: Shape, _ body: (_ result: Int, _ pixel: Int, _ share: Double) -> Void
    ) {
        for i in 0..<size.height {
            let rows = source(i, of: image.height, size.height)
            for j in 0..<size.width {
                let columns = source(j, of: image.width, size.width)
                for (row, rowShare) in [(rows.0, 1 - rows.share), (rows.1, rows.share)] {
                    for (column, share) in [(columns.0, 1 - columns.share), (columns.1, columns.share)] {
                        body(i * size.width + j, row * image.width + column, rowShare * share)
                    }
                }
            }
        }
    }
}

extension Op.Upsampling: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        let (count, resultCount) = (image.count / image.images, size.area * image.channels)
        concurrently(image.images) { n in
            withAccumulators(resultCount) { sums in
                forEachShare(of: image) { result, pixel, share in
                    for c in 0..<image.channels {
                        let value = Double(x[n * count + pixel * image.channels + c])
                        sums[result * image.channels + c] += share * value
                    }
                }
                for index in 0..<resultCount { y[n * resultCount + index] = Float(sums[index]) }
            }
        }
    }
}

extension Op.UpsamplingGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let dy = invocation.inputs[0].floats
        let dx = invocation.outputs[0].floats
        let channels = inputShape.channels
        let count = inputShape.count / inputShape.images
        let resultCount = forward.size.area * channels
        concurrently(inputShape.images) { n in
            withAccumulators(count) { sums in
                forward.forEachShare(of: inputShape) { result, pixel, share in
                    for c in 0..<channels {
                        sums[pixel * channels + c] +=
                            share * Double(dy[n * resultCount + result * channels + c])
                    }
                }
                for index in 0..<count { dx[n * count + index] = Float(sums[index]) }
            }
        }
    }
}
