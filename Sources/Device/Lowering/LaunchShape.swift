import ResinGraph
import ResinPlan
import ResinTensor

extension Lowering {
    /// Work-items that a group may have along the third dimension: NVIDIA's devices have the fewest.
    private static let mostOfThirdDimension = 64

    /// The groups of a kernel that does not care how large they are, and the global size that they divide. On a CPU
    /// every work-item is a group, the cheapest to start. On a GPU a group has `groupWorkItems`, as many side by side
    /// along channels as one access to memory serves: left alone, drivers take what divides the global size, which
    /// for an odd one is a single work-item. PoCL compiles a kernel for each size of a group: where its compiler
    /// need not optimise, because time does not matter, all are alike.
    func groups(of kernel: String, in file: KernelFile, _ global: [Int]) -> (global: [Int], local: [Int]) {
        if traits.kind == .cpu || !traits.isOptimised {
            return (global, [Int](repeating: 1, count: global.count))
        }
        let open = file.openDimensions[kernel] ?? 0
        var left = traits.groupWorkItems
        var local: [Int] = []
        for (dimension, size) in global.enumerated() {
            var items = 1
            if dimension < open {
                let most = dimension == 0 && global.count > 1 ? min(left, 32) : left
                while items < min(size, most) { items *= 2 }
            } else {
                let most = dimension == 2 ? min(left, Self.mostOfThirdDimension) : left
                while items < most && size % (2 * items) == 0 { items *= 2 }
            }
            local.append(items)
            left /= items
        }
        return (zip(global, local).map { $0.roundedUp(toMultipleOf: $1) }, local)
    }

    /// Whether the node's vectors are whole and lie at multiples of 16 bytes, which GPUs move by one instruction
    /// (ALIGNED of Kernels/shared/common.cl). Every tensor starts at a multiple of 512 bytes.
    func hasAlignedVectors(in file: KernelFile) -> Bool {
        if traits.kind == .cpu { return false }
        let shapes = (node.inputs + node.outputs).map { graph.shape(of: $0) }
        switch file.vectors {
        case .unaligned: return false
        case .aligned: return true
        case .alignedTensors: return shapes.allSatisfy { $0.count % traits.lanes == 0 }
        case .alignedChannels:
            let first =
                switch node.op {
                case .channelSlice(let op): op.channels.lowerBound
                case .channelPad(let op): op.channels.lowerBound
                default: 0
                }
            if first % traits.lanes != 0 { return false }
            return shapes.allSatisfy { $0.channels % traits.lanes == 0 }
        }
    }
}
