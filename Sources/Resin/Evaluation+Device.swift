import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining

extension Evaluation {
    /// Evaluates weights from a file on a data set's test images.
    ///
    /// - Parameters:
    ///   - path: the file's, for errors.
    ///   - configuration: of the run that the weights are from: input size, normalisation, batch. The precision is the
    ///     device's.
    /// - Throws: `ResinError(.badContent)` that names the tensor that does not fit the network.
    public init(
        of network: Network, weights: Safetensors, from path: String, on dataset: Dataset,
        _ configuration: TrainingConfiguration, device: ComputeDevice, keepsLogits: Bool = false
    ) throws {
        var configuration = configuration
        configuration.precision = device.precision
        try self.init(
            of: network, weights: weights, from: path, on: dataset, configuration,
            executor: device.makeExecutor(), keepsLogits: keepsLogits)
    }
}
