import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    static let adjustments = adjustmentConfigurations.map(adjusted)

    static func adjusted(_ configuration: AdjustmentConfiguration) -> OpCase {
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
}

struct AdjustmentConfiguration: Checkable, Sendable {
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
