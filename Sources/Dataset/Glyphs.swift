import Foundation
import ResinTensor

extension Dataset {
    /// The built-in set `glyphs`: grey 28×28 images of ten drawn symbols, made on the spot, so that
    /// everything runs without a download.
    ///
    /// Every image is a pure function of seed, split and index: a set of 100 images is the start of the set
    /// of 6,000. Each ten images in a row hold every class once, in random order.
    ///
    /// - Errors: `.usage` where a count is below 1.
    public static func glyphs(
        seed: UInt64, trainCount: Int = 6_000, testCount: Int = 1_000
    ) throws -> Dataset {
        for (split, count) in [("training", trainCount), ("test", testCount)] where count < 1 {
            throw ResinError(.usage, "glyphs: \(count) \(split) images asked for; at least 1 is needed.")
        }
        let train = try Glyphs(seed: seed, split: .train).images(count: trainCount)
        let test = try Glyphs(seed: seed, split: .test).images(count: testCount)
        let (mean, standardDeviation) = try train.pixelStatistics(decimals: 4)
        return try Dataset(
            name: "glyphs", classNames: GlyphShape.allCases.map(\.name), train: train, test: test,
            mean: mean, standardDeviation: standardDeviation)
    }
}

/// Draws the images of one split of `glyphs`.
struct Glyphs {
    /// The raw values are part of what a seed means: never renumber them.
    enum Split: UInt32 {
        case train = 0
        case test = 1
    }

    static let side = 28

    private let random: Philox
    private let split: Split

    init(seed: UInt64, split: Split) {
        random = Philox(seed: seed, stream: .glyphs)
        self.split = split
    }

    /// The first `count` images of the split.
    func images(count: Int) throws -> ImageSet {
        let imageSize = Self.side * Self.side
        var canvas = GlyphCanvas(side: Self.side)
        var labels: [Int32] = []
        labels.reserveCapacity(count)
        var order: [Int32] = []
        let pixels = [UInt8](unsafeUninitializedCapacity: count * imageSize) { buffer, initialisedCount in
            for index in 0..<count {
                let (group, place) = index.quotientAndRemainder(dividingBy: GlyphShape.allCases.count)
                if place == 0 {
                    // Both splits share the counters of `permutation`, so they take turns.
                    order = random.permutation(
                        of: GlyphShape.allCases.count, epoch: 2 * group + Int(split.rawValue))
                }
                let shape = GlyphShape(rawValue: Int(order[place]))!
                labels.append(Int32(shape.rawValue))
                let image = UnsafeMutableBufferPointer(
                    rebasing: buffer[index * imageSize..<(index + 1) * imageSize])
                draw(shape, index: index, on: &canvas, into: image)
            }
            initialisedCount = count * imageSize
        }
        return try ImageSet(
            pixels: pixels, labels: labels, height: Self.side, width: Self.side, channels: 1,
            classCount: GlyphShape.allCases.count, source: "glyphs")
    }

    private func draw(
        _ shape: GlyphShape, index: Int, on canvas: inout GlyphCanvas,
        into image: UnsafeMutableBufferPointer<UInt8>
    ) {
        var draws = GlyphDraws(random: random, split: split.rawValue, image: UInt32(index))
        let place = GlyphPlacement(drawing: &draws, side: Float(Self.side))
        canvas.clear()

        drawClutter(on: &canvas, &draws)
        canvas.stroke(
            GlyphShape.strokes[shape.rawValue].map { $0.map(place.callAsFunction) },
            halfWidth: draws.uniform(0.65, 1.5), softness: draws.uniform(0.5, 1), strength: 1)

        // Bright ink on a dark ground, with light falling from one side.
        let background = draws.uniform(0, 0.3)
        let contrast = draws.uniform(0.4, 0.7)
        let slope = SIMD2(draws.uniform(-0.1, 0.1), draws.uniform(-0.1, 0.1)) / Float(Self.side / 2)
        let noise = draws.uniform(0.02, 0.08)
        let middle = Float(Self.side - 1) / 2
        for y in 0..<Self.side {
            for x in 0..<Self.side {
                let place = SIMD2(Float(x), Float(y)) - middle
                let value =
                    background + contrast * canvas.ink[y * Self.side + x] + (slope * place).sum()
                    + noise * draws.normal()
                image[y * Self.side + x] = UInt8(min(max(value, 0), 1) * 255 + 0.5)
            }
        }
    }

    /// Up to three short strokes and two spots, fainter than the symbol.
    private func drawClutter(on canvas: inout GlyphCanvas, _ draws: inout GlyphDraws) {
        let side = Float(Self.side)
        for _ in 0..<draws.integer(below: 4) {
            let start = SIMD2(draws.uniform(0, side), draws.uniform(0, side))
            let along = SIMD2(draws.uniform(-7, 7), draws.uniform(-7, 7))
            canvas.stroke(
                [[start, start + along]], halfWidth: draws.uniform(0.4, 1), softness: 0.7,
                strength: draws.uniform(0.3, 0.7))
        }
        for _ in 0..<draws.integer(below: 3) {
            canvas.spot(
                at: SIMD2(draws.uniform(0, side), draws.uniform(0, side)), radius: draws.uniform(2, 5),
                strength: draws.uniform(0.3, 0.7))
        }
    }
}

/// Where and how a symbol lies: a random affine map from its unit square to pixels.
private struct GlyphPlacement {
    private let horizontal: SIMD2<Float>
    private let vertical: SIMD2<Float>
    private let centre: SIMD2<Float>

    init(drawing draws: inout GlyphDraws, side: Float) {
        let angle = Double(draws.uniform(-30, 30)) * .pi / 180
        let (sine, cosine) = (Float(sin(angle)), Float(cos(angle)))
        let radius = draws.uniform(8.5, 11)
        let aspect = draws.uniform(0.85, 1.18)
        let shear = draws.uniform(-0.15, 0.15)
        // Rotation × shear × scale, by columns.
        horizontal = radius * aspect * SIMD2(cosine, sine)
        vertical = radius / aspect * (SIMD2(-sine, cosine) + shear * SIMD2(cosine, sine))
        let freedom = 13.5 - radius
        let middle = (side - 1) / 2
        centre = SIMD2(middle + draws.uniform(-freedom, freedom), middle + draws.uniform(-freedom, freedom))
    }

    func callAsFunction(_ point: SIMD2<Float>) -> SIMD2<Float> {
        centre + point.x * horizontal + point.y * vertical
    }
}

/// The random numbers of one image, one after another.
private struct GlyphDraws {
    private let random: Philox
    private var counter: Philox.Block
    private var block = Philox.Block()
    private var used = 4

    init(random: Philox, split: UInt32, image: UInt32) {
        self.random = random
        // The last word keeps these counters apart from those of `Philox.permutation`.
        counter = Philox.Block(0, image, split, 1)
    }

    private mutating func word() -> UInt32 {
        if used == 4 {
            block = random(counter)
            counter.x += 1
            used = 0
        }
        defer { used += 1 }
        return block[used]
    }

    mutating func uniform(_ low: Float, _ high: Float) -> Float { low + (high - low) * Philox.unit(word()) }

    mutating func integer(below bound: Int) -> Int { Int((UInt64(word()) * UInt64(bound)) >> 32) }

    /// About standard normal: the sum of a word's four bytes, centred and scaled; exact integers but for
    /// one multiplication, so the same everywhere.
    mutating func normal() -> Float {
        let word = word()
        let sum = (word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24)
        return (Float(sum) - 510) * (1 / 147.8)
    }
}
