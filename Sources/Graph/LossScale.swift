import ResinTensor

/// What the loss is multiplied by before its gradients are taken, so that they do not vanish in float16, and are divided by
/// when they reach the weights (Micikevicius et al., "Mixed precision training", ICLR 2018, §3.2). It is adjusted on the
/// device, as PyTorch's GradScaler does: a step of whose gradients one is not finite is left out and halves the scale, and
/// so many steps in a row that are doubles it. `LossScale` of `Kernels/include/KernelStructs.h`: the contents of `Region.lossScale`.
public struct LossScale: BitwiseCopyable, Hashable, Sendable {
    public var scale: Float
    /// Steps since it changed.
    public var steadySteps: Float = 0
    /// Within a step: 1 where a gradient is not finite.
    var overflow: Int32 = 0
    /// Steps that were left out, of all.
    public var skippedSteps: Float = 0

    public init(scale: Float = 65_536) { self.scale = scale }

    /// The file's form of it.
    public init(scale: Float, steadySteps: Float, skippedSteps: Float) {
        self.scale = scale
        self.steadySteps = steadySteps
        self.skippedSteps = skippedSteps
    }

    /// Whether training could have come to it.
    package var isPossible: Bool {
        let counts = [steadySteps, skippedSteps]
        return scale > 0 && scale <= Self.largest && steadySteps < Self.growthInterval
            // Beyond that single precision does not count.
            && counts.allSatisfy { $0 >= 0 && $0 <= 0x1p24 && $0 == $0.rounded() }
    }

    package static let type = TensorType([4])
    /// Steps without an overflow that double it.
    package static let growthInterval: Float = 2000
    /// A converged network's gradients never overflow: the scale must not grow until it is infinite.
    package static let largest: Float = 0x1p30

    /// What a step makes of it.
    package mutating func adjust(hasOverflow: Bool) {
        steadySteps += 1
        if hasOverflow {
            scale /= 2
            steadySteps = 0
            skippedSteps += 1
        } else if steadySteps == Self.growthInterval {
            scale = min(2 * scale, Self.largest)
            steadySteps = 0
        }
    }
}
