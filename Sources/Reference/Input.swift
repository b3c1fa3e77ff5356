import ResinGraph
import ResinPlan
import ResinTensor

extension StepUniforms {
    /// The image of the data set in row `n` of the batch; rows after the last image repeat it.
    fileprivate func image(inRow n: Int, of order: UnsafeMutableBufferPointer<Int32>, images: Int) -> Int {
        let position = Int(firstImage) + min(n, Int(imageCount) - 1)
        precondition(
            position < order.count,
            "the step reads place \(position) of an order that has \(order.count) places")
        let image = Int(order[position])
        precondition(
            (0..<images).contains(image), "the order names image \(image), but there are \(images)")
        return image
    }
}

/// Where one row or column of a resized image comes from: two neighbours and their weights. In `Float`, step
/// by step as PyTorch's `interpolate` and as devices do it.
private struct Interpolation {
    let first: Int
    let second: Int
    let firstWeight: Float
    let secondWeight: Float

    init(of index: Int, source: Int, target: Int) {
        let position = max((Float(index) + 0.5) * (Float(source) / Float(target)) - 0.5, 0)
        first = min(Int(position), source - 1)
        second = min(first + 1, source - 1)
        secondWeight = position - Float(first)
        firstWeight = 1 - secondWeight
    }
}

/// An image of the data set under its crop and mirroring: what the resize reads.
private struct AugmentedImage {
    let shape: Shape
    /// `[h, w, C]`
    let bytes: UnsafeMutableBufferPointer<UInt8>.SubSequence
    var down = 0
    var right = 0
    var isMirrored = false

    /// The byte at (i, j); black where the crop reaches beyond the edge.
    func byte(_ i: Int, _ j: Int, _ c: Int) -> Float {
        let y = i + down
        let x = (isMirrored ? shape.width - 1 - j : j) + right
        guard (0..<shape.height).contains(y) && (0..<shape.width).contains(x) else { return 0 }
        return Float(bytes[bytes.startIndex + (y * shape.width + x) * shape.channels + c])
    }
}

extension Op.ImageInput: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let source = invocation.inputs[0].shape
        let images = invocation.inputs[0].bytes
        let order = invocation.inputs[1].integers
        let y = invocation.outputs[0].floats
        let uniforms = invocation.uniforms
        let philox = Philox(seed: uniforms.seed, stream: .augmentation)
        let channels = source.channels
        let imageCount = source.count / source.images
        let rows = (0..<size.height).map { Interpolation(of: $0, source: source.height, target: size.height) }
        let columns = (0..<size.width).map {
            Interpolation(of: $0, source: source.width, target: size.width)
        }
        // (byte / 255 − mean) / deviation = byte · factor − offset, in Float.
        let factors = standardDeviation.map { 1 / (255 * $0) }
        let offsets = zip(mean, standardDeviation).map { $0 / $1 }

        concurrently(batch) { n in
            let start = uniforms.image(inRow: n, of: order, images: source.images) * imageCount
            var image = AugmentedImage(shape: source, bytes: images[start..<start + imageCount])
            let words = philox(Philox.Block(UInt32(n), uniforms.step, 0, uniforms.shard))
            let shifts = UInt32(2 * cropPadding + 1)
            image.down = Int(words.x % shifts) - cropPadding
            image.right = Int(words.y % shifts) - cropPadding
            image.isMirrored = flips && words.z & 1 == 1

            var index = n * size.area * channels
            for row in rows {
                for column in columns {
                    for c in 0..<channels {
                        let top =
                            column.firstWeight * image.byte(row.first, column.first, c)
                            + column.secondWeight * image.byte(row.first, column.second, c)
                        let bottom =
                            column.firstWeight * image.byte(row.second, column.first, c)
                            + column.secondWeight * image.byte(row.second, column.second, c)
                        let byte = row.firstWeight * top + row.secondWeight * bottom
                        y[index] = byte * factors[c] - offsets[c]
                        index += 1
                    }
                }
            }
        }
    }
}

extension Op.LabelInput: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let labels = invocation.inputs[0].integers
        let order = invocation.inputs[1].integers
        let result = invocation.outputs[0].integers
        for n in result.indices {
            result[n] = labels[invocation.uniforms.image(inRow: n, of: order, images: labels.count)]
        }
    }
}
