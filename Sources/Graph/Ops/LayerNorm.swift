import ResinTensor

extension Op {
    /// Layer normalisation over each pixel's channels (Ba, Kiros and Hinton, 2016), as ConvNeXt has it:
    ///
    ///     y = scale · (x − mean) / √(variance + epsilon) + shift
    ///
    /// Inputs: x `[N, H, W, C]` or `[N, C]`, scale, shift `[C]`; outputs: y, and for the gradient each pixel's mean and
    /// 1 / √(variance + epsilon) `[N · H · W]`.
    public struct LayerNorm: Operator {
        public var epsilon: Float

        public init(epsilon: Float = 1e-5) { self.epsilon = epsilon }

        package var summary: String { "layer norm" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let pixels = TensorType([inputs[0].shape.pixels])
            return [inputs[0], pixels, pixels]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let (dy, node) = (backward.outputGradient, backward.node)
            let statistics = [node.outputs[1], node.outputs[2]]
            // First: then dx may take dy's place.
            if backward.wantsGradient(ofInput: 1) || backward.wantsGradient(ofInput: 2) {
                let sums = try backward.apply(.normParameterSums, to: [dy, node.inputs[0]] + statistics)
                for input in 1...2 where backward.wantsGradient(ofInput: input) {
                    backward.setGradient(ofInput: input, to: sums[input - 1])
                }
            }
            if backward.wantsGradient(ofInput: 0) {
                let dx = try backward.apply(
                    .layerNormGradient, to: [dy, node.inputs[0], node.inputs[1]] + statistics)
                backward.setGradient(ofInput: 0, to: dx[0])
            }
        }

        package var inPlaceInputs: [Int] { [0] }
    }

    /// With x̂ = (x − mean) · inverse deviation and g = dy · scale, and means over the pixel's channels:
    ///
    ///     dx = inverse deviation · (g − mean of g − x̂ · mean of g · x̂)
    ///
    /// Inputs: dy, x, scale, mean, inverse deviation.
    package struct LayerNormGradient: Operator {
        package init() {}

        package var summary: String { "gradient of layer norm" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        package var inPlaceInputs: [Int] { [0] }
    }

    /// dscale = Σ dy · x̂ and dshift = Σ dy of a layer norm, over all pixels. Inputs: dy, x, mean, inverse deviation.
    package struct NormParameterSums: Operator {
        package init() {}

        package var summary: String { "gradient of layer norm's parameters" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let channels = TensorType([inputs[0].shape.channels])
            return [channels, channels]
        }

        package var givesActivation: Bool { false }
    }
}
