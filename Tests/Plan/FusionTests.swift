import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor
import Testing

@Suite("Fusion")
struct FusionTests {
    /// The nodes of a network's graph after fusion, with their epilogues: "0 convolution +relu".
    private func nodes(
        _ mode: NetworkScope.Mode, differentiated: Bool = false, @LayerBuilder _ layers: () -> [any Layer]
    ) throws -> [String] {
        let network = Network(input: ImageShape(channels: 4, side: 6), classes: 4, layers: layers)
        let made = try network.makeGraph(batch: 2, mode: mode)
        var graph = made.graph
        graph.results = [made.logits]
        if differentiated {
            let labels = graph.addRegion(.labels(.train), TensorType([2], .int32))
            let loss = try graph.apply(.softmaxCrossEntropy(), to: [made.logits, labels], name: "loss")[0]
            try graph.differentiate(loss)
        }
        let plan = Plan(graph)
        plan.graph.checkInvariants()
        return plan.graph.nodes.map { "\($0.name) \($0.op.stem)" }
    }

    @Test("a ReLU joins the convolution or batch norm before it")
    func relu() throws {
        #expect(
            try nodes(.inference) {
                Convolution2D(8, kernel: 3)
                ReLU()
                BatchNorm()
                ReLU()
                Convolution2D(4, kernel: 1)
                GlobalAveragePool2D()
            } == [
                "0 convolution+relu", "2 batch norm inference+relu", "4 convolution", "5 global average",
            ])
    }

    @Test(
        "in prediction a batch norm folds into its convolution, which a residual block's addition and last ReLU join"
    )
    func residual() throws {
        #expect(
            try nodes(.inference) {
                Residual(4)
                GlobalAveragePool2D()
            } == [
                "0.conv1 convolution+norm+relu", "0.conv2 convolution+norm+addition, relu",
                "1 global average",
            ])
    }

    @Test(
        "in training a residual block's addition and last ReLU join the batch norm, or the projection behind it"
    )
    func residualInTraining() throws {
        #expect(
            try nodes(.training) {
                Residual(4)
                Residual(4, usesProjection: true)
                GlobalAveragePool2D()
            } == [
                "0.conv1 convolution", "0.bn1 batch norm+relu", "0.conv2 convolution",
                "0.bn2 batch norm+addition, relu", "1.conv1 convolution", "1.bn1 batch norm+relu",
                "1.conv2 convolution", "1.bn2 batch norm", "1.conv3 convolution+addition, relu",
                "2 global average",
            ])
    }

    @Test("a ReLU joins the max pooling before it")
    func pooling() throws {
        #expect(
            try nodes(.inference) {
                MaxPool2D(kernel: 2)
                ReLU()
                GlobalAveragePool2D()
            } == ["0 max pool+relu", "2 global average"])
    }

    @Test("a ReLU's gradient joins the node that makes the gradient it masks")
    func mask() throws {
        #expect(
            try nodes(.training, differentiated: true) {
                Convolution2D(8, kernel: 3)
                ReLU()
                MaxPool2D(kernel: 2)
                Convolution2D(8, kernel: 1)
                ReLU()
                Convolution2D(4, kernel: 1)
                GlobalAveragePool2D()
            } == [
                "0 convolution+relu", "2 max pool", "3 convolution+relu", "5 convolution",
                "6 global average", "loss loss", "loss loss gradient", "6 global average gradient",
                "5 filter gradient", "5 input gradient+relu gradient", "3 input gradient",
                "3 filter gradient",
                "2 max pool gradient+relu gradient", "0 filter gradient",
            ])
    }

    @Test("the gradients of branches are split at once, masked together, and added by the last branch")
    func branches() throws {
        #expect(
            try nodes(.training, differentiated: true) {
                Convolution2D(8, kernel: 3)
                ReLU()
                Branches {
                    Sequential {
                        Convolution2D(4, kernel: 1)
                        ReLU()
                    }
                    Sequential {
                        Convolution2D(6, kernel: 1)
                        ReLU()
                    }
                }
                Convolution2D(4, kernel: 1)
                GlobalAveragePool2D()
            } == [
                "0 convolution+relu", "2.0.0 convolution+relu", "2.1.0 convolution+relu",
                "2.concatenation concatenation", "3 convolution", "4 global average", "loss loss",
                "loss loss gradient", "4 global average gradient", "3 filter gradient",
                "3 input gradient+relu gradient", "2.concatenation split", "2.1.0 input gradient",
                "2.1.0 filter gradient", "2.0.0 filter gradient",
                "2.0.0 input gradient+addition, relu gradient", "0 filter gradient",
            ])
    }

    @Test("a gate joins its convolution, its gradient the sums, and the channels' scaling what is behind it")
    func gate() throws {
        let names = try nodes(.training, differentiated: true) {
            Convolution2D(16, kernel: 3)
            ReLU()
            SqueezeExcitation(squeeze: 4)
            Convolution2D(4, kernel: 1)
            GlobalAveragePool2D()
        }
        #expect(
            names.filter { $0.hasPrefix("2") } == [
                "2.avgpool global average", "2 other", "2.fc1 convolution+relu",
                "2.fc2 convolution+sigmoid", "2 channel scaling", "2 channel sums+sigmoid gradient",
                "2.fc2 filter gradient", "2.fc2 input gradient+relu gradient", "2.fc1 input gradient",
                "2.fc1 filter gradient", "2 other", "2.avgpool global average gradient",
                "2 channel scaling+addition, relu gradient",
            ])
    }

    @Test("the gradients of the channels' parts are put side by side, not padded and added")
    func parts() throws {
        let names = try nodes(.training, differentiated: true) {
            Convolution2D(8, kernel: 3)
            Split([3, 5]) {
                Identity()
                Convolution2D(5, kernel: 1)
            }
            ChannelShuffle(groups: 2)
            Convolution2D(4, kernel: 1)
            GlobalAveragePool2D()
        }
        #expect(
            names.filter { $0.hasPrefix("1") } == [
                "1 split", "1.1 convolution", "1.concatenation concatenation", "1.concatenation split",
                "1.1 input gradient", "1.1 filter gradient", "1 concatenation",
            ])
    }

    @Test("a ReLU's gradient joins the dense layer on the other side of a view")
    func view() throws {
        #expect(
            try nodes(.training, differentiated: true) {
                Convolution2D(4, kernel: 3)
                ReLU()
                Flatten()
                Dense(4)
            } == [
                "0 convolution+relu", "2 other", "3 convolution", "loss loss", "loss loss gradient",
                "3 filter gradient", "3 input gradient+relu gradient", "2 other", "0 filter gradient",
            ])
    }

    @Test(
        "labels, loss, its gradient and the metrics become one node, unless their rows are read",
        arguments: [false, true], [false, true])
    func loss(isTrained: Bool, isRead: Bool) throws {
        let network = Network(input: ImageShape(channels: 4, side: 6), classes: 4) {
            Flatten()
            Dense(4)
        }
        let made = try network.makeGraph(batch: 2, mode: .training)
        var graph = made.graph
        let classes = graph.addRegion(.labels(.train), TensorType([9], .int32))
        let order = graph.addRegion(.order(.train), TensorType([9], .int32))
        let metrics = graph.addRegion(.metrics(.train), TensorType([5, 4]))
        let labels = try graph.apply(.labelInput, to: [classes, order, made.logits], name: "labels")[0]
        let loss = try graph.apply(.softmaxCrossEntropy(), to: [made.logits, labels], name: "loss")[0]
        if isTrained { try graph.differentiate(loss) }
        try graph.apply(.recordMetrics, to: [loss, metrics], name: "metrics")
        if isRead { graph.results = [loss] }
        var rewrites = GraphRewrites()
        rewrites.joinsLoss = true
        let fused = Plan(graph, rewrites).graph
        fused.checkInvariants()
        let parts: [Op] = [
            .labelInput, .softmaxCrossEntropy(), .softmaxCrossEntropyGradient(), .recordMetrics,
        ]
        let left = fused.nodes.count { parts.contains($0.op) }
        let joint = Op.lossStep(Op.LossStep(Op.SoftmaxCrossEntropy(), givesGradient: isTrained))
        #expect(left == (!isRead ? 0 : isTrained ? 4 : 3))
        #expect(fused.nodes.count { $0.op == joint } == (isRead ? 0 : 1))
    }
}

extension Op {
    /// A word for each operator, and its epilogue.
    fileprivate var stem: String {
        switch self {
        case .convolution2D(let op):
            "convolution" + (op.foldedNormEpsilon == nil ? "" : "+norm") + op.epilogue.suffix
        case .convolution2DInputGradient(let op): "input gradient" + op.epilogue.suffix
        case .convolution2DFilterGradient: "filter gradient"
        case .batchNorm(let op): "batch norm" + op.epilogue.suffix
        case .batchNormInference(let op): "batch norm inference" + op.epilogue.suffix
        case .add(let op): "add" + op.epilogue.suffix
        case .maxPool2DGradient(let op): "max pool gradient" + op.epilogue.suffix
        case .maxPool2D(let op): "max pool" + op.epilogue.suffix
        case .globalAveragePool: "global average"
        case .globalAveragePoolGradient: "global average gradient"
        case .channelSplit: "split"
        case .channelScaling(let op): "channel scaling" + op.epilogue.suffix
        case .channelProductSum(let op): "channel sums" + op.epilogue.suffix
        case .channelPad: "pad"
        case .concatenation: "concatenation"
        case .softmaxCrossEntropy: "loss"
        case .softmaxCrossEntropyGradient: "loss gradient"
        case .relu: "relu"
        default: "other"
        }
    }
}

extension Epilogue {
    fileprivate var suffix: String { self == .none ? "" : "+\(self)" }
}
