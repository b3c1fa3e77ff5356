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
        "in prediction a batch norm folds into its convolution; a residual block's last ReLU joins the addition"
    )
    func residual() throws {
        #expect(
            try nodes(.inference) {
                Residual(4)
                GlobalAveragePool2D()
            } == [
                "0.conv1 convolution+norm+relu", "0.conv2 convolution+norm", "0.add add+relu",
                "1 global average",
            ])
    }

    @Test("a ReLU behind a pooling stays")
    func stays() throws {
        #expect(
            try nodes(.inference) {
                MaxPool2D(kernel: 2)
                ReLU()
                GlobalAveragePool2D()
            } == ["0 max pool", "1 relu", "2 global average"])
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
}

extension Op {
    /// A word for each operator, and its epilogue.
    fileprivate var stem: String {
        switch self {
        case .convolution2D(let op):
            "convolution" + (op.foldedNormEpsilon == nil ? "" : "+norm") + op.epilogue.suffix
        case .convolution2DInputGradient(let op): "input gradient" + op.epilogue.suffix
        case .convolution2DFilterGradient: "filter gradient"
        case .batchNormInference(let op): "batch norm inference" + op.epilogue.suffix
        case .add(let op): "add" + op.epilogue.suffix
        case .maxPool2DGradient(let op): "max pool gradient" + op.epilogue.suffix
        case .maxPool2D: "max pool"
        case .globalAveragePool: "global average"
        case .globalAveragePoolGradient: "global average gradient"
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
