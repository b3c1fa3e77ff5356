import ResinGraph
import ResinPlan
import ResinTensor

extension Op.Optimizer: ReferenceOperator {
    /// Elements are updated one by one, so this is in `Float`, in the order of PyTorch's formulas, as on a device; a
    /// device may still contract a product and a sum into one rounding. Norms are sums in `Double`.
    ///
    /// The gaps between parameters hold zeros and are updated to zeros.
    func execute(_ invocation: Invocation) {
        func buffer(_ operand: Operand) -> UnsafeMutableBufferPointer<Float>? {
            place(of: operand).map { invocation.inputs[$0].floats }
        }
        let uniforms = invocation.uniforms
        let (w, gradients) = (buffer(.parameters)!, buffer(.gradients)!)
        let states = (0..<rule.stateCount).map { buffer(.state($0))! }
        let hasFiniteLoss = buffer(.metrics).map {
            !($0[Int(uniforms.slot) * Metric.allCases.count + Metric.notFinite.rawValue] > 0)
        }
        if let statistics = buffer(.statistics), let kept = buffer(.keptStatistics) {
            let (from, to) = hasFiniteLoss == true ? (statistics, kept) : (kept, statistics)
            for index in from.indices { to[index] = from[index] }
        }
        if hasFiniteLoss == false { return }
        var factor: Float = 1
        if let buffer = buffer(.lossScale) {
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            var lossScale = bytes.load(as: LossScale.self)
            factor = 1 / lossScale.scale
            let hasOverflow = !gradients.allSatisfy(\.isFinite)
            lossScale.adjust(hasOverflow: hasOverflow)
            bytes.storeBytes(of: lossScale, as: LossScale.self)
            if hasOverflow { return }
        }
        if let clipNorm {
            let ratio = clipNorm / (norm(gradients.lazy.map { factor * $0 }) + 1e-6)
            // What is not a number stays so.
            factor *= ratio > 1 ? 1 : ratio
        }
        for slice in ranges(count: w.count) {
            update(slice, w, gradients, states, factor, uniforms)
        }
    }

    private struct RatedRange {
        var places: Range<Int>
        var rates: Rates
    }

    /// What is updated alike: tensors, or all of them.
    private func ranges(count: Int) -> [RatedRange] {
        if slices.isEmpty {
            let alike = Rates(factor: 1, weightDecay: rule.weightDecay)
            return [RatedRange(places: 0..<count, rates: alike)]
        }
        return slices.indices.map { index in
            let end = index + 1 < slices.count ? slices[index + 1].first : count
            return RatedRange(places: slices[index].first..<end, rates: slices[index].rates)
        }
    }

    private func norm(_ values: some Sequence<Float>) -> Float {
        Float(values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
    }

    private func update(
        _ range: RatedRange, _ w: UnsafeMutableBufferPointer<Float>,
        _ gradients: UnsafeMutableBufferPointer<Float>, _ states: [UnsafeMutableBufferPointer<Float>],
        _ factor: Float, _ uniforms: StepUniforms
    ) {
        let rate = uniforms.learningRate * range.rates.factor
        let weightDecay = range.rates.weightDecay
        let first = range.places.lowerBound
        func each(_ body: (Int) -> Void) {
            concurrently(range.places.count, inRangesOf: elementwiseRange) { part in
                for index in part { body(first + index) }
            }
        }
        switch rule {
        case .sgd(let momentum, let nesterov, _):
            each { index in
                let g = factor * gradients[index] + weightDecay * w[index]
                guard momentum != 0 else {
                    w[index] -= rate * g
                    return
                }
                let v = momentum * states[0][index] + g
                states[0][index] = v
                w[index] -= rate * (nesterov ? g + momentum * v : v)
            }
        case .adam(let beta1, let beta2, let epsilon, _, let isDecoupled):
            let stepSize = rate / uniforms.firstCorrection
            let deviationCorrection = uniforms.secondCorrection.squareRoot()
            each { index in
                var g = factor * gradients[index]
                if isDecoupled {
                    w[index] *= 1 - rate * weightDecay
                } else {
                    g += weightDecay * w[index]
                }
                let m = beta1 * states[0][index] + (1 - beta1) * g
                let v = beta2 * states[1][index] + (1 - beta2) * g * g
                states[0][index] = m
                states[1][index] = v
                w[index] -= stepSize * m / (v.squareRoot() / deviationCorrection + epsilon)
            }
        case .rmsprop(let alpha, let epsilon, let momentum, _):
            each { index in
                let g = factor * gradients[index] + weightDecay * w[index]
                let v = alpha * states[0][index] + (1 - alpha) * g * g
                states[0][index] = v
                var update = g / (v.squareRoot() + epsilon)
                if momentum != 0 {
                    update += momentum * states[1][index]
                    states[1][index] = update
                }
                w[index] -= rate * update
            }
        case .lion(let beta1, let beta2, _):
            each { index in
                let g = factor * gradients[index]
                let m = states[0][index]
                let direction = beta1 * m + (1 - beta1) * g
                states[0][index] = m + (1 - beta2) * (g - m)
                // Zero, which is where nothing has been learnt, has no sign.
                let sign: Float = direction > 0 ? 1 : direction < 0 ? -1 : direction
                w[index] = w[index] * (1 - rate * weightDecay) - rate * sign
            }
        case .lamb(let beta1, let beta2, let epsilon, _):
            let deviationCorrection = uniforms.secondCorrection.squareRoot()
            each { index in
                let g = factor * gradients[index]
                states[0][index] = beta1 * states[0][index] + (1 - beta1) * g
                states[1][index] = beta2 * states[1][index] + (1 - beta2) * g * g
            }
            func update(_ index: Int) -> Float {
                let deviation = states[1][index].squareRoot() / deviationCorrection + epsilon
                return states[0][index] / uniforms.firstCorrection / deviation + weightDecay * w[index]
            }
            let norms = (norm(range.places.lazy.map { w[$0] }), norm(range.places.lazy.map(update)))
            let trust = weightDecay != 0 && norms.0 > 0 && norms.1 > 0 ? norms.0 / norms.1 : 1
            each { index in w[index] -= rate * (trust * update(index)) }
        }
    }
}
