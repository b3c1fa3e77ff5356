import ResinDataset
import ResinGraph
import ResinPlan
import ResinTensor

/// Which step's images are wanted.
package struct FeedStep: Hashable, Sendable {
    /// From 1.
    package var epoch: Int
    /// Of the epoch, from 0.
    package var slot: Int

    package init(epoch: Int, slot: Int) {
        self.epoch = epoch
        self.slot = slot
    }
}

/// Where a step's images are on the device.
package struct FeedRows {
    /// As `StepUniforms.firstImage` counts them.
    package var first: Int
    /// Places in the step whose image could not be read and is left out. To train, another of the step is there in its place;
    /// to evaluate, those behind it move up.
    package var unreadable: Set<Int> = []
}

/// Has the images of each step on the device when it begins. What a step computes does not depend on the way they came.
package protocol ImageFeed: AnyObject {
    /// Makes a step's images ready.
    ///
    /// - Returns: nil where it was stopped while it waited.
    /// - Throws: `ResinError` that names the file where an image cannot be read.
    func begin(_ step: FeedStep, shouldStop: () -> Bool) throws -> FeedRows?
    /// To be called when the step has been started, or given up.
    func end() throws
    /// Images that could not be read when their turn came, and were left out.
    var skipped: [Int: ResinError] { get }
}

extension ImageFeed {
    package var skipped: [Int: ResinError] { [:] }

    /// - Parameter source: what it feeds.
    func skippedImages(of source: any ImageSource) -> [UnreadableImage] {
        skipped.sorted { $0.key < $1.key }.map { image, error in
            UnreadableImage(index: image, name: source.name(of: image) ?? "image \(image)", error: error)
        }
    }
}

/// All images of one size lie on the device; an epoch sends their order.
final class ResidentFeed: ImageFeed {
    private let split: Region.Split
    private let batch: Int
    private let orders: EpochOrders?
    private let executor: any Executor
    private var orderedEpoch: Int?

    /// - Parameter orders: of the epochs; without them the set's own is kept.
    init(
        _ images: any ImageSource, _ split: Region.Split, batch: Int, orders: EpochOrders?,
        on executor: any Executor
    ) throws {
        self.split = split
        self.batch = batch
        self.orders = orders
        self.executor = executor
        let size = images.shape.count / images.count
        try images.forEachPart { first, bytes in
            try executor.write(UnsafeRawBufferPointer(bytes), to: .images(split), offset: first * size)
        }
        try executor.write(images.labels, to: .labels(split))
        try executor.write((0..<Int32(images.count)).map { $0 }, to: .order(split))
    }

    func begin(_ step: FeedStep, shouldStop: () -> Bool) throws -> FeedRows? {
        if let orders, orderedEpoch != step.epoch {
            try executor.write(orders.order(ofEpoch: step.epoch), to: .order(split))
            orderedEpoch = step.epoch
        }
        return FeedRows(first: step.slot * batch)
    }

    func end() {}
}
