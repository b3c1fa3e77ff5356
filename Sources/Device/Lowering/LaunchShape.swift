import ResinGraph
import ResinPlan
import ResinTensor

/// How many of a kernel's leading dimensions may have work-items past the end, which do nothing. The others, and
/// kernels that are not listed, get just what is asked for.
private let openDimensions: [String: Int] = [
    "clear": 1, "relu": 1, "relu_gradient": 1, "sigmoid": 1, "sigmoid_gradient": 1, "scale": 1, "add": 1,
    "dropout": 1,
    "sgd": 1, "adam": 1, "keep_statistics": 1, "check_gradients": 1, "copy_channels": 2,
    "channel_activity": 2,
    "maxpool2d_forward": 2, "maxpool2d_gradient": 2, "averagepool2d_forward": 2, "averagepool2d_gradient": 2,
    "global_averagepool_gradient": 2, "batch_norm_normalise": 2, "batch_norm_inference": 2,
    "batch_norm_gradient": 2, "winograd_image_stage": 2, "winograd_filter_stage": 2,
    "winograd_result_stage": 2,
    "winograd_gradient_stage": 2, "winograd_filter_gradient_stage": 2,
]

extension Lowering {
    /// The groups of a kernel that does not care how large they are, and the global size that they divide. On a CPU
    /// every work-item is a group, the cheapest to start. On a GPU a group has `groupWorkItems`, as many side by side
    /// along channels as one access to memory serves: left alone, drivers take what divides the global size, which
    /// for an odd one is a single work-item.
    func groups(of name: String, _ global: [Int]) -> (global: [Int], local: [Int]) {
        if traits.prefersLongWorkItems { return (global, [Int](repeating: 1, count: global.count)) }
        let open = openDimensions[name] ?? 0
        var left = traits.groupWorkItems
        var local: [Int] = []
        for (dimension, size) in global.enumerated() {
            var items = 1
            if dimension < open {
                let most = dimension == 0 && global.count > 1 ? min(left, 32) : left
                while items < min(size, most) { items *= 2 }
            } else {
                while items < left && size % (2 * items) == 0 { items *= 2 }
            }
            local.append(items)
            left /= items
        }
        return (zip(global, local).map { $0.roundedUp(toMultipleOf: $1) }, local)
    }

    /// Whether the node's vectors are whole and lie at multiples of 16 bytes, which GPUs move by one instruction
    /// (ALIGNED of Kernels/common.cl). Every tensor starts at a multiple of 512 bytes.
    func hasAlignedVectors(in file: String) -> Bool {
        if traits.prefersLongWorkItems { return false }
        let shapes = (node.inputs + node.outputs).map { graph.shape(of: $0) }
        switch file {
        case "optimizer": return true
        case "elementwise": return shapes.allSatisfy { $0.count % traits.lanes == 0 }
        case "batch_norm", "batch_norm_grouped", "pooling2d", "pooling2d_grouped":
            return shapes.allSatisfy { $0.channels % traits.lanes == 0 }
        case "channels":
            if case .channelSlice(let op) = node.op, op.channels.lowerBound % traits.lanes != 0 {
                return false
            }
            return shapes.allSatisfy { $0.channels % traits.lanes == 0 }
        default: return false
        }
    }
}
