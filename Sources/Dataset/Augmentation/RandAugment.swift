import ResinTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// torchvision's `RandAugment` (Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search
/// space", 2020): some of fourteen operations one after another, all with the same magnitude.
public struct RandAugment: Codable, Equatable, Sendable {
    /// 1 … 4.
    public var operations: Int
    /// The bin, 0 ..< `binCount`.
    public var magnitude: Int

    public static let binCount = 31
    public static let operationLimit = 4

    enum CodingKeys: String, CodingKey { case operations, magnitude }

    public init(operations: Int = 2, magnitude: Int = 9) {
        self.operations = operations
        self.magnitude = magnitude
    }

    /// In torchvision's order.
    package enum Operation: Int, CaseIterable {
        case identity, shearX, shearY, translateX, translateY, rotate, brightness, color, contrast, sharpness
        case posterize, solarize, autocontrast, equalize

        package var isSigned: Bool {
            switch self {
            case .shearX, .shearY, .translateX, .translateY, .rotate, .brightness, .color, .contrast,
                .sharpness:
                true
            case .identity, .posterize, .solarize, .autocontrast, .equalize: false
            }
        }
    }

    func adjustments(of size: PixelSize, _ draws: RandomDraws) -> [ImageAdjustment] {
        var draws = draws
        return (0..<operations).compactMap { _ in
            let operation = Operation.allCases[draws.below(Operation.allCases.count)]
            let isNegative = draws.coin() && operation.isSigned
            return Self.adjustment(operation, magnitude: magnitude, isNegative: isNegative, of: size)
        }
    }

    /// Nil for one that changes nothing.
    package static func adjustment(
        _ operation: Operation, magnitude bin: Int, isNegative: Bool, of size: PixelSize
    ) -> ImageAdjustment? {
        func magnitude(_ first: Float, _ last: Float) -> Double {
            let value = Double(Self.bin(bin, first, last))
            return isNegative ? -value : value
        }
        func factor() -> Float { Float(1 + magnitude(0, 0.9)) }
        func translation(_ extent: Int) -> Double {
            magnitude(0, Float(150.0 / 331.0 * Double(extent))).rounded(.towardZero)
        }
        return switch operation {
        case .identity: nil
        case .shearX: .affine((1, magnitude(0, 0.3), 0, 0, 1, 0), of: size)
        case .shearY: .affine((1, 0, 0, magnitude(0, 0.3), 1, 0), of: size)
        case .translateX: .affine((1, 0, -translation(size.width), 0, 1, 0), of: size)
        case .translateY: .affine((1, 0, 0, 0, 1, -translation(size.height)), of: size)
        case .rotate: .rotation(degrees: magnitude(0, 30), of: size)
        case .brightness: .brightness(factor())
        case .color: .saturation(factor())
        case .contrast: .contrast(factor())
        case .sharpness: .sharpness(factor())
        case .posterize:
            .posterize(8 - Int((Double(bin) / (Double(binCount - 1) / 4)).rounded(.toNearestOrEven)))
        case .solarize: .solarize(Float(magnitude(255, 0)))
        case .autocontrast: .autocontrast
        case .equalize: .equalize
        }
    }

    /// As `torch.linspace(first, last, binCount)` has it.
    private static func bin(_ index: Int, _ first: Float, _ last: Float) -> Float {
        let step = (last - first) / Float(binCount - 1)
        return index < binCount / 2
            ? first + step * Float(index) : last - step * Float(binCount - 1 - index)
    }
}

extension ImageAdjustment {
    /// From Pillow's matrix, which takes a place's centre, counted from the image's corner, to where its pixel comes from. In
    /// units of 2⁻¹⁶, as Pillow has it.
    package static func affine(
        _ matrix: (Double, Double, Double, Double, Double, Double), of size: PixelSize
    ) -> ImageAdjustment {
        func fixed(_ value: Double) -> Int { Int((value * 65536 + 0.5).rounded(.down)) }
        let (right, down) = (size.width / 2, size.height / 2)
        func row(_ a: Double, _ b: Double, _ c: Double, _ middle: Int) -> (Float, Float, Float) {
            let (x, y) = (fixed(a), fixed(b))
            let origin = fixed(c + a * 0.5 + b * 0.5) + right * x + down * y - middle << 16
            return (Float(x) / 65536, Float(y) / 65536, Float(origin) / 65536)
        }
        let (a, b, c) = row(matrix.0, matrix.1, matrix.2, right)
        let (d, e, f) = row(matrix.3, matrix.4, matrix.5, down)
        return .affine(a, b, c, d, e, f)
    }

    /// Counter-clockwise about the centre, as Pillow's `rotate`; nil where it changes nothing.
    ///
    /// The C library's sine and cosine differ by a unit in the last place from machine to machine. Here they are rounded to
    /// 15 digits and then to 2⁻¹⁶, and no whole number of degrees lies so near to where that changes.
    package static func rotation(degrees: Double, of size: PixelSize) -> ImageAdjustment? {
        if degrees == 0 { return nil }
        func rounded(_ value: Double) -> Double { (value * 1e15).rounded() / 1e15 }
        let angle = -degrees * (Double.pi / 180)
        let (cosine, sine) = (rounded(cos(angle)), rounded(sin(angle)))
        let (right, down) = (Double(size.width) / 2, Double(size.height) / 2)
        return .affine(
            (
                cosine, sine, cosine * -right + sine * -down + right, -sine, cosine,
                -sine * -right + cosine * -down + down
            ), of: size)
    }
}
