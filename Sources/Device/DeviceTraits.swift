import ResinOpenCL

/// What a device likes, as far as kernels and launches depend on it.
package struct DeviceTraits: Hashable, Sendable {
    /// Floats a vector of the kernels' has: 4, 8 or 16.
    package var lanes: Int
    /// A CPU runs one work-item at a time on long stretches of memory; a GPU runs neighbours side by side.
    package var prefersLongWorkItems: Bool
    /// Tiles that convolutions may use, where they run in local memory; none where they do not.
    package var groupTiles: [GroupTile] = []

    package init(_ device: ResinOpenCL.Device) {
        guard device.type == .gpu else {
            prefersLongWorkItems = true
            lanes = min(max(device.nativeFloatVectorWidth, 4), 16)
            return
        }
        self = .gpu
        groupTiles.removeAll {
            $0.localByteCount > device.localMemoryByteCount || $0.workItems > device.maximumWorkGroupSize
        }
    }

    private init(lanes: Int, prefersLongWorkItems: Bool, groupTiles: [GroupTile]) {
        self.lanes = lanes
        self.prefersLongWorkItems = prefersLongWorkItems
        self.groupTiles = groupTiles
    }

    /// A GPU's, with room for every tile.
    package static let gpu = DeviceTraits(lanes: 4, prefersLongWorkItems: false, groupTiles: GroupTile.all)
}
