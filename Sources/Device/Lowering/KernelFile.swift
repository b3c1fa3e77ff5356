import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

/// What has to be known of a file of Kernels: one entry a file that kernels are taken from.
struct KernelFile: Hashable, Sendable {
    let name: String
    /// The files that stand in front of it, behind those that stand in front of all.
    private(set) var preamble: [String] = []
    /// Whether a CPU has it in one program with the other files of its kind: PoCL takes a twentieth of a second for each
    /// program, even where it finds the kernels in its cache.
    private(set) var joins: Family?
    /// Kernels with leading dimensions that may have work-items past the end, which do nothing, and how many of them.
    private(set) var openDimensions: [String: Int] = [:]
    private(set) var vectors = Vectors.unaligned

    enum Family: Hashable { case small, packed, photographs }

    /// Whether kernels are in it that know the last work-group of a launch, for devices that have a fence for it.
    var hasLastGroups: Bool { preamble.contains("last_group") }

    /// Whether a GPU's vectors are whole and lie at multiples of 16 bytes (ALIGNED of Kernels/shared/common.cl).
    enum Vectors: Hashable {
        case unaligned, aligned
        /// Where every tensor of the node is of whole vectors.
        case alignedTensors
        /// Where the channels of every tensor of the node are.
        case alignedChannels
    }

    // For every device.
    static let batchNorm = KernelFile(
        name: "batch_norm", joins: .small,
        openDimensions: ["batch_norm_normalise": 2, "batch_norm_inference": 2, "batch_norm_gradient": 2],
        vectors: .alignedChannels)
    static let channels = KernelFile(
        name: "channels", joins: .small,
        openDimensions: [
            "copy_channels": 2, "split_channels": 2, "pad_channels": 2, "shuffle_channels": 2,
        ], vectors: .alignedChannels)
    static let channelScaling = KernelFile(
        name: "channel_scaling", joins: .small,
        openDimensions: [
            "scale_image_channels": 2, "scale_channels": 2, "parametric_relu": 2,
            "parametric_relu_gradient": 2, "stochastic_depth": 2,
        ], vectors: .alignedChannels)
    static let elementwise = KernelFile(
        name: "elementwise", joins: .small,
        openDimensions: Dictionary(
            uniqueKeysWithValues: (["clear", "scale", "add", "multiply", "dropout"]
                + Activation.all.flatMap { [$0.identifier, $0.gradientKernel] }).map { ($0, 1) }),
        vectors: .alignedTensors)
    static let groupNorm = KernelFile(
        name: "group_norm", joins: .small,
        openDimensions: ["group_norm_normalise": 2, "group_norm_gradient": 2], vectors: .alignedChannels)
    static let imageAdjustments = KernelFile(name: "image_adjustments", joins: .photographs)
    static let imageCrop = KernelFile(
        name: "image_crop", joins: .photographs, openDimensions: ["image_crop": 2])
    static let imageNormalisation = KernelFile(
        name: "image_normalisation", joins: .photographs, openDimensions: ["image_normalisation": 2])
    static let input = KernelFile(name: "input", joins: .small)
    static let localResponseNorm = KernelFile(
        name: "local_response_norm", joins: .small,
        openDimensions: ["local_response_norm": 2, "local_response_norm_gradient": 2])
    static let loss = KernelFile(
        name: "loss", preamble: ["labels"], joins: .small, openDimensions: ["channel_activity": 2])
    static let binaryLoss = KernelFile(name: "binary_loss", preamble: ["reduction", "labels"])
    static let optimizer = KernelFile(
        name: "optimizer", preamble: ["update"], joins: .small,
        openDimensions: [
            "sgd": 1, "adam": 1, "rmsprop": 1, "lamb": 1, "lion": 1, "check_gradients": 1,
            "update_average": 1, "exchange": 1,
        ], vectors: .aligned)
    static let optimizerNorms = KernelFile(
        name: "optimizer_norms", preamble: ["reduction", "update"], vectors: .aligned)
    static let pooling = KernelFile(
        name: "pooling2d", joins: .small,
        openDimensions: [
            "maxpool2d_forward": 2, "maxpool2d_gradient": 2, "averagepool2d_forward": 2,
            "averagepool2d_gradient": 2, "global_averagepool_gradient": 2,
            "adaptive_averagepool2d_forward": 2, "adaptive_averagepool2d_gradient": 2,
        ], vectors: .alignedChannels)

    static let upsampling = KernelFile(
        name: "upsampling", joins: .small, openDimensions: ["resize": 2, "resize_gradient": 2],
        vectors: .alignedChannels)

    // Reductions by work-groups, for GPUs.
    static let batchNormReduction = KernelFile(
        name: "batch_norm_reduction", preamble: ["ptx", "last_group", "reduction"], vectors: .alignedChannels)
    static let channelSumsReduction = KernelFile(
        name: "channel_sums_reduction", preamble: ["reduction"], vectors: .alignedChannels)
    static let groupNormReduction = KernelFile(
        name: "group_norm_reduction", preamble: ["reduction"], vectors: .alignedChannels)
    static let lossReduction = KernelFile(
        name: "loss_reduction", preamble: ["ptx", "last_group", "reduction", "labels"])
    static let poolingReduction = KernelFile(
        name: "pooling2d_reduction", preamble: ["reduction"], vectors: .alignedChannels)

    // What takes each pixel's channels together, on CPUs and on GPUs.
    static let pixelwise = KernelFile(name: "pixelwise", joins: .small)
    static let pixelwiseReduction = KernelFile(
        name: "pixelwise_reduction", preamble: ["reduction"], vectors: .alignedChannels)

    // Convolutions of CPUs; the first serves every device.
    static let gather = KernelFile(name: "convolution2d_gather", preamble: ["patch"], joins: .packed)
    static let packed = KernelFile(name: "convolution2d_packed", preamble: ["patch"], joins: .packed)
    static let dense = KernelFile(name: "convolution2d_dense", preamble: ["patch"])
    static let rows = KernelFile(name: "convolution2d_rows", preamble: ["patch"])
    static let winograd = KernelFile(name: "convolution2d_winograd", preamble: ["winograd"])
    static let filterGradient = KernelFile(name: "convolution2d_filter_gradient")
    static let filterReduce = KernelFile(name: "convolution2d_filter_reduce", joins: .small)

    // Convolutions in groups.
    static let depthwise = KernelFile(
        name: "depthwise_convolution2d",
        openDimensions: [
            "depthwise_convolution2d": 2, "depthwise_convolution2d_input_gradient": 2,
            "depthwise_convolution2d_filter_gradient": 1,
        ], vectors: .alignedChannels)
    static let groupRows = KernelFile(name: "convolution2d_group_rows", preamble: ["patch"])
    /// Where a group's channels are whole vectors the launch says so.
    static let grouped = KernelFile(
        name: "grouped_convolution2d",
        openDimensions: [
            "grouped_convolution2d": 2, "grouped_convolution2d_filter_gradient": 2,
            "grouped_convolution2d_fold": 1,
        ])

    // Convolutions of GPUs.
    static let tiled = KernelFile(
        name: "convolution2d_tiled", preamble: ["ptx", "tensor_core", "tile", "tile_pieces"])
    static let tiledFilterGradient = KernelFile(
        name: "convolution2d_filter_gradient_tiled",
        preamble: ["ptx", "last_group", "tensor_core", "tile", "tile_pieces"])
    static let tiledGradients = KernelFile(
        name: "convolution2d_gradients_tiled",
        preamble: tiledFilterGradient.preamble + [tiled.name, tiledFilterGradient.name])
    static let tiledNormSums = KernelFile(
        name: "convolution2d_norm_sums_tiled",
        preamble: tiledFilterGradient.preamble + [tiled.name])
    static let filterOperands = KernelFile(
        name: "convolution2d_filter_operands", preamble: ["ptx", "tensor_core"])
    static let winogradStages = KernelFile(
        name: "convolution2d_winograd_stages", preamble: ["winograd"],
        openDimensions: [
            "winograd_image_stage": 2, "winograd_filter_stage": 2, "winograd_result_stage": 2,
            "winograd_gradient_stage": 2, "winograd_filter_gradient_stage": 2,
        ])

    static let calibration = KernelFile(name: "calibration")

    /// Those that a CPU has in one program, in the order in which they stand there.
    private static let families: [Family: (preamble: [String], files: [KernelFile])] = [
        .small: (
            ["labels", "update"],
            [
                batchNorm, channels, channelScaling, filterReduce, elementwise, groupNorm, input,
                localResponseNorm, loss, optimizer, pixelwise, pooling, upsampling,
            ]
        ),
        .packed: (["patch"], [gather, packed]),
        .photographs: ([], [imageAdjustments, imageCrop, imageNormalisation]),
    ]

    /// The files of a program with this one's kernels, in their order.
    ///
    /// - Parameter isUsual: whether the program is built without a definition of its own. All small kernels together take a
    ///   compiler more than a second: what is built for a few of them is built of their file alone.
    func files(on kind: DeviceTraits.Kind, isUsual: Bool = true) -> [String] {
        let own: [String]
        if kind == .cpu, isUsual || joins != .small, let family = joins.flatMap({ Self.families[$0] }) {
            own = family.preamble + family.files.map(\.name)
        } else {
            own = preamble + [name]
        }
        return ["KernelStructs", "common", "activation", Self.activations, "epilogue", "philox"] + own
    }

    /// Stands for a text that is made from `Activation.all`.
    static let activations = "(activations)"

    /// The text of one of `files`.
    static func text(of file: String) -> String {
        if file == activations { return Activation.openCLText }
        guard let text = kernel_source(file) else { preconditionFailure("Kernels has no file \(file)") }
        return String(cString: text)
    }
}

/// All device code together.
package enum KernelText {
    /// Changes when any of it does.
    package static let fingerprint: UInt64 = {
        let files = (0...).lazy.map { kernel_source_at($0) }.prefix { $0 != nil }
        return (files.map { String(cString: $0!) } + [Activation.openCLText]).joined().utf8.fingerprint
    }()
}

extension Activation {
    /// The kernel of its gradient; that of its value has its own name.
    var gradientKernel: String { "\(identifier)_gradient" }

    /// All of the table as functions, see Kernels/shared/activation.cl.
    static let openCLText: String = {
        var text = ""
        for type in ["float", "lanes"] {
            text += "#define T \(type)\n"
            for activation in all {
                text += """
                    OVERLOADED T value_of_\(activation.identifier)(T x) { return \(activation.openCLValue); }
                    OVERLOADED T gradient_of_\(activation.identifier)(T dy, T v) { return \(activation.openCLGradient); }

                    """
            }
            text += "#undef T\n"
        }
        return text + "#define EACH_ACTIVATION(DO) "
            + all.map { "DO(\($0.identifier))" }.joined(separator: " ")
            + "\n"
    }()
}
