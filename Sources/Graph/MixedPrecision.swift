import ResinTensor

/// What activations and their gradients are stored as.
public enum Precision: String, Codable, CaseIterable, Hashable, Sendable {
    case float32
    /// bfloat16, and filters are rounded to it where they are multiplied; sums, weights, their gradients, the
    /// optimizer's state, batch norm's statistics and the loss stay float32 (Micikevicius et al., "Mixed precision
    /// training", ICLR 2018; Kalamkar et al., "A study of BFLOAT16 for deep learning training", 2019). bfloat16 has
    /// float32's range, so that the loss needs no scaling.
    case mixed
    /// The same with float16, which has three bits more and a small range: gradients are those of the loss times a
    /// scale, which `LossScale` adjusts.
    case mixedFloat16 = "mixed-float16"

    /// Whether gradients are those of the loss times a `LossScale`.
    public var scalesLoss: Bool { self == .mixedFloat16 }

    /// What activations are stored as.
    package var activationType: ElementType {
        switch self {
        case .float32: .float32
        case .mixed: .bfloat16
        case .mixedFloat16: .float16
        }
    }
}

extension Graph {
    /// The same computation in that precision.
    package func inPrecision(_ precision: Precision) -> Graph {
        guard precision != .float32 else { return self }
        var graph = self
        for node in nodes where !node.outputs.isEmpty && node.op.body.givesActivation {
            graph.setElementType(of: node.outputs[0], to: precision.activationType)
            // What tests take for an image: a parameter under another shape.
            if case .unflatten = node.op {
                graph.setElementType(of: node.inputs[0], to: precision.activationType)
            }
        }
        return graph
    }

    /// The type of 16 bits of a parameter that stands for an activation, as it does in tests.
    package func halfType(ofParameter index: Int) -> ElementType? {
        values.first { $0.source == .parameter(index) && $0.type.elementType.isHalf }?.type.elementType
    }

    /// The type of 16 bits of a node's activations, read or written; nil where they are float32.
    package func halfType(of node: Node) -> ElementType? {
        (node.inputs + node.outputs).map { self[$0].type.elementType }.first(where: \.isHalf)
    }
}
