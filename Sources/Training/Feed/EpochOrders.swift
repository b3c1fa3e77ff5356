import ResinTensor

/// The orders in which epochs visit the images; those of the last two that were asked for are kept, since one ends while the
/// next is made ready.
final class EpochOrders {
    private let philox: Philox
    private let labels: [Int32]
    private let sampler: Sampler
    private var known: [(epoch: Int, images: [Int32])] = []

    /// - Parameter labels: of all images.
    init(_ sampler: Sampler, _ labels: [Int32], seed: UInt64) {
        philox = Philox(seed: seed, stream: sampler == .shuffle ? .shuffling : .sampling)
        self.labels = labels
        self.sampler = sampler
    }

    func order(ofEpoch epoch: Int) -> [Int32] {
        if let order = known.first(where: { $0.epoch == epoch }) { return order.images }
        let order =
            switch sampler {
            case .shuffle: philox.permutation(of: labels.count, epoch: epoch)
            case .balanced: philox.balancedOrder(labels, epoch: epoch)
            }
        known = known.suffix(1) + [(epoch, order)]
        return order
    }
}
