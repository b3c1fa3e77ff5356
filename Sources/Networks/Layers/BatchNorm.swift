import ResinGraph
import ResinTensor

/// Batch normalisation per channel (Ioffe and Szegedy, ICML 2015), PyTorch's `BatchNorm2d` on images and
/// `BatchNorm1d` on features; keeps the shape.
///
/// Training uses the batch's statistics and moves the running ones towards them by `momentum`; inference
/// uses the running ones, and so does training where the layer is frozen. Parameters: `weight` (scale) and `bias` (shift); statistics: `running_mean` and
/// `running_var`; all `[C]`.
public struct BatchNorm: Layer {
    public var epsilon: Float
    public var momentum: Float

    public init(epsilon: Float = 1e-5, momentum: Float = 0.1) {
        self.epsilon = epsilon
        self.momentum = momentum
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireChannels(input, for: "batch norm", "normalise")
        let channels = scope.shape(of: input).channels
        let inputs = [
            input,
            scope.addParameter("weight", .vector(channels), role: .scale),
            scope.addParameter("bias", .vector(channels), role: .shift),
            scope.addStatistic("running_mean", count: channels, initialValue: 0),
            scope.addStatistic("running_var", count: channels, initialValue: 1),
        ]
        let op: Op =
            scope.mode == .training && !scope.isFrozen("weight")
            ? .batchNorm(Op.BatchNorm(epsilon: epsilon, momentum: momentum))
            : .batchNormInference(Op.BatchNormInference(epsilon: epsilon))
        return try scope.apply(op, to: inputs)[0]
    }
}
