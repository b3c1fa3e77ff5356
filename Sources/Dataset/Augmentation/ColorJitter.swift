import ResinTensor

/// torchvision's `ColorJitter`: brightness, contrast, saturation and hue changed by random amounts, in random order.
public struct ColorJitter: Codable, Equatable, Sendable {
    /// Factors lie in max(0, 1 − amount) … 1 + amount; 0 leaves the part out.
    public var brightness: Double
    public var contrast: Double
    public var saturation: Double
    /// Turns lie in −amount … amount, of the circle; at most ½.
    public var hue: Double

    enum CodingKeys: String, CodingKey { case brightness, contrast, saturation, hue }

    public init(brightness: Double = 0.4, contrast: Double = 0.4, saturation: Double = 0.4, hue: Double = 0.1)
    {
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
    }

    func adjustments(_ draws: RandomDraws) -> [ImageAdjustment] {
        var draws = draws
        func factor(_ amount: Double) -> Float {
            Float(draws.uniform(max(0, 1 - amount)...1 + amount))
        }
        var order = [0, 1, 2, 3]
        for last in [3, 2, 1] { order.swapAt(last, draws.below(last + 1)) }
        let all: [(Double, ImageAdjustment)] = [
            (brightness, .brightness(factor(brightness))), (contrast, .contrast(factor(contrast))),
            (saturation, .saturation(factor(saturation))), (hue, .hue(Float(draws.uniform(-hue...hue)))),
        ]
        return order.map { all[$0] }.filter { $0.0 > 0 }.map { $0.1 }
    }
}
