import ResinOpenCL
import ResinPlan

/// What a device likes, as far as kernels and launches depend on it.
package struct DeviceTraits: Hashable, Sendable {
    /// Floats a vector of the kernels' has: 4, 8 or 16.
    package var lanes: Int
    /// A CPU runs one work-item at a time on long stretches of memory; a GPU runs neighbours side by side.
    package var prefersLongWorkItems: Bool
    /// Tiles that convolutions may use, where they run in local memory; none where they do not.
    package var groupTiles: [GroupTile] = []
    /// Launches of long work-items are cut so that every unit has several.
    var computeUnits = 1
    /// Of a core's cache, where work-items are long.
    var localMemoryByteCount = 0
    /// Whether convolutions of long work-items may use minimal filtering, which rounds differently from a
    /// direct sum.
    var allowsWinograd = false

    package init(_ device: ResinOpenCL.Device, math: MathMode = .fast) {
        guard device.type == .gpu else {
            prefersLongWorkItems = true
            lanes = min(max(device.nativeFloatVectorWidth, 4), 16)
            computeUnits = device.computeUnits
            localMemoryByteCount = device.localMemoryByteCount
            allowsWinograd = math == .fast
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
