import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining

extension Dataset {
    /// Random bytes with labels 0, 1, …, 9, 0, … as training and as test images; `make_parity.py` draws the
    /// same.
    static func noise(_ count: Int, of shape: ImageShape, testCount: Int? = nil) throws -> Dataset {
        let philox = Philox(seed: 1, stream: .glyphs)
        let byteCount = count * shape.channels * shape.height * shape.width
        let pixels = (0..<UInt32((byteCount + 15) / 16)).flatMap { block in
            withUnsafeBytes(of: philox(Philox.Block(block, 0, 0, 0))) { Array($0) }
        }
        let images = try ImageSet(
            pixels: Array(pixels.prefix(byteCount)), labels: (0..<count).map { Int32($0 % 10) },
            height: shape.height, width: shape.width, channels: shape.channels, classCount: 10)
        return try Dataset(
            name: "noise", classNames: (0..<10).map { "class \($0)" }, train: images,
            test: images.prefix(testCount ?? count),
            mean: Array(repeating: 0.5, count: shape.channels),
            standardDeviation: Array(repeating: 0.25, count: shape.channels))
    }
}

extension TrainingConfiguration {
    /// A configuration for a data set, with a long enough run that no test reaches its end unasked.
    init(
        _ network: Network, _ dataset: Dataset, batch: Int, _ optimizer: OptimizerSettings,
        _ initialiser: Initialiser = .kaiming
    ) {
        self.init(
            network: network, data: dataset.name, classNames: dataset.classNames, mean: dataset.mean,
            standardDeviation: dataset.standardDeviation, epochs: 100, batch: batch, optimizer: optimizer)
        self.initialiser = initialiser
    }
}
