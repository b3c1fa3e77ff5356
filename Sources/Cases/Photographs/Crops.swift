import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    static let crops = cropConfigurations.map(crop)

    static func crop(_ configuration: CropConfiguration) -> OpCase {
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
}

extension [ImageSample] {
    /// Of all pieces.
    fileprivate func byteCount(_ channels: Int) -> Int {
        self.map { $0.offset + $0.piece.size.area * channels }.max()!
    }
}

struct CropConfiguration: Checkable, Sendable {
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
func cropped(
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
