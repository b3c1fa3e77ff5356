import ResinGraph
import ResinTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The softmax of one row of logits, as far as its loss and its gradient need it.
private struct Softmax {
    let logits: UnsafeMutableBufferPointer<Float>.SubSequence
    let label: Int
    private let largest: Double
    private let sum: Double

    /// - Parameter row: the image in the batch.
    init(_ invocation: Invocation, row: Int) {
        let classes = invocation.inputs[0].shape.channels
        logits = invocation.inputs[0].floats[row * classes..<(row + 1) * classes]
        label = Int(invocation.inputs[1].integers[row])
        precondition(
            (0..<classes).contains(label), "image \(row) has label \(label), but there are \(classes) classes"
        )
        let largest = Double(logits.max()!)
        self.largest = largest
        sum = logits.reduce(0) { $0 + exp(Double($1) - largest) }
    }

    subscript(k: Int) -> Float { logits[logits.startIndex + k] }

    func probability(_ k: Int) -> Double { exp(Double(self[k]) - largest) / sum }

    /// −Σ target·log(probability), where the target is the label's alone, or shared by so much with all classes.
    func loss(labelSmoothing: Double) -> Double {
        let own = Double(self[label]) - largest
        if labelSmoothing == 0 { return log(sum) - own }
        let mean = logits.reduce(0) { $0 + (Double($1) - largest) } / Double(logits.count)
        return log(sum) - (1 - labelSmoothing) * own - labelSmoothing * mean
    }

    /// Number of classes whose logit counts as larger than the label's; one that is not a number does.
    var rank: Int {
        (0..<logits.count).count { k in
            k != label && !(self[k] < self[label] || (self[k] == self[label] && k > label))
        }
    }
}

extension Op.SoftmaxCrossEntropy: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let rows = invocation.outputs[0].floats
        let columns = Metric.allCases.count
        rows.update(repeating: 0)
        for n in 0..<Int(invocation.uniforms.imageCount) {
            let softmax = Softmax(invocation, row: n)
            let loss = Float(softmax.loss(labelSmoothing: Double(labelSmoothing)))
            func set(_ metric: Metric, _ value: Float) { rows[n * columns + metric.rawValue] = value }
            set(.loss, loss)
            set(.correct, softmax.rank < 1 ? 1 : 0)
            set(.correctAmong5, softmax.rank < 5 ? 1 : 0)
            set(.notFinite, loss.isFinite ? 0 : 1)
        }
    }
}

extension Op.SoftmaxCrossEntropyGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let classes = invocation.inputs[0].shape.channels
        let gradient = invocation.outputs[0].floats
        let count = Int(invocation.uniforms.imageCount)
        let smoothing = Double(labelSmoothing)
        // The third input is a LossScale, whose scale comes first.
        let scale = invocation.inputs.count > 2 ? Double(invocation.inputs[2].floats[0]) : 1
        gradient.update(repeating: 0)
        for n in 0..<count {
            let softmax = Softmax(invocation, row: n)
            for k in 0..<classes {
                let target = smoothing / Double(classes) + (k == softmax.label ? 1 - smoothing : 0)
                gradient[n * classes + k] = Float(scale * (softmax.probability(k) - target) / Double(count))
            }
        }
    }
}

extension Op.RecordMetrics: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let rows = invocation.inputs[0].floats
        let metrics = invocation.inputs[1].floats
        let columns = Metric.allCases.count
        let slot = Int(invocation.uniforms.slot)
        precondition(
            (slot + 1) * columns <= metrics.count,
            "the step writes row \(slot) of metrics that have \(metrics.count / columns) rows")
        for column in 0..<columns {
            var sum = 0.0
            for n in 0..<invocation.inputs[0].shape.images { sum += Double(rows[n * columns + column]) }
            metrics[slot * columns + column] = Float(sum)
        }
    }
}

extension Op.ChannelActivity: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let x = invocation.inputs[0].floats
        let activity = invocation.inputs[1].integers
        let channels = invocation.inputs[0].shape.channels
        precondition(
            offset + channels <= activity.count,
            "activity has \(activity.count) places, not \(offset + channels)")
        for index in x.indices where x[index] > 0 { activity[offset + index % channels] = 1 }
    }
}

extension Op.LossStep: ReferenceOperator {
    /// What it was made of, one after the other.
    func execute(_ invocation: Invocation) {
        let (logits, regions) = (invocation.inputs[0], invocation.inputs[1...])
        let images = logits.shape.images
        let labels = Memory(byteCount: 4 * images, filledWith: 0xFF)
        let rows = Memory(byteCount: Metric.rowByteCount * images, filledWith: 0xFF)
        let ofLabels = Operand(TensorType([images], .int32), at: labels.pointer)
        let ofRows = Operand(TensorType([images, Metric.allCases.count]), at: rows.pointer)
        func execute(_ op: any ReferenceOperator, _ inputs: [Operand], _ outputs: [Operand]) {
            op.execute(Invocation(inputs: inputs, outputs: outputs, uniforms: invocation.uniforms))
        }
        withExtendedLifetime((labels, rows)) {
            execute(Op.LabelInput(), [regions[1], regions[2], logits], [ofLabels])
            let inputs = [logits, ofLabels] + regions.dropFirst(3)
            execute(Op.SoftmaxCrossEntropy(labelSmoothing: labelSmoothing), inputs, [ofRows])
            if givesGradient {
                let op = Op.SoftmaxCrossEntropyGradient(labelSmoothing: labelSmoothing)
                execute(op, inputs, invocation.outputs)
            }
            execute(Op.RecordMetrics(), [ofRows, regions[3]], [])
        }
    }
}
