import CZlib
import Foundation
import ResinTensor

extension ImageSource {
    /// Some of the images, in the order given.
    ///
    /// - Parameter images: at least one.
    func selecting(_ images: [Int32]) -> any ImageSource {
        if let photographs = self as? any PhotographSource {
            return SelectedPhotographs(source: photographs, images: images)
        }
        return SelectedImages(source: self, images: images)
    }
}

private protocol Selection: ImageSource {
    associatedtype Source
    var source: Source { get }
    var images: [Int32] { get }
    var all: any ImageSource { get }
}

extension Selection {
    var shape: Shape {
        Shape(images: images.count, height: all.height, width: all.width, channels: all.channels)
    }

    var labels: [Int32] {
        let labels = all.labels
        return images.map { labels[Int($0)] }
    }

    func name(of image: Int) -> String? { all.name(of: Int(images[image])) }

    /// The whole's, and which of it.
    func checksum() throws -> String {
        let sum = images.withUnsafeBytes { crc32_z(0, $0.baseAddress, $0.count) }
        return try all.checksum() + String(format: "-%08x", UInt32(sum))
    }

    func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        try all.read(Int(images[image]), into: bytes)
    }
}

private struct SelectedImages: Selection {
    let source: any ImageSource
    let images: [Int32]
    var all: any ImageSource { source }
}

private struct SelectedPhotographs: Selection, PhotographSource {
    let source: any PhotographSource
    let images: [Int32]
    var all: any ImageSource { source }

    func size(of image: Int) -> PixelSize { source.size(of: Int(images[image])) }

    func read(_ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        try source.read(Int(images[image]), box, into: bytes)
    }
}

/// What images of a data set are for.
public enum DatasetPart: String, Sendable, CustomStringConvertible {
    case validation, test

    public var description: String { rawValue }
}

extension Dataset {
    /// What weights are chosen by while training: the validation images, where there are any.
    package var evaluated: (part: DatasetPart, images: any ImageSource) {
        validation.map { (.validation, $0) } ?? (.test, test)
    }

    /// A share of every class's training images cut off for validation, at least one and never all of a class; which, follows
    /// from the seed. A class of one image keeps it.
    ///
    /// - Errors: `.usage` where the share is not between 0 and 1, and where no class has two images.
    public func cuttingValidation(_ share: Double, seed: UInt64) throws -> Dataset {
        guard share > 0 && share < 1 else {
            throw ResinError(
                .usage, "--validation is \(share); it must be above 0 and below 1, such as 0.1")
        }
        // Sets of classes may be of one image each; of these, the share is cut off all images together.
        let areSets = labelSets != nil
        var classes = [[Int32]](repeating: [], count: areSets ? 1 : classNames.count)
        for (image, label) in train.labels.enumerated() {
            classes[areSets ? 0 : Int(label)].append(Int32(image))
        }
        let random = Philox(seed: seed, stream: .validation)
        var isCut = [Bool](repeating: false, count: train.count)
        for (label, images) in classes.enumerated() where images.count > 1 {
            let number = min(max(Int((share * Double(images.count)).rounded()), 1), images.count - 1)
            for place in random.permutation(of: images.count, epoch: label).prefix(number) {
                isCut[Int(images[Int(place)])] = true
            }
        }
        let images = (0..<Int32(train.count))
        let cut = images.filter { isCut[Int($0)] }
        guard !cut.isEmpty else {
            throw ResinError(
                .usage,
                "--validation: \(name) has one training image a class; at least two are needed, one to train and one to "
                    + "validate with")
        }
        var dataset = self
        dataset.train = train.selecting(images.filter { !isCut[Int($0)] })
        dataset.validation = train.selecting(cut)
        return dataset
    }
}
