import ResinGraph
import ResinPlan
import ResinTensor

extension Invocation {
    /// The sample of row `n` of the batch, from the input of that index; rows after the last image repeat it.
    func sample(_ n: Int, in input: Int) -> ImageSample {
        let rows = inputs[input].shape.extents[0]
        let row = Int(uniforms.firstImage) + min(n, Int(uniforms.imageCount) - 1)
        precondition(row < rows, "the step reads sample \(row) of \(rows)")
        let words = inputs[input].integers
        return ImageSample(words: words[row * ImageSample.wordCount..<(row + 1) * ImageSample.wordCount])
    }
}

extension Op.ImageCrop: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let bytes = invocation.inputs[0].bytes
        let result = invocation.outputs[0].bytes
        let count = size.area * channels
        concurrently(batch) { n in
            let sample = invocation.sample(n, in: 1)
            let crop = Crop(sample, of: size, channels: channels, from: bytes)
            for index in 0..<count { result[n * count + index] = crop.byte(index) }
        }
    }
}

/// A sample's box, resized, as far as its window shows it.
private struct Crop {
    private let sample: ImageSample
    private let size: Extent
    private let channels: Int
    /// Of the resized box, what the window shows.
    private let rows: Range<Int>
    private let columns: Range<Int>
    /// `[rows, columns, channels]`
    private var visible: [UInt8] = []

    init(_ sample: ImageSample, of size: Extent, channels: Int, from bytes: UnsafeMutableBufferPointer<UInt8>)
    {
        func visible(_ first: Int, _ count: Int, _ resized: Int) -> Range<Int> {
            let low = min(max(first, 0), resized)
            return low..<min(max(first + count, low), resized)
        }
        self.sample = sample
        self.size = size
        self.channels = channels
        let (box, piece, resized) = (sample.box, sample.piece, sample.resized)
        rows = visible(sample.windowTop, size.height, resized.height)
        columns = visible(sample.windowLeft, size.width, resized.width)
        if rows.isEmpty || columns.isEmpty { return }
        let down = rows.map { Footprint(of: $0, source: box.height, target: resized.height) }
        let across = columns.map { Footprint(of: $0, source: box.width, target: resized.width) }
        // Along the rows, of all rows that are needed.
        let needed = down.first!.range.lowerBound..<down.last!.range.upperBound
        var lines: [UInt8] = []
        for y in needed {
            for footprint in across {
                for channel in 0..<channels {
                    var sum = 0
                    for (x, weight) in zip(footprint.range, footprint.weights) {
                        let row = box.top + y - piece.top
                        let column = box.left + x - piece.left
                        precondition(
                            (0..<piece.height).contains(row) && (0..<piece.width).contains(column),
                            "the piece does not hold all that is needed")
                        let place = (row * piece.width + column) * channels + channel
                        sum += Int(weight) * Int(bytes[sample.offset + place])
                    }
                    lines.append(Footprint.byte(sum))
                }
            }
        }
        let length = columns.count * channels
        for footprint in down {
            for index in 0..<length {
                var sum = 0
                for (y, weight) in zip(footprint.range, footprint.weights) {
                    sum += Int(weight) * Int(lines[(y - needed.lowerBound) * length + index])
                }
                self.visible.append(Footprint.byte(sum))
            }
        }
    }

    /// Of the network's image `[height, width, channels]`.
    func byte(_ index: Int) -> UInt8 {
        let (pixel, channel) = index.quotientAndRemainder(dividingBy: channels)
        let (i, j) = pixel.quotientAndRemainder(dividingBy: size.width)
        let row = sample.windowTop + (sample.isFlipped ? size.height - 1 - i : i)
        let column = sample.windowLeft + (sample.isMirrored ? size.width - 1 - j : j)
        guard rows.contains(row) && columns.contains(column) else { return 0 }
        let place = (row - rows.lowerBound) * columns.count + column - columns.lowerBound
        return visible[place * channels + channel]
    }
}

extension Op.ImageNormalisation: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let bytes = invocation.inputs[0].bytes
        let y = invocation.outputs[0].floats
        let count = shape.count / shape.images
        // As in `Op.ImageInput`.
        let factors = standardDeviation.map { 1 / (255 * $0) }
        let offsets = zip(mean, standardDeviation).map { $0 / $1 }

        concurrently(shape.images) { n in
            func value(_ n: Int, _ erased: PixelBox?, _ pixel: Int, _ channel: Int) -> Float {
                if let erased, erased.contains(pixel, ofWidth: shape.width) { return 0 }
                let byte = bytes[n * count + pixel * shape.channels + channel]
                return Float(byte) * factors[channel] - offsets[channel]
            }
            let sample = invocation.sample(n, in: 1)
            let partner = sample.mixture.map { invocation.sample($0.partner, in: 1) }
            for index in 0..<count {
                let (pixel, channel) = index.quotientAndRemainder(dividingBy: shape.channels)
                let own = value(n, sample.erased, pixel, channel)
                guard let mixture = sample.mixture, let partner else {
                    y[n * count + index] = own
                    continue
                }
                let other = value(mixture.partner, partner.erased, pixel, channel)
                if let box = mixture.box {
                    y[n * count + index] = box.contains(pixel, ofWidth: shape.width) ? other : own
                } else {
                    y[n * count + index] = mixture.share * own + (1 - mixture.share) * other
                }
            }
        }
    }
}

extension PixelBox {
    fileprivate func contains(_ pixel: Int, ofWidth width: Int) -> Bool {
        (top..<bottom).contains(pixel / width) && (left..<right).contains(pixel % width)
    }
}

extension Op.SampleLabels: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let result = invocation.outputs[0].integers
        for n in result.indices { result[n] = Int32(invocation.sample(n, in: 0).label) }
    }
}
