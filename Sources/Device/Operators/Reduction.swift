import ResinGraph
import ResinPlan
import ResinTensor

/// A group of work-items that reduces together (Kernels/gpu/reduction.cl): as many vectors of channels side by side as one
/// access to memory serves, at most 32, and as many rows as the group has work-items left.
struct ReductionGroup: Hashable {
    var columns: Int
    var rows: Int

    /// - Parameter channels: how many there are to share.
    init(channels: Int, mostColumns: Int = 32, _ traits: DeviceTraits) {
        let vectors = divide(channels, by: traits.lanes)
        columns = 1
        while columns < min(vectors, mostColumns) { columns *= 2 }
        rows = traits.groupWorkItems / columns
    }

    var definitions: [(String, Int)] { [("GROUP_X", columns), ("GROUP_Y", rows)] }
    var local: [Int] { [columns, rows] }

    /// Global size along the channels.
    func width(channels: Int, _ traits: DeviceTraits) -> Int {
        divide(channels, by: traits.lanes).roundedUp(toMultipleOf: columns)
    }
}

/// How groups of work-items cut up the pixels of a reduction by channel; a matter of shapes alone, never of the
/// number of multiprocessors, which results must not depend on.
struct ReductionChunks: Hashable {
    var pixels: Int
    var channels: Int
    /// Pixels a chunk.
    var size: Int
    let group: ReductionGroup

    /// A large GPU has 132 multiprocessors, each room for eight groups of 256.
    private static let busyGroups = 1024
    /// A work-item is worth its group's barriers from so many pixels on.
    private static let leastPixels = 8

    init(_ shape: Shape, _ traits: DeviceTraits) {
        pixels = shape.pixels
        channels = shape.channels
        group = ReductionGroup(channels: channels, traits)
        let across = divide(channels, by: traits.lanes * group.columns)
        let most = max(Self.busyGroups / across, 1)
        let chunks = min(divide(pixels, by: Self.leastPixels * group.rows), most)
        size = divide(pixels, by: chunks)
    }

    var count: Int { divide(pixels, by: size) }
    /// Two values a channel and chunk.
    var partialByteCount: Int { 4 * 2 * count * channels }
    var arguments: [Launch.Argument] { [.int(pixels), .int(channels), .int(size)] }
}
