import ResinTensor

extension Op {
    /// Batch normalisation with the batch's own statistics (Ioffe and Szegedy, ICML 2015), per channel over
    /// all images and pixels:
    ///
    ///     y = scale · (x − mean) / √(variance + epsilon) + shift
    ///     running ← (1 − momentum) · running + momentum · batch's, the variance there unbiased (n − 1)
    ///
    /// Inputs: x `[N, H, W, C]`, scale, shift, running mean, running variance `[C]`, the last two updated in
    /// place, and what the epilogue adds, if anything; outputs: y, and for the gradient the batch's mean and 1 / √(variance + epsilon) `[C]`.
    public struct BatchNorm: TakesForwardEpilogue {
        public var epsilon: Float
        public var momentum: Float
        /// Not a gradient.
        public var epilogue: Epilogue

        public init(epsilon: Float = 1e-5, momentum: Float = 0.1, epilogue: Epilogue = .none) {
            self.epsilon = epsilon
            self.momentum = momentum
            self.epilogue = epilogue
        }

        package var op: Op { .batchNorm(self) }
        package var summary: String { "batch norm" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = inputs[0].shape
            guard shape.pixels > 1 else {
                throw ShapeError("training needs more than one value a channel; use a larger batch")
            }
            return [inputs[0], TensorType([shape.channels]), TensorType([shape.channels])]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            let node = backward.node
            let gradients = try backward.apply(
                .batchNormGradient,
                to: [
                    backward.outputGradient, node.inputs[0], node.inputs[1], node.outputs[1], node.outputs[2],
                ])
            backward.setGradient(ofInput: 0, to: gradients[0])
            backward.setGradient(ofInput: 1, to: gradients[1])
            backward.setGradient(ofInput: 2, to: gradients[2])
        }

        package var keepsFeaturesInPlace: Bool { true }
    }

    /// Batch normalisation with the running statistics, for prediction. Inputs: x, scale, shift, running
    /// mean, running variance, and what the epilogue adds, if anything; output y.
    public struct BatchNormInference: TakesForwardEpilogue {
        public var epsilon: Float
        /// Not a gradient.
        public var epilogue: Epilogue

        public init(epsilon: Float = 1e-5, epilogue: Epilogue = .none) {
            self.epsilon = epsilon
            self.epilogue = epilogue
        }

        package var op: Op { .batchNormInference(self) }
        package var summary: String { "batch norm (running statistics)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        /// Of x alone, which is all that a fixed network asks for, and one whose layer is frozen: dx = scale / √(variance + epsilon) · dy, which is the norm of
        /// dy with neither mean nor shift.
        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            let inputs = backward.node.inputs
            precondition(
                !backward.wantsGradient(ofInput: 1) && !backward.wantsGradient(ofInput: 2),
                "scale and shift of a batch norm with running statistics have no gradient")
            let zeros = backward.zeros(backward.shape(ofInput: 0).channels)
            let gradient = try backward.apply(
                .batchNormInference(self),
                to: [backward.outputGradient, inputs[1], zeros, zeros, inputs[4]])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }

        package var inPlaceInputs: [Int] { [0] }
        package var keepsFeaturesInPlace: Bool { true }
    }

    /// With x̂ = (x − mean) · inverse deviation and n values a channel:
    ///
    ///     dshift = Σ dy,  dscale = Σ dy · x̂
    ///     dx = scale · inverse deviation · (dy − dshift / n − x̂ · dscale / n)
    ///
    /// Inputs: dy, x, scale, mean, inverse deviation; outputs: dx, dscale, dshift.
    package struct BatchNormGradient: Operator {
        package init() {}

        package var summary: String { "gradient of batch norm" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            [inputs[0], inputs[2], inputs[2]]
        }

        package var inPlaceInputs: [Int] { [0] }
    }
}
