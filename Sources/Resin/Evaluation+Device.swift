import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining

extension Evaluation {
    /// Evaluates weights from a file on a data set's test images.
    ///
    /// - Parameters:
    ///   - weights: found for the network.
    ///   - configuration: of the run that the weights are from: input size, normalisation, batch. The precision is the
    ///     device's.
    /// - Throws: `ResinError`: `.usage` where the images are not what the network takes, `.outOfMemory` where the plan
    ///   does not fit the device.
    public init(
        of network: Network, weights: NetworkWeights, on dataset: Dataset,
        _ configuration: TrainingConfiguration, _ loading: ImageLoading = ImageLoading(),
        device: ComputeDevice, keepsLogits: Bool = false
    ) throws {
        var configuration = configuration
        configuration.precision = device.precision
        try self.init(
            of: network, weights: weights, on: dataset, configuration, loading,
            executor: device.makeExecutor(), keepsLogits: keepsLogits)
    }
}
