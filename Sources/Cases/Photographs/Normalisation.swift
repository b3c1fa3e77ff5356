import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    static let normalisations: [OpCase] = [
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
}
