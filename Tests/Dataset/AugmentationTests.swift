import Foundation
import ResinDataset
import ResinTensor
import Testing

/// What torchvision gives, as `make_augmentation.py` wrote it.
private struct Golden: Decodable {
    struct Moments: Decodable {
        var size: [Int]?
        var scale: [Double]?
        var side: Int?
        var alpha: Double?
        var mean: [Double]
        var deviation: [Double]
    }
    struct Moved: Decodable {
        var name: String
        var side: Int
        var bin: Int
        var negative: Bool
        var pixels: [Int]
    }
    var crops: [Moments]
    var fallbacks: [[Int]]
    var erasings: Moments
    var cutBoxes: [Moments]
    var betas: [Moments]
    var centreCrops: [[Int]]
    var moved: [Moved]

    static let all: Golden = {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Goldens/augmentation.json")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        // The file is the project's own.
        return try! decoder.decode(Golden.self, from: Data(contentsOf: file))
    }()
}

@Suite struct AugmentationTests {
    private static let target = PixelSize(height: 224, width: 224)

    private static func policy(_ option: String) throws -> AugmentationPolicy {
        try AugmentationPolicy(option: option)
    }

    /// Expects columns of draws to have these means and deviations, within five standard errors of both.
    private static func expect(
        _ rows: [[Double]], _ golden: Golden.Moments, goldenCount: Double,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let count = Double(rows.count)
        for column in golden.mean.indices {
            let values = rows.map { $0[column] }
            let mean = values.reduce(0, +) / count
            let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
            let expected = golden.deviation[column]
            let error = 5 * expected * (1 / count + 1 / goldenCount).squareRoot() + 1e-9
            #expect(
                abs(mean - golden.mean[column]) <= error, "mean of \(column)", sourceLocation: sourceLocation)
            // A deviation's own error depends on the fourth moment; these distributions are near to even ones.
            #expect(
                abs(deviation - expected) <= 2 * error, "deviation of \(column)",
                sourceLocation: sourceLocation)
        }
    }

    @Test("Random resized crops are distributed as torchvision's")
    func crops() throws {
        for golden in Golden.all.crops {
            let (size, scale) = (golden.size!, golden.scale!)
            let policy = try Self.policy("random-resized-crop=\(scale[0]):\(scale[1])")
            let rows = (0..<20_000).map { image in
                let sample = policy.sample(
                    of: PixelSize(height: size[0], width: size[1]), to: Self.target, seed: 3, epoch: 1,
                    image: image)
                #expect(sample.resized == Self.target && sample.windowTop == 0 && sample.windowLeft == 0)
                let box = sample.box
                #expect(box.top >= 0 && box.left >= 0 && box.bottom <= size[0] && box.right <= size[1])
                return [box.top, box.left, box.height, box.width].map(Double.init)
            }
            Self.expect(rows, golden, goldenCount: 40_000)
        }
    }

    @Test("Where no crop fits, the largest part in the middle with allowed proportions is taken")
    func fallbacks() throws {
        let policy = try Self.policy("random-resized-crop=1:1")
        for row in Golden.all.fallbacks {
            let sample = policy.sample(
                of: PixelSize(height: row[0], width: row[1]), to: Self.target, seed: 1, epoch: 0, image: 0)
            #expect(sample.box == PixelBox(top: row[2], left: row[3], height: row[4], width: row[5]))
        }
    }

    @Test("Erased boxes are distributed as torchvision's, and as often as wanted")
    func erasing() throws {
        let golden = Golden.all.erasings
        let size = PixelSize(height: golden.side!, width: golden.side!)
        func boxes(_ option: String) throws -> [PixelBox] {
            let policy = try Self.policy(option)
            return (0..<20_000).compactMap {
                policy.sample(of: size, to: size, seed: 3, epoch: 1, image: $0).erased
            }
        }
        let all = try boxes("erase=1")
        #expect(all.count > 19_900)
        let rows = all.map { [$0.top, $0.left, $0.height, $0.width].map(Double.init) }
        Self.expect(rows, golden, goldenCount: 40_000)
        #expect(abs(try boxes("erase=0.25").count - 5000) < 320)
        #expect(try boxes("erase=0").isEmpty)
    }

    @Test("CutMix's boxes and shares are distributed as torchvision's")
    func cutmix() throws {
        for golden in Golden.all.cutBoxes {
            let size = PixelSize(height: golden.side!, width: golden.side!)
            let policy = try Self.policy("cutmix=\(golden.alpha!)")
            let rows = (0..<20_000).map { step in
                var samples = [policy.sample(of: size, to: size, seed: 1, epoch: 0, image: 0)]
                policy.mix(&samples, to: size, seed: 7, step: step)
                guard let mixture = samples[0].mixture, let box = mixture.box else {
                    return [Double?](repeating: nil, count: 3)
                }
                #expect(
                    mixture.share == Float(1 - Double(box.size.area) / Double(size.area)) && box.top >= 0
                        && box.left >= 0 && box.bottom <= size.height && box.right <= size.width)
                return [Double(box.height), Double(box.width), Double(mixture.share)]
            }
            // torchvision keeps boxes without pixels, of which one side may have some.
            let whole = rows.compactMap { $0[0] == nil ? nil : $0.map { $0! } }
            #expect(whole.count > 19_000 || golden.alpha! < 1)
            let shares = rows.map { [$0[2] ?? 1] }
            var moments = golden
            (moments.mean, moments.deviation) = ([golden.mean[2]], [golden.deviation[2]])
            Self.expect(shares, moments, goldenCount: 10_000)
        }
    }

    @Test("Mixup's share has the beta distribution, and is one for the whole batch")
    func mixup() throws {
        let size = PixelSize(height: 8, width: 8)
        for golden in Golden.all.betas {
            let policy = try Self.policy("mixup=\(golden.alpha!)")
            let rows = (0..<20_000).map { step in
                var samples = (0..<3).map { policy.sample(of: size, to: size, seed: 1, epoch: 0, image: $0) }
                policy.mix(&samples, to: size, seed: 7, step: step)
                #expect(samples.map { $0.mixture?.partner } == [2, 0, 1], "each with the one before it")
                #expect(Set(samples.map { $0.mixture?.share }).count == 1)
                #expect(samples.allSatisfy { $0.mixture?.box == nil })
                return [Double(samples[0].mixture!.share)]
            }
            Self.expect(rows, golden, goldenCount: 40_000)
        }
    }

    @Test("Where both are on, a batch has one of both at random; where none is, nothing is mixed")
    func both() throws {
        let size = PixelSize(height: 32, width: 32)
        func cuts(_ option: String) throws -> [Bool?] {
            let policy = try Self.policy(option)
            return (0..<1000).map { step in
                var samples = [ImageSample(of: size, box: PixelBox(size), resized: size)]
                policy.mix(&samples, to: size, seed: 7, step: step)
                return samples[0].mixture.map { $0.box != nil }
            }
        }
        let both = try cuts("mixup,cutmix")
        #expect(abs(both.filter { $0 == Optional(false) }.count - 500) < 80)
        let (mixed, cut, neither) = (try cuts("mixup"), try cuts("cutmix"), try cuts("flip"))
        #expect(mixed == [Bool?](repeating: false, count: 1000))
        #expect(neither == [Bool?](repeating: nil, count: 1000))
        #expect(!cut.contains(false))
    }

    @Test("Test images are resized and cropped as torchvision rounds", arguments: Golden.all.centreCrops)
    private func centreCrop(row: [Int]) {
        let side = row[2]
        let sample = TestFit.crop.sample(
            of: PixelSize(height: row[0], width: row[1]), to: PixelSize(height: side, width: side),
            evalCrop: 0.875)
        #expect(sample.box == PixelBox(PixelSize(height: row[0], width: row[1])))
        #expect(sample.resized == PixelSize(height: row[3], width: row[4]))
        #expect(sample.windowTop == row[5] && sample.windowLeft == row[6])
    }

    @Test("A stretched image is the whole one; a padded one keeps its proportions, in the middle")
    func fits() {
        let (size, target) = (PixelSize(height: 100, width: 50), PixelSize(height: 30, width: 40))
        let stretched = TestFit.stretch.sample(of: size, to: target, evalCrop: 0.875)
        #expect(stretched.resized == target && stretched.windowTop == 0 && stretched.windowLeft == 0)
        let padded = TestFit.pad.sample(of: size, to: target, evalCrop: 0.875)
        #expect(padded.resized == PixelSize(height: 30, width: 15))
        #expect(padded.windowTop == 0 && padded.windowLeft == -12)
        let flat = TestFit.pad.sample(of: PixelSize(height: 1, width: 9000), to: target, evalCrop: 0.875)
        #expect(flat.resized == PixelSize(height: 1, width: 40) && flat.windowTop == -14)
    }

    @Test("Padded crops lie anywhere within the padding")
    func paddedCrops() throws {
        let policy = try Self.policy("crop")
        let (size, target) = (PixelSize(height: 20, width: 40), PixelSize(height: 10, width: 10))
        let samples = (0..<3000).map { policy.sample(of: size, to: target, seed: 1, epoch: 0, image: $0) }
        #expect(samples.allSatisfy { $0.resized == PixelSize(height: 10, width: 20) })
        #expect(
            Set(samples.map(\.windowTop)) == Set(-4...4) && Set(samples.map(\.windowLeft)) == Set(-4...14))
    }

    /// Pixels that an adjustment's affine map takes, −1 for black: the rule of `ImageAdjustment.affine`.
    private static func moved(_ adjustment: ImageAdjustment, _ side: Int) -> [Int] {
        guard case .affine(let a, let b, let c, let d, let e, let f) = adjustment else { return [] }
        return (0..<side * side).map { pixel in
            let (y, x) = (Float(pixel / side - side / 2), Float(pixel % side - side / 2))
            let column = Int((a * x + b * y + c).rounded(.down)) + side / 2
            let row = Int((d * x + e * y + f).rounded(.down)) + side / 2
            let isInside = (0..<side).contains(column) && (0..<side).contains(row)
            return isInside ? row * side + column : -1
        }
    }

    @Test("RandAugment moves pixels as torchvision does on Pillow's images")
    func movedPixels() throws {
        let operations: [String: RandAugment.Operation] = [
            "ShearX": .shearX, "ShearY": .shearY, "TranslateX": .translateX, "TranslateY": .translateY,
            "Rotate": .rotate,
        ]
        for golden in Golden.all.moved {
            let size = PixelSize(height: golden.side, width: golden.side)
            let operation = try #require(operations[golden.name])
            let adjustment = try #require(
                RandAugment.adjustment(
                    operation, magnitude: golden.bin, isNegative: golden.negative, of: size))
            #expect(Self.moved(adjustment, golden.side) == golden.pixels, "\(golden.name) \(golden.bin)")
        }
    }

    @Test("RandAugment's magnitudes are torchvision's")
    func magnitudes() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Goldens/augmentation.json")
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
        let table = try #require(object?["rand_augment"] as? [String: [[Any]]])
        func adjustment(_ operation: RandAugment.Operation, _ bin: Int) -> ImageAdjustment? {
            RandAugment.adjustment(operation, magnitude: bin, isNegative: false, of: Self.target)
        }
        let signed = Set(RandAugment.Operation.allCases.filter(\.isSigned).map { "\($0)" })
        #expect(table.count == RandAugment.Operation.allCases.count)
        for (name, rows) in table {
            for row in rows {
                let bin = try #require(row[0] as? Int)
                let magnitude = try #require((row[1] as? NSNumber)?.doubleValue)
                let isSigned = try #require(row[2] as? Bool)
                let operation = try #require(
                    RandAugment.Operation.allCases.first { "\($0)".lowercased() == name.lowercased() })
                #expect(signed.contains("\(operation)") == isSigned)
                switch name {
                case "Brightness", "Color", "Contrast", "Sharpness":
                    let factor = Float(1 + magnitude)
                    let expected: [ImageAdjustment] = [
                        .brightness(factor), .saturation(factor), .contrast(factor), .sharpness(factor),
                    ]
                    #expect(expected.contains { $0 == adjustment(operation, bin) }, "\(name) \(bin)")
                case "Posterize": #expect(adjustment(operation, bin) == .posterize(Int(magnitude)))
                case "Solarize": #expect(adjustment(operation, bin) == .solarize(Float(magnitude)))
                case "AutoContrast": #expect(adjustment(operation, bin) == .autocontrast)
                case "Equalize": #expect(adjustment(operation, bin) == .equalize)
                case "Identity": #expect(adjustment(operation, bin) == nil)
                default: break  // Pixels that are moved have a test of their own.
                }
            }
        }
    }

    @Test("Jitter's factors lie in their ranges, in any order; a part of 0 is left out")
    func jitter() throws {
        let policy = try Self.policy("jitter=0.5:2:0:0.25")
        var orders = Set<String>()
        for image in 0..<500 {
            let sample = policy.sample(of: Self.target, to: Self.target, seed: 1, epoch: 0, image: image)
            #expect(sample.adjustments.count == 3)
            orders.insert(
                sample.adjustments.map { String("\($0)".prefix { $0 != "(" }) }.joined(separator: " "))
            for adjustment in sample.adjustments {
                switch adjustment {
                case .brightness(let factor): #expect((0.5...1.5).contains(factor))
                case .contrast(let factor): #expect((0...3).contains(factor))
                case .hue(let turn): #expect((-0.25...0.25).contains(turn))
                default: Issue.record("\(adjustment)")
                }
            }
        }
        #expect(orders.count == 6)
    }

    @Test("Flips are as often as not, apart from each other")
    func flips() throws {
        let policy = try Self.policy("flip,vertical-flip")
        let samples = (0..<4000).map {
            policy.sample(of: Self.target, to: Self.target, seed: 1, epoch: 0, image: $0)
        }
        for (mirrored, flipped) in [(false, false), (false, true), (true, false), (true, true)] {
            let count = samples.count { $0.isMirrored == mirrored && $0.isFlipped == flipped }
            #expect(abs(count - 1000) < 140)
        }
        let none = try Self.policy("none")
        let plain = none.sample(of: Self.target, to: Self.target, seed: 1, epoch: 0, image: 5)
        #expect(!plain.isMirrored && !plain.isFlipped && plain.adjustments.isEmpty && plain.erased == nil)
    }

    @Test("Samples follow from seed, epoch and image alone, and one augmentation does not change another's")
    func reproducible() throws {
        let all = try Self.policy("random-resized-crop,flip,vertical-flip,jitter,erase,randaugment")
        let size = PixelSize(height: 300, width: 400)
        func sample(_ policy: AugmentationPolicy, seed: UInt64 = 9, epoch: Int = 4, image: Int = 77)
            -> ImageSample
        {
            policy.sample(of: size, to: Self.target, seed: seed, epoch: epoch, image: image)
        }
        let one = sample(all)
        #expect(sample(all) == one)
        #expect(sample(all, seed: 10) != one && sample(all, epoch: 5) != one && sample(all, image: 78) != one)
        #expect(try sample(Self.policy("random-resized-crop")).box == one.box)
        #expect(try sample(Self.policy("flip")).isMirrored == one.isMirrored)
        #expect(try sample(Self.policy("erase")).erased == one.erased)
        #expect(one.adjustments.count <= ImageSample.adjustmentLimit)
        // Numbers that were drawn once: what a seed means stays.
        #expect(one.box == PixelBox(top: 66, left: 114, height: 196, width: 150))
    }

    @Test("What a window needs of an image is never empty, within the box, and all of it for a whole window")
    func neededPieces() {
        for seed in 0..<3000 {
            let words = Philox(seed: UInt64(seed), stream: .split)(Philox.Block(0, 0, 0, 1))
            let more = Philox(seed: UInt64(seed), stream: .split)(Philox.Block(0, 0, 0, 2))
            let (height, width) = (Int(words.x % 50) + 1, Int(words.y % 50) + 1)
            let box = PixelBox(top: Int(words.z % 9), left: Int(words.w % 9), height: height, width: width)
            var sample = ImageSample(
                of: PixelSize(height: 99, width: 99), box: box,
                resized: PixelSize(height: Int(more.x % 40) + 1, width: Int(more.y % 40) + 1))
            sample.windowTop = Int(more.z % 60) - 20
            sample.windowLeft = Int(more.w % 60) - 20
            let piece = sample.neededPiece(for: PixelSize(height: 10, width: 10))
            #expect(piece.height > 0 && piece.width > 0 && piece.top >= box.top && piece.left >= box.left)
            #expect(piece.bottom <= box.bottom && piece.right <= box.right)
            (sample.windowTop, sample.windowLeft) = (0, 0)
            #expect(sample.neededPiece(for: sample.resized) == box)
        }
    }

    @Test("What the option cannot mean is refused in its words")
    func refusals() {
        for (option, words) in [
            ("spin", "'spin'"), ("crop=4", "'crop=4'"), ("flip=", "'flip='"),
            ("jitter=1:2", "jitter=b:c:s:h"),
            ("erase=x", "erase=p"), ("random-resized-crop=1:0.5", "the smaller one first"),
            ("crop,random-resized-crop", "one of both"), ("none,flip", "'none'"), ("mixup=nan", "mixup=a"),
            ("mixup=", "mixup=a"),
        ] {
            let fault = #expect(throws: ValueFault.self) { try AugmentationPolicy(option: option) }
            #expect(fault?.usage.message.contains(words) == true, "\(fault?.usage.message ?? "read")")
        }
    }
}
