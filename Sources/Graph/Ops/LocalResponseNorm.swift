import ResinTensor

extension Op {
    /// Each value by what its neighbours among the channels are (Krizhevsky, Sutskever and Hinton, NIPS 2012, §3.3), in
    /// PyTorch's form, which divides alpha by the number of neighbours:
    ///
    ///     y[c] = x[c] · (k + alpha / size · Σ x[j]²)^−beta over c − size / 2 ≤ j ≤ c + (size − 1) / 2
    ///
    /// `[N, H, W, C]` or `[N, C]`; the shape stays.
    public struct LocalResponseNorm: Operator {
        public var size: Int
        public var alpha, beta, k: Float

        /// - Parameter k: above zero.
        public init(size: Int, alpha: Float = 1e-4, beta: Float = 0.75, k: Float = 1) {
            precondition(
                size > 0 && k > 0, "local response norm has at least one neighbour, and k above zero")
            self.size = size
            self.alpha = alpha
            self.beta = beta
            self.k = k
        }

        package var summary: String { "local response norm over \(size) channels" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let gradient = try backward.apply(
                .localResponseNormGradient(LocalResponseNormGradient(forward: self)),
                to: [backward.outputGradient, backward.node.inputs[0]])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }
    }

    /// With d, what is raised to −beta, and a sum over the c whose neighbours j is one of:
    ///
    ///     dx[j] = dy[j] · d[j]^−beta − 2 · alpha · beta / size · x[j] · Σ dy[c] · x[c] · d[c]^(−beta − 1)
    ///
    /// Inputs: dy, x.
    public struct LocalResponseNormGradient: Operator {
        package var forward: LocalResponseNorm

        package init(forward: LocalResponseNorm) { self.forward = forward }

        package var summary: String { "gradient of \(forward.summary)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }
    }
}
