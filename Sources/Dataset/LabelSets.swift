import CZlib
import Foundation

/// The sets of classes that images have, where an image may have several classes or none: an image's label is the number of
/// its set.
public struct LabelSets: Hashable, Sendable {
    /// Each set's classes, ascending; no set twice.
    public let sets: [[Int32]]

    package init(_ sets: [[Int32]]) { self.sets = sets }

    /// Of all images with a class, how many there are, by class.
    ///
    /// - Parameter counts: of images, by set.
    func imagesOfClasses(_ counts: [Int], classCount: Int) -> [Int] {
        var result = [Int](repeating: 0, count: classCount)
        for (set, count) in zip(sets, counts) {
            for label in set { result[Int(label)] += count }
        }
        return result
    }

    /// CRC-32.
    var checksum: String {
        var sum: UInt = 0
        for set in sets {
            ([Int32(set.count)] + set).withUnsafeBytes {
                sum = crc32_z(sum, $0.bindMemory(to: UInt8.self).baseAddress, $0.count)
            }
        }
        return String(format: "sets-%08x", UInt32(sum))
    }
}

extension Dataset {
    /// The classes of each label.
    package var classesOfLabels: [[Int32]] { labelSets?.sets ?? classNames.indices.map { [Int32($0)] } }

    /// How many training images there are of each class.
    package var trainingCounts: [Int] {
        var counts = [Int](repeating: 0, count: classesOfLabels.count)
        for label in train.labels { counts[Int(label)] += 1 }
        return labelSets?.imagesOfClasses(counts, classCount: classNames.count) ?? counts
    }
}
