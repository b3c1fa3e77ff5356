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
            let words = (steps.0.map(String.init) ?? "none", steps.1.map(String.init) ?? "none")
            throw ResinError(
                .badContent,
                "\(weights) and \(optimizer) do not belong together: "
                    + "they are of step \(words.0) and \(words.1)"
            )
        }
    }

    /// The number of optimizer steps taken.
    public var step: Int { Self.step(in: weights.metadata)! }

    static func step(in metadata: [String: String]) -> Int? {
        metadata["step"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }
}
