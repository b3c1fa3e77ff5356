extension RasterImage {
    /// Bilinear with anti-aliasing: every pixel of the result is the mean of the source's around its place,
    /// weighted by a triangle that reaches one pixel of the coarser grid to each side; the proportions
    /// follow.
    ///
    /// These are the weights of PyTorch's `interpolate(mode="bilinear", antialias=True)` and of Pillow's
    /// `BILINEAR`; where nothing shrinks it is the plain bilinear interpolation between half-pixel centres.
    public func resized(toHeight newHeight: Int, width newWidth: Int) -> RasterImage {
        precondition(newHeight > 0 && newWidth > 0)
        if newHeight == height && newWidth == width { return self }
        // Along the rows, then along the columns.
        let columns = Footprint.list(source: width, target: newWidth)
        var narrow = [Float](repeating: 0, count: height * newWidth * channels)
        var place = 0
        for y in 0..<height {
            for column in columns {
                for channel in 0..<channels {
                    var index = (y * width + column.first) * channels + channel
                    var sum: Float = 0
                    for weight in column.weights {
                        sum += weight * Float(pixels[index])
                        index += channels
                    }
                    narrow[place] = sum
                    place += 1
                }
            }
        }
        let rowLength = newWidth * channels
        var result = [UInt8](repeating: 0, count: newHeight * rowLength)
        for (y, row) in Footprint.list(source: height, target: newHeight).enumerated() {
            for x in 0..<rowLength {
                var sum: Float = 0
                for (offset, weight) in row.weights.enumerated() {
                    sum += weight * narrow[(row.first + offset) * rowLength + x]
                }
                // The weights' sum is one but for rounding.
                result[y * rowLength + x] = UInt8(min(max(sum.rounded(), 0), 255))
            }
        }
        return RasterImage(height: newHeight, width: newWidth, channels: channels, pixels: result)
    }
}

/// The source's pixels that one of the result's is made of.
private struct Footprint {
    let first: Int
    /// They add up to one.
    let weights: [Float]

    static func list(source: Int, target: Int) -> [Footprint] {
        let scale = Double(source) / Double(target)
        let reach = max(scale, 1)
        return (0..<target).map { index in
            let centre = (Double(index) + 0.5) * scale
            let first = max(Int(centre - reach + 0.5), 0)
            let end = min(Int(centre + reach + 0.5), source)
            let weights = (first..<end).map { max(0, 1 - abs(Double($0) + 0.5 - centre) / reach) }
            let sum = weights.reduce(0, +)
            return Footprint(first: first, weights: weights.map { Float($0 / sum) })
        }
    }
}
