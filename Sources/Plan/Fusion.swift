import ResinGraph
import ResinTensor

extension Graph {
    /// Moves element-wise work into the node that produces its input, where nothing else reads that input:
    ///
    /// - convolution → batch norm with running statistics becomes one node;
    /// - convolution → ReLU, batch norm → ReLU, addition → ReLU become one node each;
    /// - the gradient of a ReLU joins the convolution, pooling, addition or slice that produces the gradient it masks;
    ///   that of max pooling takes the pooling's output for a mask, so that what was pooled need not be kept.
    ///
    /// Comes after differentiation: a ReLU's gradient reads the ReLU's output, which the fused node still gives.
    package func fused() -> Graph {
        var graph = self
        var consumerCounts = [Int](repeating: 0, count: values.count)
        for node in nodes { for input in node.inputs { consumerCounts[input.index] += 1 } }
        for result in results { consumerCounts[result.index] += 1 }

        var producers: [ValueID: Int] = [:]
        var removed = Set<Int>()
        /// The pooling whose gradient a node is.
        func pooling(of node: Node) -> Node? {
            guard case .maxPool2DGradient = node.op else { return nil }
            return producers[node.inputs[1]].map { graph.nodes[$0] }
        }
        for index in graph.nodes.indices {
            let node = graph.nodes[index]
            if let input = node.inputs.first, consumerCounts[input.index] == 1,
                let producer = producers[input],
                graph.nodes[producer].outputs[0] == input,
                let fused = graph.nodes[producer].absorbing(node, pooling: pooling(of: graph.nodes[producer]))
            {
                // The fused node stands where the later one stood, so that all it reads is computed.
                graph.nodes[index] = fused
                removed.insert(producer)
            }
            for output in graph.nodes[index].outputs { producers[output] = index }
        }
        graph.nodes = graph.nodes.enumerated().filter { !removed.contains($0.offset) }.map(\.element)
        return graph
    }
}

extension Node {
    /// This node with `next`'s work as its epilogue, or nil where there is no such fusion.
    fileprivate func absorbing(_ next: Node, pooling: Node?) -> Node? {
        let fusedOp: Op?
        switch next.op {
        case .relu: fusedOp = op.with(.relu)
        case .reluGradient: fusedOp = op.with(.reluMask)
        case .batchNormInference(let norm): fusedOp = op.folding(norm)
        case .imageInput, .labelInput, .convolution2D, .convolution2DInputGradient,
            .convolution2DFilterGradient, .maxPool2D, .maxPool2DGradient, .averagePool2D,
            .averagePool2DGradient, .globalAveragePool, .globalAveragePoolGradient, .sigmoid,
            .sigmoidGradient, .scale, .dropout, .batchNorm, .batchNormGradient, .add,
            .concatenation, .channelSlice, .flatten, .unflatten, .softmaxCrossEntropy,
            .softmaxCrossEntropyGradient, .recordMetrics, .channelActivity, .optimizer:
            return nil
        }
        guard let fusedOp else { return nil }
        var fused = self
        fused.op = fusedOp
        if case .maxPool2DGradient = op {
            guard let pooling, next.inputs[1] == pooling.inputs[0] else { return nil }
            fused.inputs.append(pooling.outputs[0])
        } else {
            fused.inputs += next.inputs.dropFirst()
        }
        fused.outputs[0] = next.outputs[0]
        return fused
    }
}

extension Op {
    /// A convolution with the batch norm behind it; nil for other operators, or where a ReLU stands between.
    fileprivate func folding(_ norm: BatchNormInference) -> Op? {
        guard case .convolution2D(var op) = self, op.epilogue == .none, op.foldedNormEpsilon == nil else {
            return nil
        }
        op.foldedNormEpsilon = norm.epsilon
        op.epilogue = norm.epilogue
        return .convolution2D(op)
    }

    /// The operator with an epilogue, or nil where it has one already or cannot have this one.
    fileprivate func with(_ epilogue: Epilogue) -> Op? {
        switch self {
        case .convolution2D(var op) where op.epilogue == .none && epilogue == .relu:
            op.epilogue = epilogue
            return .convolution2D(op)
        case .batchNorm(var op) where op.epilogue == .none && epilogue == .relu:
            op.epilogue = epilogue
            return .batchNorm(op)
        case .batchNormInference(var op) where op.epilogue == .none && epilogue == .relu:
            op.epilogue = epilogue
            return .batchNormInference(op)
        case .add(var op) where op.epilogue == .none:
            op.epilogue = epilogue
            return .add(op)
        case .convolution2DInputGradient(var op) where op.epilogue == .none && epilogue == .reluMask:
            op.epilogue = epilogue
            return .convolution2DInputGradient(op)
        case .maxPool2DGradient(var op) where op.epilogue == .none && epilogue == .reluMask:
            op.epilogue = epilogue
            return .maxPool2DGradient(op)
        case .channelSlice(var op) where op.epilogue == .none && epilogue == .reluMask:
            op.epilogue = epilogue
            return .channelSlice(op)
        case .convolution2D, .batchNorm, .batchNormInference, .add, .convolution2DInputGradient,
            .maxPool2DGradient, .imageInput, .labelInput, .convolution2DFilterGradient, .maxPool2D,
            .averagePool2D, .averagePool2DGradient, .globalAveragePool, .globalAveragePoolGradient, .relu,
            .reluGradient, .sigmoid, .sigmoidGradient, .scale, .dropout, .batchNormGradient, .concatenation,
            .channelSlice, .flatten, .unflatten, .softmaxCrossEntropy,
            .softmaxCrossEntropyGradient, .recordMetrics, .channelActivity, .optimizer:
            return nil
        }
    }

    /// Whether the first output may overwrite one of the inputs: each element is read before it is written,
    /// and no other element depends on it afterwards.
    package var inPlaceInputs: [Int] {
        switch self {
        case .relu, .reluGradient, .sigmoid, .sigmoidGradient, .scale, .dropout, .batchNormInference,
            .batchNormGradient:
            [0]
        case .add: [0, 1]
        case .imageInput, .labelInput, .convolution2D, .convolution2DInputGradient,
            .convolution2DFilterGradient, .maxPool2D, .maxPool2DGradient, .averagePool2D,
            .averagePool2DGradient, .globalAveragePool, .globalAveragePoolGradient, .batchNorm,
            .concatenation, .channelSlice, .flatten,
            .unflatten, .softmaxCrossEntropy, .softmaxCrossEntropyGradient, .recordMetrics,
            .channelActivity, .optimizer:
            []
        }
    }

    /// Whether the output is the input under another shape, with nothing to run.
    package var isView: Bool {
        switch self {
        case .flatten, .unflatten: true
        case .relu, .reluGradient, .sigmoid, .sigmoidGradient, .scale, .dropout, .batchNormInference,
            .batchNormGradient, .add, .concatenation, .channelSlice, .imageInput, .labelInput, .convolution2D,
            .convolution2DInputGradient, .convolution2DFilterGradient,
            .maxPool2D,
            .maxPool2DGradient, .averagePool2D, .averagePool2DGradient, .globalAveragePool,
            .globalAveragePoolGradient, .batchNorm, .softmaxCrossEntropy, .softmaxCrossEntropyGradient,
            .recordMetrics, .channelActivity, .optimizer:
            false
        }
    }
}
