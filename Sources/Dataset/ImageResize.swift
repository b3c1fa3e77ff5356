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

/// `[groups, source, length]` to `[groups, target, length]`.
private func resample(
    _ bytes: [UInt8], groups: Int, from source: Int, to target: Int, length: Int
) -> [UInt8] {
    let footprints = (0..<target).map { place in
        let footprint = Footprint(of: place, source: source, target: target)
        return (first: footprint.range.lowerBound, weights: footprint.weights)
    }
    return [UInt8](unsafeUninitializedCapacity: groups * target * length) { result, count in
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: length) { sums in
            bytes.withUnsafeBufferPointer { bytes in
                for group in 0..<groups {
                    for footprint in footprints {
                        sums.update(repeating: 1 << (Footprint.weightBits - 1))
                        var place = (group * source + footprint.first) * length
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
