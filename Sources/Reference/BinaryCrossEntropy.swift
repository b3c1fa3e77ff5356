import ResinGraph
import ResinTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// One class of one image: what it adds to the loss, and the derivative of that.
private struct ClassLoss {
    var loss = 0.0
    var slope: Double

    init(logit z: Double, target t: Double, weight: Double, _ focal: Op.BinaryCrossEntropy.Focal?) {
        let p = 1 / (1 + exp(-z))
        let rest = 1 / (1 + exp(z))
        // A logit that is infinite must count only where it is wrong.
        if t > 0 { loss += weight * t * (log1p(exp(-abs(z))) + max(-z, 0)) }
        if t < 1 { loss += (1 - t) * (log1p(exp(-abs(z))) + max(z, 0)) }
        slope = (1 - t) * p - weight * t * rest
        if let focal {
            let gamma = Double(focal.gamma)
            let wrong = t * rest + (1 - t) * p
            let balance = focal.alpha.map { Double($0) * t + (1 - Double($0)) * (1 - t) } ?? 1
            let change = wrong > 0 ? gamma * pow(wrong, gamma - 1) * (1 - 2 * t) * p * rest * loss : 0
            slope = balance * (pow(wrong, gamma) * slope + change)
            loss *= balance * pow(wrong, gamma)
        }
        if z.isNaN { (loss, slope) = (.nan, .nan) }
    }
}

/// The targets of one row.
private struct RowTargets {
    private let own, other: UnsafeMutableBufferPointer<Int32>.SubSequence
    private let share: Double

    init(_ invocation: Invocation, row: Int, _ loss: Op.BinaryCrossEntropy) {
        let words = LabelSetBits.wordCount(classes: invocation.inputs[0].shape.channels)
        let sets = invocation.inputs[2].integers
        func label(_ row: Int) -> Int {
            let label = Int(invocation.inputs[1].integers[row])
            precondition(
                label >= 0 && label < sets.count / words,
                "image \(row) has label \(label), but there are \(sets.count / words) sets of classes")
            return label
        }
        var labels = [label(row), label(row)]
        var share = 1.0
        if let input = loss.samplesInput, let mixture = invocation.sample(row, in: input).mixture {
            labels[1] = label(mixture.partner)
            share = Double(mixture.share)
            if share < 0.5 {
                labels.swapAt(0, 1)
                share = 1 - share
            }
        }
        (own, other) = (
            sets[labels[0] * words..<(labels[0] + 1) * words],
            sets[labels[1] * words..<(labels[1] + 1) * words]
        )
        self.share = share
    }

    private func has(_ k: Int, _ set: UnsafeMutableBufferPointer<Int32>.SubSequence) -> Bool {
        set[set.startIndex + k / 32] >> (k % 32) & 1 != 0
    }

    /// Whether the set with the larger share has the class.
    func isOwn(_ k: Int) -> Bool { has(k, own) }

    subscript(k: Int) -> Double { (has(k, own) ? share : 0) + (has(k, other) ? 1 - share : 0) }
}

extension Op.BinaryCrossEntropy {
    fileprivate func classLosses(_ invocation: Invocation, row: Int) -> (targets: RowTargets, [ClassLoss]) {
        let classes = invocation.inputs[0].shape.channels
        let logits = invocation.inputs[0].floats
        let targets = RowTargets(invocation, row: row, self)
        let weights = weightsInput.map { invocation.inputs[$0].floats }
        return (
            targets,
            (0..<classes).map { k in
                ClassLoss(
                    logit: Double(logits[row * classes + k]), target: targets[k],
                    weight: weights.map { Double($0[k]) } ?? 1, focal)
            }
        )
    }
}

extension Op.BinaryCrossEntropy: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let rows = invocation.outputs[0].floats
        let logits = invocation.inputs[0].floats
        let classes = invocation.inputs[0].shape.channels
        let columns = Metric.allCases.count
        rows.update(repeating: 0)
        for n in 0..<Int(invocation.uniforms.imageCount) {
            let (targets, losses) = classLosses(invocation, row: n)
            let loss = Float(losses.reduce(0) { $0 + $1.loss } / Double(classes))
            // Of equal logits the first counts as larger.
            let order = (0..<classes).sorted {
                let (one, other) = (logits[n * classes + $0], logits[n * classes + $1])
                return one > other || (one == other && $0 < $1)
            }
            let rank = order.firstIndex(where: targets.isOwn) ?? classes
            func set(_ metric: Metric, _ value: Bool) {
                rows[n * columns + metric.rawValue] = value ? 1 : 0
            }
            let isRight = rank < classes && !loss.isNaN
            rows[n * columns + Metric.loss.rawValue] = loss
            set(.correct, isRight && rank < 1)
            set(.correctAmong5, isRight && rank < 5)
            set(.notFinite, !loss.isFinite)
        }
    }
}

extension Op.BinaryCrossEntropyGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let classes = invocation.inputs[0].shape.channels
        let gradient = invocation.outputs[0].floats
        let count = Int(invocation.uniforms.imageCount)
        // Of a LossScale the scale comes first.
        let scale =
            scaleInput(of: invocation.inputs.count).map { Double(invocation.inputs[$0].floats[0]) } ?? 1
        gradient.update(repeating: 0)
        for n in 0..<count {
            for (k, value) in loss.classLosses(invocation, row: n).1.enumerated() {
                gradient[n * classes + k] = Float(scale * value.slope / Double(classes * count))
            }
        }
    }
}
