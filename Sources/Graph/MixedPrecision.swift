import ResinTensor

/// What activations and their gradients are stored as.
public enum Precision: String, Codable, CaseIterable, Hashable, Sendable {
    case float32
    /// bfloat16, and filters are rounded to it where they are multiplied; sums, weights, their gradients, the
    /// optimizer's state, batch norm's statistics and the loss stay float32 (Micikevicius et al., "Mixed precision
    /// training", ICLR 2018; Kalamkar et al., "A study of BFLOAT16 for deep learning training", 2019). bfloat16 has
    /// float32's range, so that the loss needs no scaling.
    case mixed
}

extension Graph {
    /// The same computation in that precision.
    package func inPrecision(_ precision: Precision) -> Graph {
        guard precision == .mixed else { return self }
        var graph = self
        for node in nodes where node.op.givesActivation {
            graph.setElementType(of: node.outputs[0], to: .bfloat16)
            // What tests take for an image: a parameter under another shape.
            if case .unflatten = node.op { graph.setElementType(of: node.inputs[0], to: .bfloat16) }
        }
        return graph
    }

    /// Whether a parameter stands for an activation, as it does in tests.
    package func isBFloat16(parameter index: Int) -> Bool {
        values.contains { $0.source == .parameter(index) && $0.type.elementType == .bfloat16 }
    }

    /// Whether a node's activations, read or written, are bfloat16.
    package func isMixed(_ node: Node) -> Bool {
        (node.inputs + node.outputs).contains { self[$0].type.elementType == .bfloat16 }
    }
}

extension Op {
    /// Whether the first output is an activation or the gradient of one.
    fileprivate var givesActivation: Bool {
        switch self {
        case .imageInput, .convolution2D, .convolution2DInputGradient, .maxPool2D, .maxPool2DGradient,
            .averagePool2D, .averagePool2DGradient, .globalAveragePool, .globalAveragePoolGradient, .relu,
            .reluGradient, .sigmoid, .sigmoidGradient, .scale, .dropout, .batchNorm, .batchNormInference,
            .batchNormGradient, .add, .concatenation, .channelSlice, .flatten, .unflatten,
            .softmaxCrossEntropyGradient:
            true
        case .labelInput, .convolution2DFilterGradient, .softmaxCrossEntropy, .recordMetrics,
            .channelActivity, .optimizer:
            false
        }
    }

    /// Whether the second input is a filter, which is multiplied in the first's precision.
    package var multipliesFilter: Bool {
        switch self {
        case .convolution2D, .convolution2DInputGradient: true
        case .imageInput, .labelInput, .convolution2DFilterGradient, .maxPool2D, .maxPool2DGradient,
            .averagePool2D, .averagePool2DGradient, .globalAveragePool, .globalAveragePoolGradient, .relu,
            .reluGradient, .sigmoid, .sigmoidGradient, .scale, .dropout, .batchNorm, .batchNormInference,
            .batchNormGradient, .add, .concatenation, .channelSlice, .flatten, .unflatten,
            .softmaxCrossEntropy, .softmaxCrossEntropyGradient, .recordMetrics, .channelActivity, .optimizer:
            false
        }
    }
}
