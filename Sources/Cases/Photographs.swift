import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    /// What makes the network's images of photographs.
    package static let photographs: [OpCase] =
        cropConfigurations.map(crop) + adjustmentConfigurations.map(adjustments) + normalisations + labels
        + mixedLosses

    // MARK: Crops

    private static func crop(_ configuration: CropConfiguration) -> OpCase {
        let samples = configuration.placedSamples
        let op = Op.ImageCrop(
            batch: configuration.batch, size: configuration.target, channels: configuration.channels)
        let shape = Shape(
            images: op.batch, height: op.size.height, width: op.size.width, channels: op.channels)
        let byteCount = TensorType([samples.byteCount(configuration.channels)], .uint8)
        var result = OpCase(
            "crops, \(configuration.name)", "image_crop",
            settings: [
                "size": op.size.doubles, "channels": [Double(op.channels)], "batch": [Double(op.batch)],
            ]
            .merging(configuration.rows.settings) { $1 },
            inputs: [.region(.images(.train), byteCount, .bytes), .samples(samples)],
            outputs: [.value(shape)], steps: configuration.rows.steps
        ) { graph, inputs in
            try graph.apply(.imageCrop(op), to: inputs, name: "crop", pass: .input)
        }
        result.isExactOnIntegers = true
        return result.checked(if: configuration.isChecked)
    }

    // MARK: Adjustments

    private static func adjustments(_ configuration: AdjustmentConfiguration) -> OpCase {
        var result = OpCase(
            "adjustments, \(configuration.name)", "image_adjustments",
            settings: configuration.rows.settings,
            inputs: [
                .region(.images(.train), TensorType(configuration.shape, .uint8), .bytes),
                .samples(configuration.samples),
            ],
            outputs: [.value(configuration.shape)], steps: configuration.rows.steps
        ) { graph, inputs in
            try graph.apply(.imageAdjustments, to: inputs, name: "adjustments", pass: .input)
        }
        // Of Pillow's bytes some are one off, see docs/augmentation.md; devices have the reference's very bytes.
        if configuration.isOneOff { result.tolerance = 1.001 / 255 }
        result.isExactOnIntegers = true
        return result.checked(if: configuration.isChecked)
    }

    // MARK: Normalisation

    private static let normalisations: [OpCase] = [
        normalisation("3×3×1", [3, 3, 3, 1], [[], [], []]),
        normalisation("17×5×3", [2, 17, 5, 3], [[], []]).checked,
        normalisation("erased", [2, 9, 11, 3], [[.erased(2, 3, 4, 5)], [.erased(0, 0, 9, 1)]]),
        normalisation(
            "mixup", [3, 7, 6, 3],
            [
                [.mixed(2, 0.75)], [.mixed(0, 0.25), .erased(1, 1, 3, 2)],
                [.mixed(1, 1), .erased(5, 0, 2, 6)],
            ]
        ).checked,
        normalisation(
            "cutmix", [3, 8, 33, 3],
            [
                [.cut(2, 0.75, 2, 3, 4, 20)], [.cut(0, 0.5, 0, 0, 8, 33), .erased(3, 7, 2, 9)],
                [.cut(1, 0.9, 7, 32, 1, 1), .erased(0, 0, 8, 2)],
            ]
        ).checked,
        normalisation("narrow and mixed", [2, 4, 2, 1], [[.mixed(1, 0.3)], [.cut(0, 0.3, 1, 0, 2, 1)]]),
        normalisation(
            "few rows of a larger set", [4, 5, 7, 3],
            [[], [.erased(1, 1, 2, 2)], [.erased(0, 2, 5, 3)], [], []],
            rows: Rows(firstImage: 1, imageCount: 2)
        ).checked,
        normalisation("224×224", [2, 224, 224, 3], [[.cut(1, 0.125, 10, 20, 100, 50)], [.mixed(0, 0.5)]]),
    ]

    private static func normalisation(
        _ name: String, _ shape: Shape, _ marks: [[SampleMark]], rows: Rows? = nil
    ) -> OpCase {
        let rows = rows ?? Rows(firstImage: 0, imageCount: shape.images)
        let mean: [Float] = (0..<shape.channels).map { 0.25 + 0.125 * Float($0) }
        let deviation: [Float] = (0..<shape.channels).map { 0.5 - 0.0625 * Float($0) }
        let op = Op.ImageNormalisation(mean: mean, standardDeviation: deviation)
        return OpCase(
            "normalisation of photographs, \(name)", "image_normalisation",
            settings: ["mean": mean.map(Double.init), "deviation": deviation.map(Double.init)]
                .merging(rows.settings) { $1 },
            inputs: [
                .region(.images(.train), TensorType(shape, .uint8), .bytes), .samples(marks.map(sample)),
            ],
            outputs: [.value(shape)], steps: rows.steps
        ) { graph, inputs in
            try graph.apply(.imageNormalisation(op), to: inputs, name: "normalisation", pass: .input)
        }
    }

    // MARK: Labels and losses

    /// What is compared is the loss that they give.
    private static let labels: [OpCase] = [
        (5, Rows(firstImage: 0, imageCount: 5)), (4, Rows(firstImage: 3, imageCount: 2)),
    ].map { batch, rows in
        let labels = (0..<batch + rows.firstImage).map { sample([.label(($0 * 7 + 3) % 10)]) }
        var result = OpCase(
            "labels of \(batch) samples from \(rows.firstImage)", "sample_loss", settings: rows.settings,
            inputs: [.tensor([batch, 10]), .samples(labels)], outputs: [.value([batch, 4])],
            steps: rows.steps
        ) { graph, inputs in
            let labels = try graph.apply(
                .sampleLabels, to: [inputs[1], inputs[0]], name: "labels", pass: .input)[0]
            return try graph.apply(.softmaxCrossEntropy(), to: [inputs[0], labels], name: "loss")
        }
        result.launches = 2
        // The labels' kernels are built for images.
        return result.checked
    }

    private static let mixedLosses: [OpCase] = [
        MixedLoss(3, 5, shares: [0.75, 0.25, 0.5]),
        MixedLoss(4, 33, shares: [1, 0, 0.3, 0.6], smoothing: 0.1),
        MixedLoss(7, 100, shares: [0.2], smoothing: 0.25, rows: Rows(firstImage: 2, imageCount: 4)),
        MixedLoss(64, 10, shares: [0.625]), MixedLoss(33, 1000, shares: [0.1], smoothing: 0.1),
    ].flatMap { loss in [mixedLoss(loss), mixedGradient(loss), mixedStep(loss)] }

    private static func mixedCase(
        _ what: String, _ operation: String, _ loss: MixedLoss, outputs: [CaseOutput], launches: Int,
        slot: Int = 0,
        build: @escaping @Sendable (inout Graph, [ValueID], ValueID) throws -> [ValueID]
    ) -> OpCase {
        var steps = loss.rows.steps
        steps[0].slot = UInt32(slot)
        var result = OpCase(
            "\(what), \(loss.name)", operation,
            settings: ["smoothing": [Double(loss.smoothing)], "slot": [Double(slot)]]
                .merging(loss.rows.settings) { $1 },
            inputs: [.tensor([loss.images, loss.classes]), .samples(loss.samples)], outputs: outputs,
            steps: steps
        ) { graph, inputs in
            let labels = try graph.apply(
                .sampleLabels, to: [inputs[1], inputs[0]], name: "labels", pass: .input)[0]
            return try build(&graph, inputs, labels)
        }
        result.launches = launches
        return result.checked(if: loss.images < 10)
    }

    private static func mixedLoss(_ loss: MixedLoss) -> OpCase {
        mixedCase(
            "mixed loss", "sample_loss", loss, outputs: [.value([loss.images, 4])], launches: 2
        ) { graph, inputs, labels in
            try graph.apply(
                .softmaxCrossEntropy(loss.op), to: [inputs[0], labels, inputs[1]], name: "loss")
        }
    }

    private static func mixedGradient(_ loss: MixedLoss) -> OpCase {
        mixedCase(
            "mixed loss's gradient", "sample_loss_gradient", loss,
            outputs: [.value([loss.images, loss.classes])], launches: 2
        ) { graph, inputs, labels in
            try graph.apply(loss.op.gradientSeed, to: [inputs[0], labels, inputs[1]], name: "loss")
        }
    }

    /// What a training step does with its logits: devices make one node of it.
    private static func mixedStep(_ loss: MixedLoss) -> OpCase {
        let type = TensorType([4, 4])
        return mixedCase(
            "mixed loss, gradient and metrics", "sample_loss_step", loss,
            outputs: [
                .value([loss.images, loss.classes]),
                CaseOutput(place: .region(.metrics(.train), .float32), shape: type.shape),
            ], launches: 4, slot: 1
        ) { graph, inputs, labels in
            let operands = [inputs[0], labels, inputs[1]]
            let rows = try graph.apply(.softmaxCrossEntropy(loss.op), to: operands, name: "loss")
            let gradient = try graph.apply(loss.op.gradientSeed, to: operands, name: "loss")
            let metrics = graph.addRegion(.metrics(.train), type)
            _ = try graph.apply(.recordMetrics, to: [rows[0], metrics], name: "metrics")
            return gradient
        }
    }
}

// MARK: Configurations

/// Which samples a step takes.
private struct Rows: Sendable {
    var firstImage: Int
    var imageCount: Int

    var settings: [String: [Double]] {
        ["firstImage": [Double(firstImage)], "imageCount": [Double(imageCount)]]
    }
    var steps: [StepUniforms] { StepUniforms.single(images: imageCount, firstImage: firstImage) }
}

extension [ImageSample] {
    /// Of all pieces.
    fileprivate func byteCount(_ channels: Int) -> Int {
        self.map { $0.offset + $0.piece.size.area * channels }.max()!
    }
}

private struct CropConfiguration: Checkable, Sendable {
    var target: Extent
    var channels: Int
    var samples: [ImageSample]
    /// Whether the bytes of a whole image are there, or only the piece that is needed.
    var storesWhole = false
    /// Nil for as many as there are samples.
    var chosenRows: (batch: Int, Rows)?
    var isChecked = false

    init(
        _ target: Extent, _ channels: Int, storesWhole: Bool = false, batch: Int? = nil, rows: Rows? = nil,
        _ samples: [ImageSample]
    ) {
        self.target = target
        self.channels = channels
        self.storesWhole = storesWhole
        self.samples = samples
        chosenRows = rows.map { (batch ?? samples.count, $0) }
    }

    var batch: Int { chosenRows?.batch ?? samples.count }
    var rows: Rows { chosenRows?.1 ?? Rows(firstImage: 0, imageCount: samples.count) }

    var name: String {
        let first = samples[0]
        return "\(channels) channels, \(batch) of \(first.box.size) to \(first.resized) to \(target)"
            + (storesWhole ? ", whole" : "")
            + (chosenRows.map { ", \($0.1.imageCount) from \($0.1.firstImage)" } ?? "")
    }

    /// One piece after the other, each a byte further than it would have to be.
    var placedSamples: [ImageSample] {
        var offset = 1
        return samples.map { sample in
            var sample = sample
            if !storesWhole {
                sample.piece = sample.neededPiece(for: PixelSize(height: target.height, width: target.width))
            }
            sample.offset = offset
            offset += sample.piece.size.area * channels + 1
            return sample
        }
    }
}

/// - Parameters:
///   - box: top, left, height, width.
///   - window: top, left.
private func cropped(
    of image: (Int, Int), _ box: (Int, Int, Int, Int)? = nil, to resized: (Int, Int),
    window: (Int, Int) = (0, 0),
    mirrored: Bool = false, flipped: Bool = false
) -> ImageSample {
    let size = PixelSize(height: image.0, width: image.1)
    var sample = ImageSample(
        of: size,
        box: box.map { PixelBox(top: $0.0, left: $0.1, height: $0.2, width: $0.3) } ?? PixelBox(size),
        resized: PixelSize(height: resized.0, width: resized.1))
    (sample.windowTop, sample.windowLeft) = window
    (sample.isMirrored, sample.isFlipped) = (mirrored, flipped)
    return sample
}

private let cropConfigurations: [CropConfiguration] = [
    // As they are, one pixel, nothing of a window.
    .init(Extent(5, 7), 3, [cropped(of: (5, 7), to: (5, 7))]),
    .init(Extent(1), 1, [cropped(of: (1, 1), to: (1, 1)), cropped(of: (9, 4), to: (1, 1))]).checked,
    .init(
        Extent(3), 3,
        [cropped(of: (4, 4), to: (4, 4), window: (40, 0)), cropped(of: (4, 4), to: (6, 6), window: (0, -9))]),
    // Larger, smaller, one way each; mirrored and flipped; part of an image.
    .init(
        Extent(9, 20), 3,
        [
            cropped(of: (5, 7), to: (9, 20)), cropped(of: (30, 70), to: (9, 20), mirrored: true),
            cropped(of: (4, 90), to: (9, 20), flipped: true),
            cropped(of: (40, 8), (3, 1, 30, 6), to: (9, 20), mirrored: true, flipped: true),
        ]
    ).checked,
    .init(
        Extent(16), 1, storesWhole: true,
        [
            cropped(of: (31, 50), (5, 9, 20, 30), to: (16, 16)),
            cropped(of: (19, 17), (18, 0, 1, 17), to: (16, 16)),
        ]
    ).checked,
    // Windows: inside, beyond every edge.
    .init(
        Extent(12, 10), 3,
        [
            cropped(of: (50, 40), to: (20, 16), window: (4, 3)),
            cropped(of: (50, 40), to: (12, 10), window: (-4, 3), mirrored: true),
            cropped(of: (15, 40), to: (12, 10), window: (4, -2), flipped: true),
            cropped(of: (8, 3), to: (6, 5), window: (-3, -2), mirrored: true),
        ]
    ).checked,
    // Footprints longer than what kernels keep, of columns, rows and both.
    .init(
        Extent(3, 4), 3,
        [cropped(of: (7, 300), to: (3, 4)), cropped(of: (7, 311), to: (3, 4), mirrored: true)]
    )
    .checked,
    .init(
        Extent(4, 3), 1,
        [cropped(of: (400, 6), to: (4, 3)), cropped(of: (250, 200), to: (2, 1), window: (-1, 0))]
    ).checked,
    .init(Extent(33, 34), 3, [cropped(of: (300, 301), to: (33, 34), mirrored: true)]),
    // Rows of a larger set, the last of them repeated.
    .init(
        Extent(6), 3, batch: 5, rows: Rows(firstImage: 1, imageCount: 2),
        (0..<4).map { cropped(of: (9 + $0, 12 - $0), to: (6, 6), mirrored: $0 % 2 == 1) }
    ).checked,
    .init(Extent(8), 4, [cropped(of: (21, 13), to: (8, 8))]),
    .init(Extent(8), 2, [cropped(of: (21, 13), to: (8, 8))]),
    // As large as real ones.
    .init(
        Extent(224), 3, storesWhole: true,
        [
            cropped(of: (375, 500), (31, 77, 260, 333), to: (224, 224), mirrored: true),
            cropped(of: (375, 500), to: (256, 341), window: (16, 58)),
        ]),
    .init(Extent(224), 3, [cropped(of: (120, 90), (10, 4, 100, 80), to: (224, 224))]),
]

private struct AdjustmentConfiguration: Checkable, Sendable {
    var name: String
    var shape: Shape
    var samples: [ImageSample]
    var rows: Rows
    var isOneOff: Bool
    var isChecked = false

    init(
        _ name: String, _ shape: Shape, _ adjustments: [[ImageAdjustment]], isOneOff: Bool = false,
        rows: Rows? = nil
    ) {
        self.name = "\(name), \(shape)"
        self.shape = shape
        samples = adjustments.map { list in sample(list.map { .adjusted($0) }) }
        self.rows = rows ?? Rows(firstImage: 0, imageCount: adjustments.count)
        self.isOneOff = isOneOff
    }
}

private let adjustmentConfigurations: [AdjustmentConfiguration] = [
    .init("none", [2, 5, 7, 3], [[], []]),
    .init("brightness", [3, 9, 8, 3], [[.brightness(0.5)], [.brightness(1.25)], [.brightness(0)]]),
    .init("brightness", [2, 9, 8, 1], [[.brightness(0.7)], [.brightness(2.5)]], isOneOff: true),
    .init("contrast", [2, 9, 8, 3], [[.contrast(0.5)], [.contrast(1.75)]]),
    .init("contrast", [2, 9, 8, 1], [[.contrast(0.6)], [.contrast(1.3)]], isOneOff: true),
    .init("saturation", [2, 9, 8, 3], [[.saturation(0.25)], [.saturation(1.5)]]),
    .init("saturation and hue of grey", [2, 9, 8, 1], [[.saturation(0.25)], [.hue(0.25)]]),
    .init("hue", [4, 9, 8, 3], [[.hue(0.1)], [.hue(-0.5)], [.hue(0.5)], [.hue(-0.03)]]),
    .init("sharpness", [2, 9, 8, 3], [[.sharpness(0)], [.sharpness(1.9)]]),
    .init("sharpness", [3, 2, 3, 1], [[.sharpness(0.5)], [.sharpness(2)], [.sharpness(1)]]),
    .init("posterize", [3, 4, 5, 3], [[.posterize(3)], [.posterize(0)], [.posterize(8)]]),
    .init("solarize", [3, 4, 5, 3], [[.solarize(0)], [.solarize(127.5)], [.solarize(255)]]),
    .init(
        "autocontrast", [3, 6, 5, 3],
        [[.autocontrast], [.posterize(1), .autocontrast], [.posterize(0), .autocontrast]]),
    .init(
        "autocontrast of less", [2, 6, 5, 1],
        [[.brightness(0.5), .autocontrast], [.brightness(0.25), .autocontrast]]),
    .init(
        "equalize", [3, 30, 25, 3], [[.equalize], [.posterize(2), .equalize], [.posterize(0), .equalize]]),
    .init("equalize few pixels", [2, 4, 5, 1], [[.equalize], [.posterize(1), .equalize]]),
    .init(
        "affine", [3, 9, 12, 3],
        [
            [.affine(1, 0.25, 0.5, 0, 1, 0)], [.affine(1, 0, -3, 0, 1, 2)],
            [.affine(0.75, -0.5, 0.25, 0.5, 0.75, -0.125)],
        ]),
    .init(
        "several, rows of a larger set", [4, 11, 9, 3],
        [
            [.equalize], [.posterize(4), .affine(1, 0, 2, 0, 1, -1), .solarize(100)],
            [.autocontrast, .posterize(5), .equalize, .affine(1, 0.25, 0, 0, 1, 0)], [], [.solarize(9)],
        ], rows: Rows(firstImage: 1, imageCount: 3)
    ).checked,
    .init(
        "all", [2, 33, 35, 3],
        [
            [
                .brightness(1.2), .contrast(0.7), .saturation(1.4), .hue(0.07), .sharpness(1.6),
                .autocontrast,
                .equalize, .affine(1, 0.125, 0, 0, 1, 0),
            ], [.hue(-0.2), .contrast(1.5)],
        ], isOneOff: true
    ),
    .init("as large as real ones", [1, 224, 224, 3], [[.equalize, .posterize(6)]]),
]

/// What is set in a sample that is otherwise of no image.
private enum SampleMark: Sendable {
    case label(Int)
    case adjusted(ImageAdjustment)
    /// Top, left, height, width.
    case erased(Int, Int, Int, Int)
    /// Partner and share.
    case mixed(Int, Float)
    /// And top, left, height, width.
    case cut(Int, Float, Int, Int, Int, Int)
}

private func sample(_ marks: [SampleMark]) -> ImageSample {
    let one = PixelSize(height: 1, width: 1)
    var sample = ImageSample(of: one, box: PixelBox(one), resized: one)
    for mark in marks {
        switch mark {
        case .label(let label): sample.label = label
        case .adjusted(let adjustment): sample.adjustments.append(adjustment)
        case .erased(let top, let left, let height, let width):
            sample.erased = PixelBox(top: top, left: left, height: height, width: width)
        case .mixed(let partner, let share): sample.mixture = .init(partner: partner, share: share)
        case .cut(let partner, let share, let top, let left, let height, let width):
            let box = PixelBox(top: top, left: left, height: height, width: width)
            sample.mixture = .init(partner: partner, share: share, box: box)
        }
    }
    return sample
}

/// Logits and samples, each row mixed with the one before it.
private struct MixedLoss: Sendable {
    var images: Int
    var classes: Int
    /// Of rows, again and again.
    var shares: [Float]
    var smoothing: Float
    var rows: Rows

    init(_ images: Int, _ classes: Int, shares: [Float], smoothing: Float = 0, rows: Rows? = nil) {
        self.images = images
        self.classes = classes
        self.shares = shares
        self.smoothing = smoothing
        self.rows = rows ?? Rows(firstImage: 0, imageCount: images)
    }

    var name: String {
        "\(images)×\(classes), shares \(shares), smoothing \(smoothing), \(rows.imageCount) from \(rows.firstImage)"
    }

    var op: Op.SoftmaxCrossEntropy { Op.SoftmaxCrossEntropy(labelSmoothing: smoothing, mixes: true) }

    /// Some have the label of their partner; partners are within the step's images.
    var samples: [ImageSample] {
        (0..<images + rows.firstImage).map { place in
            let row = place - rows.firstImage
            let partner = row <= 0 ? rows.imageCount - 1 : row - 1
            return sample([
                .label((place * place + 2) % classes), .mixed(partner, shares[place % shares.count]),
            ])
        }
    }
}

// MARK: Measured beside Pillow and torchvision

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
            return Self.adjustments(configuration)
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
