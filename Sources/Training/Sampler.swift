import ResinTensor

/// Which images an epoch is of, as many as there are.
public enum Sampler: String, Codable, CaseIterable, Sendable {
    /// Each once.
    case shuffle
    /// As many of each class as of the others: images of rare classes come several times, of frequent ones some do not.
    case balanced
}

extension Philox {
    /// The images of an epoch in which all classes that have images come equally often, one more of some where the number of
    /// images is no multiple of theirs. Of a class all images have a turn before one has another.
    ///
    /// - Parameter labels: of all images; the order has as many.
    package func balancedOrder(_ labels: [Int32], epoch: Int) -> [Int32] {
        var images: [Int32: [Int32]] = [:]
        for (image, label) in labels.enumerated() { images[label, default: []].append(Int32(image)) }
        let classes = images.keys.sorted()
        let (each, rest) = labels.count.quotientAndRemainder(dividingBy: classes.count)
        let hasOneMore = Set(
            permutation(of: classes.count, epoch: epoch, round: 0).prefix(rest).map(Int.init))
        var chosen: [Int32] = []
        chosen.reserveCapacity(labels.count)
        for (place, label) in classes.enumerated() {
            let own = images[label]!
            var wanted = each + (hasOneMore.contains(place) ? 1 : 0)
            var round = 0
            while wanted > 0 {
                let turn = permutation(of: own.count, epoch: epoch, round: 1 + round, place: place)
                chosen += turn.prefix(wanted).map { own[Int($0)] }
                wanted -= turn.count
                round += 1
            }
        }
        return permutation(of: chosen.count, epoch: epoch).map { chosen[Int($0)] }
    }
}
