import ResinTensor

extension Op {
    /// exp(x) / Σ exp(x) over each pixel's channels: `[N, H, W, C]` or `[N, C]`, the shape stays. Not the loss's, which
    /// has one of its own.
    package struct Softmax: Operator {
        package init() {}

        package var summary: String { "softmax" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let gradient = try backward.apply(
                .softmaxGradient, to: [backward.outputGradient, backward.node.outputs[0]])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }

        package var inPlaceInputs: [Int] { [0] }
    }

    /// dx = y · (dy − Σ dy · y). Inputs: dy, y.
    package struct SoftmaxGradient: Operator {
        package init() {}

        package var summary: String { "gradient of softmax" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        package var inPlaceInputs: [Int] { [0] }
    }
}
