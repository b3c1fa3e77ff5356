import Foundation
import ResinGraph
import ResinPlan
import ResinReference
import ResinTensor

/// One-hot rows → a dense layer, whose weights thus are the image → the operator → flatten → cross-entropy.
///
/// The loss is computed here, in double precision, from the logits: what the executor stores has 24 bits.
final class DifferenceNetwork {
    private let executor: any Executor = ReferenceExecutor()
    private let plan: Plan
    private let executable: any Executable
    private let logits: ValueID
    private let images: Int
    private let smoothing: Double
    private var parameters: [[Float]]
    private let uniforms: StepUniforms
    /// Half the distance between the two losses of a difference.
    private let step: Float = 0x1p-6

    init(_ differenceCase: DifferenceCase) throws {
        let shape = differenceCase.shape
        let images = shape.images
        var graph = Graph()
        let bytes = graph.addRegion(.images(.train), TensorType([images, 1, 1, images], .uint8))
        let order = graph.addRegion(.order(.train), TensorType([images], .int32))
        let classes = graph.addRegion(.labels(.train), TensorType([images], .int32))
        let input = Op.ImageInput(
            batch: images, size: Extent(1), mean: Array(repeating: 0, count: images),
            standardDeviation: Array(repeating: 1, count: images))
        let rows = try graph.apply(
            .imageInput(input), to: [bytes, order], name: "rows", pass: .input)
        let flatRows = try graph.apply(.flatten, to: rows, name: "rows")
        let image = graph.addParameter(
            Parameter(
                name: "image",
                layout: .dense(outputs: shape.count / images, inputs: images, height: 1, width: 1),
                role: .filter))
        let dense = Op.Convolution2D(
            window: Window(kernel: 1), outputChannels: shape.count / images, hasBias: false)
        let flatImage = try graph.apply(.convolution2D(dense), to: flatRows + [image], name: "image")
        let x = try graph.apply(.unflatten(Op.Unflatten(shape: shape)), to: flatImage, name: "image")[0]
        let y = try differenceCase.build(&graph, x)
        let logits = try graph.apply(.flatten, to: [y], name: "logits")[0]
        let labels = try graph.apply(.labelInput, to: [classes, order, logits], name: "labels")[0]
        let lossOp = Op.SoftmaxCrossEntropy(labelSmoothing: differenceCase.labelSmoothing)
        let loss = try graph.apply(.softmaxCrossEntropy(lossOp), to: [logits, labels], name: "loss")[0]
        try graph.differentiate(loss)
        graph.results = [logits]
        self.images = images
        self.logits = logits
        smoothing = Double(differenceCase.labelSmoothing)

        plan = executor.makePlan(graph)
        try executor.makeRoom(for: StepPlan([plan]))
        let oneHot = (0..<images * images).map { UInt8($0 / images == $0 % images ? 255 : 0) }
        try executor.write(oneHot, to: .images(.train))
        try executor.write((0..<images).map(Int32.init), to: .order(.train))
        try executor.write((0..<images).map(Int32.init), to: .labels(.train))
        executable = try executor.prepare(plan)

        // Device order: the image's elements of one image lie apart by the number of images.
        let elements = shape.count / images
        var parameters = [
            (0..<shape.count).map { differenceCase.image($0 % images * elements + $0 / images) }
        ]
        for (index, parameter) in graph.parameters.enumerated().dropFirst() {
            parameters.append(
                (0..<parameter.layout.count).map { element in
                    // Biases keep what comes after a convolution away from a ReLU's kink.
                    if case .bias = parameter.role { return element % 2 == 0 ? 3 : -3 }
                    return Float((element * 37 + index * 11) % 61) / 61 - 0.46
                })
        }
        self.parameters = parameters
        uniforms = StepUniforms(seed: 5, step: 1, imageCount: images)
    }

    /// Of each parameter, in the device's order, as the graph computes it.
    func gradients() throws -> [[Double]] {
        _ = try loss()
        return try plan.parameterLayout.ranges.map {
            try executor.read(.gradients, offset: 4 * $0.lowerBound, count: $0.count, as: Float(0))
                .map(Double.init)
        }
    }

    /// The loss's slope between a step below and a step above one weight.
    func difference(_ parameter: Int, _ index: Int) throws -> Double {
        let value = parameters[parameter][index]
        defer { parameters[parameter][index] = value }
        parameters[parameter][index] = value + step
        let above = try loss()
        parameters[parameter][index] = value - step
        let below = try loss()
        let distance = Double(value + step) - Double(value - step)
        return (above - below) / distance
    }

    private func loss() throws -> Double {
        for (values, range) in zip(parameters, plan.parameterLayout.ranges) {
            try executor.write(values, to: .parameters, offset: 4 * range.lowerBound)
        }
        try executable.run(uniforms)
        let logits = try executable.read(logits).map(Double.init)
        let classes = logits.count / images
        let losses = (0..<images).map { image in
            let row = logits[image * classes..<(image + 1) * classes]
            let mean = row.reduce(0, +) / Double(classes)
            return log(row.reduce(0) { $0 + exp($1) }) - (1 - smoothing) * row[row.startIndex + image]
                - smoothing * mean
        }
        return losses.reduce(0, +) / Double(images)
    }
}
