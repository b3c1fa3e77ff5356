import ResinDataset
import ResinNetworks
import ResinTensor

extension TrainingConfiguration {
    /// - Returns: the data's checksum.
    /// - Throws: `ResinError(.usage)` that says what does not go together.
    func check(_ network: Network, _ dataset: Dataset) throws -> String {
        precondition(
            input == network.input && classCount == network.classCount,
            "the configuration is of a network of another input or other classes")
        do { try check() } catch { throw error.usage }
        guard batch <= dataset.train.count else {
            throw ResinError(
                .usage,
                "the batch of \(batch) is larger than the training set of \(dataset.train.count) images; use "
                    + "--batch \(dataset.train.count) or less")
        }
        let stepsPerEpoch = dataset.train.count / batch
        guard epochs <= Limits.steps / stepsPerEpoch else {
            throw ResinError(
                .usage,
                "--epochs is \(epochs): of \(stepsPerEpoch) steps each, at most "
                    + "\(Limits.steps / stepsPerEpoch) can be counted")
        }
        guard mean.count == dataset.train.channels, standardDeviation.count == dataset.train.channels else {
            throw ResinError(
                .usage,
                "there are \(mean.count) means and \(standardDeviation.count) standard deviations for "
                    + "\(dataset.train.channels) channels; one of each a channel is needed")
        }
        guard dataset.train.channels == network.input.channels else {
            throw ResinError(
                .usage,
                "the network takes \(network.input.channels) channels, but the images of \(dataset.name) have "
                    + "\(dataset.train.channels)")
        }
        // A folder of images may have changed since a run began.
        let size = [dataset.train.height, dataset.train.width]
        if let imageSize, imageSize != size {
            let (now, before) = (
                size.map(String.init).joined(separator: "×"),
                imageSize.map(String.init).joined(separator: "×")
            )
            throw ResinError(
                .badContent,
                "the images of \(dataset.name) are \(now) now, but were \(before) when the run began; bring the "
                    + "old ones back, or start a new run")
        }
        guard dataset.classNames.count == network.classCount else {
            throw ResinError(
                .usage,
                "the network gives \(network.classCount) classes, but \(dataset.name) has "
                    + "\(dataset.classNames.count)")
        }
        guard dataset.classNames == classNames else {
            let now = dataset.classNames.joined(separator: ", ")
            throw ResinError(
                .badContent,
                "the classes of \(dataset.name) are \(now), but the run's are "
                    + "\(classNames.joined(separator: ", ")); the data has changed: bring it back, or start a new "
                    + "run")
        }
        try checkLabels(of: dataset)
        let checksum = try dataset.checksum(comparableWith: dataChecksum)
        if let dataChecksum, dataChecksum != checksum {
            throw ResinError(
                .badContent,
                "the images or labels of \(dataset.name) are not those that the run began with: their "
                    + "checksums are \(checksum) now, but were \(dataChecksum) then; bring the old "
                    + "ones back, or start a new run")
        }
        return checksum
    }
}
