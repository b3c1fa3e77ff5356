import ResinTensor

extension AugmentationPolicy {
    /// Mixes the rows of a step's batch, each with the one before it, as torchvision's `MixUp` and `CutMix` do: one share,
    /// and one box, for the whole batch; one of both at random where both are on.
    ///
    /// - Parameters:
    ///   - target: the network's size.
    ///   - shards: of the batch; rows are mixed with others of their own, and counted in it.
    public func mix(
        _ samples: inout [ImageSample], to target: PixelSize, seed: UInt64, step: Int, shards: Int = 1
    ) {
        var draws = RandomDraws(seed: seed, .mixing, UInt32(truncatingIfNeeded: step), 0)
        let cuts = draws.coin()
        if let cutmix, mixup == nil || cuts {
            let box = Self.cutBox(share: draws.beta(cutmix), in: target, &draws)
            // A box without pixels leaves all as it is.
            guard box.size.area > 0 else { return }
            let share = 1 - Double(box.size.area) / Double(target.area)
            samples.mixWithPrevious(share: share, box: box, shards)
        } else if let mixup {
            samples.mixWithPrevious(share: draws.beta(mixup), box: nil, shards)
        }
    }

    /// A box of about 1 − share of the area, cut off at the edges.
    private static func cutBox(share: Double, in target: PixelSize, _ draws: inout RandomDraws) -> PixelBox {
        let half = 0.5 * (1 - share).squareRoot()
        func range(_ extent: Int) -> Range<Int> {
            let (middle, reach) = (draws.below(extent), Int(half * Double(extent)))
            return max(middle - reach, 0)..<min(middle + reach, extent)
        }
        let columns = range(target.width)
        let rows = range(target.height)
        return PixelBox(
            top: rows.lowerBound, left: columns.lowerBound, height: rows.count, width: columns.count)
    }
}

extension [ImageSample] {
    fileprivate mutating func mixWithPrevious(share: Double, box: PixelBox?, _ shards: Int) {
        let size = count / shards
        for row in indices {
            self[row].mixture = ImageSample.Mixture(
                partner: (row + size - 1) % size, share: Float(share), box: box)
        }
    }
}
