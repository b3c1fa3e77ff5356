import ResinTensor

extension Op {
    /// Zeroes whole images with the given probability and scales the others by 1 / (1 − probability): what a residual
    /// block's branch passes before it is added (Huang et al., "Deep networks with stochastic depth", ECCV 2016), in
    /// torchvision's form, `StochasticDepth` of mode "row". Which ones follows from seed, step, `node` and the image's
    /// place in the batch, so the gradient is the same operator on dy. The epilogue's operands are further inputs.
    public struct StochasticDepth: StoringOperator {
        /// That of dropout with one element an image.
        package var dropout: Dropout
        public var epilogue: Epilogue

        /// - Parameter node: a number that no other such layer of the network, nor a dropout, has.
        public init(probability: Float, node: UInt32, epilogue: Epilogue = .none) {
            dropout = Dropout(probability: probability, node: node)
            self.epilogue = epilogue
        }

        package var op: Op { .stochasticDepth(self) }
        package var summary: String { "stochastic depth \(dropout.probability)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            let gradient = try backward.apply(.stochasticDepth(self), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }

        package var inPlaceInputs: [Int] { [0] }
        package var keepsFeaturesInPlace: Bool { true }
    }
}
