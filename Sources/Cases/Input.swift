import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    package static let input: [OpCase] = [
        images([10, 28, 28, 1], batch: 4, to: 28).checked, images([10, 28, 28, 1], batch: 3, to: 224),
        images([10, 28, 28, 1], batch: 5, to: 96).checked, images([5, 32, 32, 3], batch: 2, to: 32),
        images([5, 32, 32, 3], batch: 2, to: 64), images([3, 32, 32, 3], batch: 2, to: 16).checked,
        images([4, 9, 7, 1], batch: 3, to: [5, 13]).checked, images([2, 5, 5, 5], batch: 1, to: [11, 3]),
        images([1, 1, 1, 1], batch: 1, to: 1).checked, images([2, 1, 1, 3], batch: 2, to: 4),
        images([7, 8, 8, 3], batch: 7, to: 1),
        images([9, 6, 6, 1], batch: 3, to: 6, firstImage: 5),
        images([9, 6, 6, 1], batch: 5, to: 6, firstImage: 7, imageCount: 2).checked,
        images([9, 6, 6, 1], batch: 5, to: 9, flips: true),
        images([9, 7, 5, 3], batch: 7, to: [7, 5], flips: true, step: 9),
        images([9, 7, 5, 3], batch: 7, to: [7, 5], cropPadding: 2).checked,
        images([6, 32, 32, 3], batch: 5, to: 32, cropPadding: 4, flips: true, step: 12_345),
        images([6, 28, 28, 1], batch: 3, to: 96, cropPadding: 3, flips: true, seed: 1 << 40 | 5).checked,
        images([6, 3, 3, 1], batch: 5, to: 5, cropPadding: 5, flips: true),
    ]

    private static func images(
        _ source: Shape, batch: Int, to size: Extent, firstImage: Int = 0, imageCount: Int? = nil,
        cropPadding: Int = 0, flips: Bool = false, seed: UInt64 = 3, step: Int = 1
    ) -> OpCase {
        let imageCount = imageCount ?? batch
        let mean: [Float] = (0..<source.channels).map { 0.25 + 0.125 * Float($0) }
        let deviation: [Float] = (0..<source.channels).map { 0.5 - 0.0625 * Float($0) }
        let op = Op.ImageInput(
            batch: batch, size: size, mean: mean, standardDeviation: deviation, cropPadding: cropPadding,
            flips: flips)
        let shape = Shape(images: batch, height: size.height, width: size.width, channels: source.channels)
        return OpCase(
            "images, \(source) to \(shape), \(imageCount) from \(firstImage), crop \(cropPadding), "
                + "flips \(flips), seed \(seed), step \(step)", "image_input",
            settings: [
                "batch": [Double(batch)], "size": size.doubles, "mean": mean.map(Double.init),
                "deviation": deviation.map(Double.init), "cropPadding": [Double(cropPadding)],
                "flips": [flips ? 1 : 0], "firstImage": [Double(firstImage)],
                "imageCount": [Double(imageCount)], "step": [Double(step)],
                "seed": [Double(UInt32(truncatingIfNeeded: seed)), Double(seed >> 32)],
            ],
            inputs: [
                .region(.images(.train), TensorType(source, .uint8), .bytes),
                .region(.order(.train), TensorType([source.images], .int32), .below(source.images)),
            ],
            outputs: [.value(shape)],
            steps: StepUniforms.single(images: imageCount, firstImage: firstImage, seed: seed, step: step)
        ) { graph, inputs in
            try graph.apply(.imageInput(op), to: inputs, name: "images", pass: .input)
        }
    }
}
