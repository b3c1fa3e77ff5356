import ResinTensor

extension RasterImage {
    /// Bilinear with anti-aliasing, without regard to the proportions: every pixel of the result is the mean
    /// of the source's around its place, weighted by a triangle that reaches one pixel of the coarser grid to
    /// each side.
    ///
    /// To the bit what Pillow's `resize(size, BILINEAR)` gives, and so torchvision's `Resize` of a Pillow
    /// image: along the rows, then along the columns, each rounded to bytes, with weights of 22 bits. (Pillow
    /// 13 goes along the columns first for some sizes, which rounds some pixels the other way.) PyTorch's
    /// `interpolate(mode="bilinear", antialias=True)` has the same weights. Where nothing shrinks it is the
    /// plain bilinear interpolation between half-pixel centres.
    public func resized(toHeight newHeight: Int, width newWidth: Int) -> RasterImage {
        precondition(newHeight > 0 && newWidth > 0)
        var resized = pixels
        if newWidth != width {
            resized = resample(resized, groups: height, from: width, to: newWidth, length: channels)
        }
        if newHeight != height {
            resized = resample(resized, groups: 1, from: height, to: newHeight, length: newWidth * channels)
        }
        return RasterImage(height: newHeight, width: newWidth, channels: channels, pixels: resized)
    }
}

extension RasterImage {
    /// What a network sees of the image: the sample's box, resized, as far as its window shows it, black outside.
    ///
    /// To the bit what the device makes of it (`Op.ImageCrop`). The sample's mirroring and changes are not made.
    package func window(of sample: ImageSample, _ target: PixelSize) -> RasterImage {
        let (box, whole) = (sample.box, sample.resized)
        if box == PixelBox(PixelSize(height: height, width: width)), whole == target,
            sample.windowTop == 0, sample.windowLeft == 0
        {
            return resized(toHeight: target.height, width: target.width)
        }
        let piece = sample.neededPiece(for: target)
        let rows = max(sample.windowTop, 0)..<min(sample.windowTop + target.height, whole.height)
        let columns = max(sample.windowLeft, 0)..<min(sample.windowLeft + target.width, whole.width)
        var visible: [UInt8] = []
        visible.reserveCapacity(piece.height * box.width * channels)
        for row in piece.top..<piece.bottom {
            let start = (row * width + box.left) * channels
            visible += pixels[start..<start + box.width * channels]
        }
        if whole.width != box.width || columns.count != box.width {
            visible = resample(
                visible, groups: piece.height, from: box.width, to: whole.width, places: columns,
                length: channels)
        }
        if whole.height != box.height || rows.count != piece.height {
            visible = resample(
                visible, groups: 1, from: box.height, first: piece.top - box.top, to: whole.height,
                places: rows, length: columns.count * channels)
        }
        if rows.count == target.height && columns.count == target.width {
            return RasterImage(
                height: target.height, width: target.width, channels: channels, pixels: visible)
        }
        var padded = [UInt8](repeating: 0, count: target.area * channels)
        let length = columns.count * channels
        for (index, row) in rows.enumerated() {
            let start =
                ((row - sample.windowTop) * target.width + columns.lowerBound - sample.windowLeft) * channels
            padded.replaceSubrange(
                start..<start + length, with: visible[index * length..<(index + 1) * length])
        }
        return RasterImage(height: target.height, width: target.width, channels: channels, pixels: padded)
    }
}

/// `[groups, source, length]` to `[groups, target, length]`.
///
/// - Parameters:
///   - first: of the source's places, the first that is there, where there is one group.
///   - places: of the target's, those that are made; nil for all.
private func resample(
    _ bytes: [UInt8], groups: Int, from source: Int, first: Int = 0, to target: Int,
    places: Range<Int>? = nil, length: Int
) -> [UInt8] {
    let footprints = (places ?? 0..<target).map { place in
        let footprint = Footprint(of: place, source: source, target: target)
        return (first: footprint.range.lowerBound, weights: footprint.weights)
    }
    return [UInt8](unsafeUninitializedCapacity: groups * footprints.count * length) { result, count in
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: length) { sums in
            bytes.withUnsafeBufferPointer { bytes in
                for group in 0..<groups {
                    for footprint in footprints {
                        sums.update(repeating: 1 << (Footprint.weightBits - 1))
                        var place = (group * source + footprint.first - first) * length
                        for weight in footprint.weights {
                            for index in 0..<length {
                                sums[index] &+= weight &* Int32(bytes[place &+ index])
                            }
                            place += length
                        }
                        for sum in sums {
                            let byte = min(max(sum >> Footprint.weightBits, 0), 255)
                            result.initializeElement(at: count, to: UInt8(truncatingIfNeeded: byte))
                            count += 1
                        }
                    }
                }
            }
        }
    }
}
