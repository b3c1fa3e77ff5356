import ResinGraph
import ResinPlan

extension Op.Optimizer: ReferenceOperator {
    /// Elements are updated one by one with nothing summed, so this is in `Float`, in the order of PyTorch's
    /// formulas, as on a device; a device may still contract a product and a sum into one rounding.
    ///
    /// The invocation's inputs are the flat regions: parameters, gradients, and the optimizer's states; then
    /// the node's own, if it has any: metrics, statistics and kept statistics. The gaps between parameters
    /// hold zeros and are updated to zeros.
    func execute(_ invocation: Invocation) {
        let w = invocation.inputs[0].floats
        let gradients = invocation.inputs[1].floats
        let states = invocation.inputs[2..<2 + stateCount].map(\.floats)
        let uniforms = invocation.uniforms
        let own = invocation.inputs.dropFirst(2 + stateCount).map(\.floats)
        let places = Inputs(count: own.count)
        let hasFiniteLoss = places.metrics.map {
            !(own[$0][Int(uniforms.slot) * Op.SoftmaxCrossEntropy.columns + 3] > 0)
        }
        if let statistics = places.statistics, let kept = places.keptStatistics {
            let (from, to) =
                hasFiniteLoss == true ? (own[statistics], own[kept]) : (own[kept], own[statistics])
            for index in from.indices { to[index] = from[index] }
        }
        if hasFiniteLoss == false { return }
        var factor: Float = 1
        if let place = places.lossScale {
            let bytes = UnsafeMutableRawBufferPointer(own[place])
            var lossScale = bytes.load(as: LossScale.self)
            factor = 1 / lossScale.scale
            let hasOverflow = !gradients.allSatisfy(\.isFinite)
            lossScale.adjust(hasOverflow: hasOverflow)
            bytes.storeBytes(of: lossScale, as: LossScale.self)
            if hasOverflow { return }
        }
        let rate = uniforms.learningRate

        switch self {
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
