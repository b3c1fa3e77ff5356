import ResinOpenCL
import ResinPlan

/// What a device likes, as far as kernels and launches depend on it.
package struct DeviceTraits: Hashable, Sendable {
    /// Floats a vector of the kernels' has: 4, 8 or 16.
    package var lanes: Int
    /// Whose kernels it runs.
    package enum Kind: String, Sendable, CaseIterable {
        /// One work-item at a time on long stretches of memory.
        case cpu
        /// Neighbouring work-items side by side.
        case gpu
    }
    package var kind: Kind
    /// Tiles that convolutions may use, where they run in local memory; none where they do not.
    package var groupTiles: [GroupTile]
    /// Whether tensor cores are used by inline PTX; where not, tiles for them run imitated.
    private let usesPTX: Bool

    /// How the operands of tensor cores come to local memory, where channels allow.
    package var staging: Staging
    /// The least multiply-adds of a convolution or an input's gradient with which they come in pieces: the filter has to be
    /// put in order for it, which should not show beside the product. An estimate, of about 5 µs on a large GPU; none has
    /// measured it.
    package var leastPieceProducts = 1 << 28

    /// How the last work-group of a launch sees what the others wrote; where there is no way that is known to work, what
    /// groups have computed a part of is put together by another launch.
    package var fence: DeviceFence?

    /// On CPUs, the images of a batch that forms are chosen for, where that is to be another than the batch's own number: plans
    /// of several sizes then give an image the same bits.
    package var imagesOfChoice: Int?

    /// In a group of a kernel that is not particular about it: a power of two.
    package var groupWorkItems: Int
    var computeUnits: Int
    package var localMemoryByteCount: Int
    /// Whether convolutions may use minimal filtering, which rounds differently from a direct sum.
    var allowsWinograd: Bool
    /// On GPUs, the least harmonic mean of a convolution's channels with which it does: what is transformed goes through
    /// memory, about 10 floats a pixel for each channel, and the products that are saved have to be worth that. An estimate
    /// for 20 operations a byte; no GPU has measured it.
    package var leastWinogradChannels = 96
    /// On GPUs, about so many bytes are transformed at a time.
    package var winogradByteCount = 256 << 20

    /// Whether the device's compiler optimises. Tests of what is small do without: a CPU's takes seconds for each of a GPU's
    /// kernels, and a thirtieth of that where it need not.
    package var isOptimised = true

    /// - Parameters:
    ///   - asGPU: whether to choose what a GPU runs; nil where the device's type decides.
    ///   - hasTensorCores: whether `mma.sync` has worked with the operands that will be multiplied.
    ///   - imitatesTensorCores: whether to choose as if it had, and imitate them.
    ///   - staging: what of `ldmatrix` and `cp.async` has.
    ///   - fence: what is known to work between work-groups.
    package init(
        _ device: ResinOpenCL.Device, math: MathMode = .fast, asGPU: Bool? = nil,
        hasTensorCores: Bool = false, imitatesTensorCores: Bool = false, staging: Staging = .words,
        fence: DeviceFence? = nil
    ) {
        let isGPU = asGPU ?? (device.type == .gpu)
        kind = isGPU ? .gpu : .cpu
        lanes = isGPU ? 4 : min(max(device.nativeFloatVectorWidth, 4), 16)
        let usesTensorCores = (hasTensorCores || imitatesTensorCores) && math == .fast
        usesPTX = hasTensorCores && !imitatesTensorCores
        let staging = usesTensorCores ? staging : .words
        self.staging = staging
        self.fence = fence
        groupTiles =
            !isGPU
            ? []
            : (usesTensorCores ? GroupTile.onTensorCores : GroupTile.all).filter {
                $0.localByteCount(staging) <= device.localMemoryByteCount
                    && $0.workItems <= device.maximumWorkGroupSize
            }
        groupWorkItems = 256
        while groupWorkItems > device.maximumWorkGroupSize { groupWorkItems /= 2 }
        computeUnits = device.computeUnits
        localMemoryByteCount = device.localMemoryByteCount
        allowsWinograd = math == .fast
    }

    /// Rows × vectors of channels that a CPU's registers hold the sums of, for so many channels.
    ///
    /// With vectors of 16 there are 32 registers: 24 sums, the vectors of the filter and one more value fill them. A step
    /// loads as many vectors as the tile has rows and columns: the squarer it is, the fewer for each multiply-add (6 × 4
    /// was measured at 0.9 of the peak in cache, 8 × 3 at 0.8, 12 × 2 at 0.75), so long as it wastes no channels.
    /// Devices with 16 registers hold 12 sums.
    func registerTile(channels: Int) -> (rows: Int, columns: Int) {
        guard kind == .cpu else { return (4, 1) }
        if lanes < 16 {
            if channels <= lanes { return (12, 1) }
            return channels % (3 * lanes) == 0 && channels % (2 * lanes) != 0 ? (4, 3) : (6, 2)
        }
        if channels <= lanes { return (24, 1) }
        if channels % (4 * lanes) == 0 { return (6, 4) }
        if channels % (6 * lanes) == 0 { return (4, 6) }
        return channels % (3 * lanes) == 0 ? (8, 3) : (12, 2)
    }

    /// Work-items that share `count` short pieces of work on a CPU, where each has its price: enough for all cores to
    /// end together.
    func shares(of count: Int) -> Int { min(count, 32 * computeUnits) }

    /// Whether convolutions round their operands to TF32, or to 16 bits in mixed precision.
    package var usesTensorCores: Bool { groupTiles.contains { $0.usesTensorCores } }

    /// What every program is built with.
    var options: [String] {
        ["-DLANES=\(lanes)", "-DLONG_WORK_ITEMS=\(kind == .cpu ? 1 : 0)"]
            + (usesTensorCores ? ["-DNV_PTX=\(usesPTX ? 1 : 0)"] : [])
            + (isOptimised ? [] : ["-cl-opt-disable"])
    }
}
