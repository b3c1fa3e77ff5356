import ResinGraph
import ResinTensor

extension Op.ImageAdjustments: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let count = shape.count / shape.images
        let (bytes, result) = (invocation.inputs[0].bytes, invocation.outputs[0].bytes)
        concurrently(shape.images) { n in
            var image = AdjustedImage(
                height: shape.height, width: shape.width, channels: shape.channels,
                bytes: Array(bytes[n * count..<(n + 1) * count]))
            for adjustment in invocation.sample(n, in: 1).adjustments { image.apply(adjustment) }
            for index in 0..<count { result[n * count + index] = image.bytes[index] }
        }
    }
}

/// Bytes `[height, width, channels]`, changed as torchvision changes Pillow's images (autocontrast: tensors of bytes).
private struct AdjustedImage {
    let height: Int
    let width: Int
    let channels: Int
    var bytes: [UInt8]

    mutating func apply(_ adjustment: ImageAdjustment) {
        switch adjustment {
        case .brightness(let factor): replace { _, byte in Self.blend(0, byte, factor) }
        case .contrast(let factor):
            let mean = meanGrey
            replace { _, byte in Self.blend(mean, byte, factor) }
        case .saturation(let factor):
            for pixel in 0..<height * width {
                let grey = grey(pixel)
                for place in pixel * channels..<(pixel + 1) * channels {
                    bytes[place] = Self.blend(grey, Int(bytes[place]), factor)
                }
            }
        case .hue(let turn):
            if channels == 3 { for pixel in 0..<height * width { turnHue(pixel, by: Int(turn * 255)) } }
        case .sharpness(let factor):
            let smooth = smoothed
            for place in bytes.indices {
                bytes[place] = Self.blend(smooth[place], Int(bytes[place]), factor)
            }
        case .posterize(let bits): replace { _, byte in UInt8(byte & (0xFF00 >> bits) & 0xFF) }
        case .solarize(let threshold):
            replace { _, byte in UInt8(Float(byte) < threshold ? byte : 255 - byte) }
        case .autocontrast:
            let histograms = histograms
            replace { channel, byte in
                let used = histograms[channel].indices.filter { histograms[channel][$0] > 0 }
                guard let low = used.first, let high = used.last, low < high else { return UInt8(byte) }
                // PyTorch divides by the reciprocal.
                return UInt8(min(max(Float(byte - low) * (255 * (1 / Float(high - low))), 0), 255))
            }
        case .equalize:
            let (histograms, pixels) = (histograms, height * width)
            replace { channel, byte in
                let histogram = histograms[channel]
                let last = histogram.last { $0 > 0 }!
                let step = (pixels - last) / 255
                if step == 0 { return UInt8(byte) }
                return UInt8(min((histogram[..<byte].reduce(0, +) + step / 2) / step, 255))
            }
        case .affine(let a, let b, let c, let d, let e, let f): move([a, b, c, d, e, f])
        }
    }

    /// By channel and value: all pixels of a value become the same.
    private mutating func replace(_ value: (Int, Int) -> UInt8) {
        let table = (0..<channels).map { channel in (0...255).map { value(channel, $0) } }
        for place in bytes.indices { bytes[place] = table[place % channels][Int(bytes[place])] }
    }

    /// Pillow's `blend`, which rounds down; its sum to 2⁻¹⁶.
    static func blend(_ from: Int, _ to: Int, _ factor: Float) -> UInt8 {
        let part = factor * Float(to - from) * 65536
        return UInt8(min(max((from << 16 + Int(part.rounded(.toNearestOrEven))) >> 16, 0), 255))
    }

    /// Pillow's luma.
    private func grey(_ pixel: Int) -> Int {
        if channels == 1 { return Int(bytes[pixel]) }
        let parts = (0..<3).map { Int(bytes[3 * pixel + $0]) }
        return (19595 * parts[0] + 38470 * parts[1] + 7471 * parts[2] + 0x8000) >> 16
    }

    private var meanGrey: Int {
        let count = height * width
        return (2 * (0..<count).reduce(0) { $0 + grey($1) } + count) / (2 * count)
    }

    private var histograms: [[Int]] {
        var result = [[Int]](repeating: [Int](repeating: 0, count: 256), count: channels)
        for place in bytes.indices { result[place % channels][Int(bytes[place])] += 1 }
        return result
    }

    /// Pillow's filter `SMOOTH`: the mean of nine pixels, the middle one five times; at the edge as it is.
    private var smoothed: [Int] {
        func byte(_ i: Int, _ j: Int, _ c: Int) -> Int { Int(bytes[(i * width + j) * channels + c]) }
        return bytes.indices.map { place in
            let (pixel, c) = place.quotientAndRemainder(dividingBy: channels)
            let (i, j) = pixel.quotientAndRemainder(dividingBy: width)
            guard (1..<max(height - 1, 1)).contains(i) && (1..<max(width - 1, 1)).contains(j) else {
                return byte(i, j, c)
            }
            var sum = 4 * byte(i, j, c)
            for y in i - 1...i + 1 { for x in j - 1...j + 1 { sum += byte(y, x, c) } }
            return (2 * sum + 13) / 26
        }
    }

    /// Pillow's way to hue, saturation and value of 8 bits, in its floats, and back.
    private mutating func turnHue(_ pixel: Int, by turn: Int) {
        let (red, green, blue) = (Int(bytes[3 * pixel]), Int(bytes[3 * pixel + 1]), Int(bytes[3 * pixel + 2]))
        let value = max(red, green, blue)
        let chroma = value - min(red, green, blue)
        var hue = 0
        var saturation = 0
        if chroma > 0 {
            func less(_ part: Int) -> Float { Float(value - part) / Float(chroma) }
            let sixths =
                if red == value { less(blue) - less(green) } else if green == value {
                    Float(2 + Double(less(red)) - Double(less(blue)))
                } else {
                    Float(4 + Double(less(green)) - Double(less(red)))
                }
            let circle = Double(sixths) / 6 + 1
            hue = min(Int(Double(Float(circle - circle.rounded(.down))) * 255), 255)
            saturation = Int(Double(Float(chroma) / Float(value)) * 255)
        }
        hue = (hue + turn) & 255
        if saturation == 0 { return }
        let (sector, part) = (6 * hue).quotientAndRemainder(dividingBy: 255)
        func share(_ numerator: Int) -> UInt8 {
            UInt8((2 * value * (65025 - numerator) + 65025) / (2 * 65025))
        }
        let low = share(255 * saturation)
        let falling = share(saturation * part)
        let rising = share(saturation * (255 - part))
        let top = UInt8(value)
        let colours = [
            [top, rising, low], [falling, top, low], [low, top, rising], [low, falling, top],
            [rising, low, top], [top, low, falling],
        ]
        bytes.replaceSubrange(3 * pixel..<3 * pixel + 3, with: colours[sector % 6])
    }

    /// - Parameter amounts: those of `ImageAdjustment.affine`.
    private mutating func move(_ amounts: [Float]) {
        let fixed = amounts.map { Int(($0 * 65536).rounded(.toNearestOrEven)) }
        let source = bytes
        for i in 0..<height {
            for j in 0..<width {
                let (y, x) = (i - height / 2, j - width / 2)
                let column = (fixed[0] * x + fixed[1] * y + fixed[2]) >> 16 + width / 2
                let row = (fixed[3] * x + fixed[4] * y + fixed[5]) >> 16 + height / 2
                let isInside = (0..<height).contains(row) && (0..<width).contains(column)
                for c in 0..<channels {
                    bytes[(i * width + j) * channels + c] =
                        isInside ? source[(row * width + column) * channels + c] : 0
                }
            }
        }
    }
}
