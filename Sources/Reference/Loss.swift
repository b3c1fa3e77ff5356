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
    /// That with the largest share of the target.
    let label: Int
    private var partnerLabel: Int
    private var share = 1.0
    private let largest: Double
    private let sum: Double
    /// Of the classes, and Σ w[label] over the step's images; nil where all count alike.
    private var weights: (ofClasses: UnsafeMutableBufferPointer<Float>, total: Double)?

    /// - Parameter row: the image in the batch.
    init(_ invocation: Invocation, row: Int, _ loss: Op.SoftmaxCrossEntropy) {
        let classes = invocation.inputs[0].shape.channels
        logits = invocation.inputs[0].floats[row * classes..<(row + 1) * classes]
        func label(_ row: Int) -> Int {
            let label = Int(invocation.inputs[1].integers[row])
            precondition(
                (0..<classes).contains(label),
                "image \(row) has label \(label), but there are \(classes) classes")
            return label
        }
        var labels = [label(row), label(row)]
        if loss.mixes, let mixture = invocation.sample(row, in: 2).mixture {
            labels[1] = label(mixture.partner)
            share = Double(mixture.share)
            if share < 0.5 {
                labels.swapAt(0, 1)
                share = 1 - share
            }
        }
        (self.label, partnerLabel) = (labels[0], labels[1])
        let largest = Double(logits.max()!)
        self.largest = largest
        sum = logits.reduce(0) { $0 + exp(Double($1) - largest) }
        if loss.weighs {
            let ofClasses = invocation.inputs[2].floats
            let total = (0..<Int(invocation.uniforms.imageCount)).reduce(0) {
                $0 + Double(ofClasses[label($1)])
            }
            weights = (ofClasses, total)
        }
    }

    subscript(k: Int) -> Float { logits[logits.startIndex + k] }

    func probability(_ k: Int) -> Double { exp(Double(self[k]) - largest) / sum }

    /// Of the target, before so much of it is shared with all classes.
    func target(_ k: Int) -> Double { (k == label ? share : 0) + (k == partnerLabel ? 1 - share : 0) }

    /// What each class has of the target, so much of which is shared with all classes, and its weight.
    private func weightedTargets(_ weights: UnsafeMutableBufferPointer<Float>, labelSmoothing: Double)
        -> [Double]
    {
        (0..<logits.count).map { k in
            Double(weights[k])
                * ((k == label ? 1 - labelSmoothing : 0) + labelSmoothing / Double(logits.count))
        }
    }

    /// The gradient of the mean over so many images.
    func gradient(_ k: Int, labelSmoothing: Double, imageCount: Int) -> Double {
        guard let weights else {
            let target = labelSmoothing / Double(logits.count) + (1 - labelSmoothing) * target(k)
            return (probability(k) - target) / Double(imageCount)
        }
        let targets = weightedTargets(weights.ofClasses, labelSmoothing: labelSmoothing)
        return (probability(k) * targets.reduce(0, +) - targets[k]) / weights.total
    }

    /// −Σ target·log(probability), where the target is the labels' alone, or shared by so much with all classes.
    func loss(labelSmoothing: Double, imageCount: Int) -> Double {
        if let weights {
            let targets = weightedTargets(weights.ofClasses, labelSmoothing: labelSmoothing)
            let sums = targets.indices.reduce(0.0) { result, k in
                targets[k] == 0 ? result : result + targets[k] * (log(sum) - (Double(self[k]) - largest))
            }
            return sums * Double(imageCount) / weights.total
        }
        var own = Double(self[label]) - largest
        if partnerLabel != label { own += (1 - share) * (Double(self[partnerLabel]) - Double(self[label])) }
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
            let softmax = Softmax(invocation, row: n, self)
            let loss = Float(
                softmax.loss(
                    labelSmoothing: Double(labelSmoothing), imageCount: Int(invocation.uniforms.imageCount)))
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
        // Of a LossScale the scale comes first.
        let scale =
            scaleInput(of: invocation.inputs.count).map { Double(invocation.inputs[$0].floats[0]) } ?? 1
        gradient.update(repeating: 0)
        for n in 0..<count {
            let softmax = Softmax(invocation, row: n, loss)
            for k in 0..<classes {
                let value = softmax.gradient(k, labelSmoothing: smoothing, imageCount: count)
                gradient[n * classes + k] = Float(scale * value)
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
            if readsSamples {
                execute(Op.SampleLabels(), [regions[1], logits], [ofLabels])
            } else {
                execute(Op.LabelInput(), [regions[1], regions[2], logits], [ofLabels])
            }
            let inputs =
                [logits, ofLabels] + (loss.mixes ? [regions[1]] : []) + regions.dropFirst(metricsInput)
            execute(loss, inputs, [ofRows])
            if givesGradient {
                let op = Op.SoftmaxCrossEntropyGradient(
                    labelSmoothing: loss.labelSmoothing, mixes: loss.mixes, weighs: loss.weighs)
                execute(op, inputs, invocation.outputs)
            }
            execute(Op.RecordMetrics(), [ofRows, regions[metricsInput]], [])
        }
    }
}
