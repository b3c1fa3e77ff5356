import ResinGraph
import ResinPlan

extension Op.Optimizer: ReferenceOperator {
    /// Elements are updated one by one with nothing summed, so this is in `Float`, in the order of PyTorch's
    /// formulas, as on a device; a device may still contract a product and a sum into one rounding.
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
        let rate = uniforms.learningRate

        switch rule {
        case .sgd(let momentum, let nesterov, let weightDecay):
            concurrently(w.count, inRangesOf: elementwiseRange) { range in
                for index in range {
                    let g = factor * gradients[index] + weightDecay * w[index]
                    guard momentum != 0 else {
                        w[index] -= rate * g
                        continue
                    }
                    let v = momentum * states[0][index] + g
                    states[0][index] = v
                    w[index] -= rate * (nesterov ? g + momentum * v : v)
                }
            }
        case .adam(let beta1, let beta2, let epsilon, let weightDecay, let isDecoupled):
            let stepSize = rate / uniforms.firstCorrection
            let deviationCorrection = uniforms.secondCorrection.squareRoot()
            concurrently(w.count, inRangesOf: elementwiseRange) { range in
                for index in range {
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
            }
        }
    }
}
