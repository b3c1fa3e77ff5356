import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    /// Crops of any size to any size, and every adjustment with several amounts: more than a test needs, for
    /// Benchmarks/image_accuracy.py.
    package static func measuredPhotographs(_ count: Int) -> [OpCase] {
        func number(_ index: Int, _ place: Int, below limit: Int) -> Int {
            Int(splitMix(UInt64(index * 64 + place)) % UInt64(limit))
        }
        let crops = (0..<count).map { index in
            // Of all magnitudes alike.
            func extent(_ place: Int, _ bits: Int) -> Int {
                1 + number(index, place, below: 1 << (1 + number(index, place + 1, below: bits)))
            }
            let (box, resized) = ((extent(0, 10), extent(2, 10)), (extent(4, 8), extent(6, 8)))
            var result = crop(
                CropConfiguration(
                    Extent(resized.0, resized.1), index % 3 == 0 ? 1 : 3, [cropped(of: box, to: resized)]))
            result.name += ", \(index)"
            return result
        }
        let lists: [(String, [ImageAdjustment])] = (0..<40).flatMap { index in
            let share = Float(number(index, 8, below: 1000)) / 1000
            let (factor, side) = (2 * share, PixelSize(height: 64, width: 64))
            let angle = Double(number(index, 9, below: 61)) - 30
            return [
                ("brightness", [.brightness(factor)]), ("contrast", [.contrast(factor)]),
                ("saturation", [.saturation(factor)]), ("hue", [.hue(share - 0.5)]),
                ("sharpness", [.sharpness(factor)]), ("posterize", [.posterize(index % 9)]),
                ("solarize", [.solarize(255 * share)]), ("invert", [.solarize(0)]),
                ("autocontrast", [.posterize(1 + index % 7), .brightness(share), .autocontrast]),
                ("equalize", [.brightness(share), .equalize]),
                ("rotation", ImageAdjustment.rotationOfCase(degrees: angle, of: side)),
            ]
        }
        let adjustments = lists.enumerated().map { index, list in
            var configuration = AdjustmentConfiguration(list.0, [1, 64, 64, 3], [list.1])
            configuration.name += ", \(index)"
            return Self.adjusted(configuration)
        }
        return crops + adjustments
    }
}

extension ImageAdjustment {
    /// About the middle, in multiples of 2⁻¹⁶.
    fileprivate static func rotationOfCase(degrees: Double, of size: PixelSize) -> [ImageAdjustment] {
        // Rational sines and cosines are enough here.
        let t = degrees / 60
        func fixed(_ value: Double) -> Float { Float((value * 65536).rounded() / 65536) }
        let (cosine, sine) = (fixed((1 - t * t) / (1 + t * t)), fixed(2 * t / (1 + t * t)))
        return [.affine(cosine, sine, 0.5, -sine, cosine, 0.5)]
    }
}
