import ResinTensor

/// The orders in which epochs visit the images; those of the last two that were asked for are kept, since one ends while the
/// next is made ready.
final class EpochOrders {
    private let philox: Philox
    private let count: Int
    private var known: [(epoch: Int, images: [Int32])] = []

    init(seed: UInt64, count: Int) {
        philox = Philox(seed: seed, stream: .shuffling)
        self.count = count
    }

    func order(ofEpoch epoch: Int) -> [Int32] {
        if let order = known.first(where: { $0.epoch == epoch }) { return order.images }
        let order = philox.permutation(of: count, epoch: epoch)
        known = known.suffix(1) + [(epoch, order)]
        return order
    }
}
