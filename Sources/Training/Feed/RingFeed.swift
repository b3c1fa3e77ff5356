import ResinDataset
import ResinGraph
import ResinPlan
import ResinTensor

/// Images of one size that are sent step by step, to a ring on the device.
final class RingFeed: ImageFeed {
    /// Steps whose images lie on the device.
    static let steps = 4

    private let source: any ImageSource
    private let labels: [Int32]
    private let split: Region.Split
    private let batch: Int
    private let orders: EpochOrders?
    private let executor: any Executor
    /// A place in the ring each, on the host.
    private let places: [Place]
    private var stepsBegun = 0

    private final class Place {
        let pixels: any StagingMemory
        let labels: any StagingMemory
        /// The end of the step that used it last.
        var end: (any Mark)?

        init(pixels: any StagingMemory, labels: any StagingMemory) {
            self.pixels = pixels
            self.labels = labels
        }
    }

    /// - Parameter orders: of the epochs; without them the set's own is kept.
    init(
        _ source: any ImageSource, _ split: Region.Split, batch: Int, orders: EpochOrders?,
        on executor: any Executor
    ) throws {
        self.source = source
        self.split = split
        self.batch = batch
        self.orders = orders
        self.executor = executor
        labels = source.labels
        let byteCount = source.shape.count / source.count * batch
        places = try (0..<Self.steps).map { _ in
            Place(
                pixels: try executor.makeStagingMemory(byteCount: byteCount),
                labels: try executor.makeStagingMemory(byteCount: 4 * batch))
        }
        try executor.write((0..<Int32(Self.steps * batch)).map { $0 }, to: .order(split))
    }

    func begin(_ step: FeedStep, shouldStop: () -> Bool) throws -> FeedRows? {
        let number = stepsBegun % Self.steps
        let place = places[number]
        try place.end?.wait()
        place.end = nil
        let first = step.slot * batch
        let positions = first..<min(first + batch, source.count)
        let images = orders?.order(ofEpoch: step.epoch)[positions].map(Int.init) ?? Array(positions)
        let size = source.shape.count / source.count
        let pixels = place.pixels.bytes.bindMemory(to: UInt8.self)
        nonisolated(unsafe) let target = pixels
        try concurrently(images.count) { row in
            try source.read(
                images[row],
                into: UnsafeMutableBufferPointer(rebasing: target[row * size..<(row + 1) * size]))
        }
        let classes = place.labels.bytes.bindMemory(to: Int32.self)
        for (row, image) in images.enumerated() { classes[row] = labels[image] }
        let row = number * batch
        _ = try executor.send(
            UnsafeRawBufferPointer(rebasing: place.pixels.bytes[..<(images.count * size)]),
            to: .images(split), offset: row * size)
        _ = try executor.send(
            UnsafeRawBufferPointer(rebasing: place.labels.bytes[..<(4 * images.count)]), to: .labels(split),
            offset: 4 * row)
        stepsBegun += 1
        return FeedRows(first: row)
    }

    func end() throws { places[(stepsBegun - 1) % Self.steps].end = try executor.mark() }

    // What is under way reads the places' memory.
    deinit { for place in places { try? place.end?.wait() } }
}
