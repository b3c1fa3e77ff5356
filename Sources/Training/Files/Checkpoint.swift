import ResinTensor

/// All that a run needs to go on: weights with running statistics, and the optimizer's state. The two go to
/// two files, so that the weights are what other programs load; equal `step` says that they belong together.
public struct Checkpoint: Equatable, Sendable {
    /// Metadata: `format` (`pt`), `network`, `step`, … and nothing that differs between equal runs: their
    /// files are the same byte for byte.
    public var weights: Safetensors
    /// Metadata: `step`, `epoch` and whatever the trainer has to find again.
    public var optimizer: Safetensors

    /// Puts `step` into both files' metadata, and `format` into the weights'.
    public init(step: Int, weights: Safetensors, optimizer: Safetensors) {
        self.weights = weights
        self.optimizer = optimizer
        self.weights.metadata["format"] = "pt"
        self.weights.metadata["step"] = String(step)
        self.optimizer.metadata["step"] = String(step)
    }

    /// Reads two files that belong together; throws `.missingFile` or `.badContent`.
    public init(weights: String, optimizer: String) throws {
        self.weights = try Safetensors(contentsOf: weights)
        self.optimizer = try Safetensors(contentsOf: optimizer)
        let steps = (Self.step(in: self.weights.metadata), Self.step(in: self.optimizer.metadata))
        guard let step = steps.0, step == steps.1 else {
            func words(_ file: Safetensors) -> String { file.metadata["step"].map { "'\($0)'" } ?? "none" }
            throw ResinError(
                .badContent,
                "\(weights) and \(optimizer) do not belong together: 'step' in their metadata is "
                    + "\(words(self.weights)) and \(words(self.optimizer)); it must be one whole number from 0 to "
                    + "\(Limits.steps)")
        }
    }

    /// The number of optimizer steps taken.
    public var step: Int { Self.step(in: weights.metadata)! }

    static func step(in metadata: [String: String]) -> Int? {
        metadata["step"].flatMap { Int($0) }.flatMap { (0...Limits.steps).contains($0) ? $0 : nil }
    }

    /// The first tensor that has a value that is not finite; nil where all are. The losses of steps that were
    /// left out are none that anything is computed from.
    var firstNotFinite: String? {
        (weights.entries + optimizer.entries).first { $0.name != Self.metricsName && !$0.isFinite }?.name
    }

    /// The optimizer's tensor of the steps of an epoch that was interrupted.
    static let metricsName = "epoch_metrics"
}

extension Safetensors.Entry {
    package var isFinite: Bool {
        if case .float32(let values) = contents { values.areFinite } else { true }
    }
}

extension [Float] {
    /// Whether none is infinite or not a number; as fast as memory is read.
    package var areFinite: Bool {
        let largest = withUnsafeBufferPointer {
            $0.reduce(UInt32(0)) { Swift.max($0, $1.bitPattern & 0x7FFF_FFFF) }
        }
        return Float(bitPattern: largest).isFinite
    }
}
