import ResinTensor

extension Op {
    /// Group normalisation (Wu and He, ECCV 2018): each image's channels are of `groups` groups, and each group is
    /// normalised over its channels and all pixels,
    ///
    ///     y = scale · (x − mean) / √(variance + epsilon) + shift
    ///
    /// Inputs: x `[N, H, W, C]` or `[N, C]`, scale, shift `[C]`; outputs: y, and for the gradient the mean and
    /// 1 / √(variance + epsilon) of each channel's group `[N · C]`.
    public struct GroupNorm: Operator {
        public var groups: Int
        public var epsilon: Float

        public init(groups: Int, epsilon: Float = 1e-5) {
            precondition(groups > 0, "channels are of at least one group")
            self.groups = groups
            self.epsilon = epsilon
        }

        package var summary: String { "group norm of \(groups) groups" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = inputs[0].shape
            guard shape.channels % groups == 0 else {
                throw ShapeError("the \(shape.channels) channels of its input are not \(groups) groups")
            }
            let statistics = TensorType([shape.images * shape.channels])
            return [inputs[0], statistics, statistics]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let node = backward.node
            let gradients = try backward.apply(
                .groupNormGradient(GroupNormGradient(groups: groups)),
                to: [
                    backward.outputGradient, node.inputs[0], node.inputs[1], node.outputs[1], node.outputs[2],
                ])
            for input in 0..<3 where backward.wantsGradient(ofInput: input) {
                backward.setGradient(ofInput: input, to: gradients[input])
            }
        }

        package var inPlaceInputs: [Int] { [0] }
    }

    /// With x̂ = (x − mean) · inverse deviation, g = dy · scale, and means over a group:
    ///
    ///     dshift = Σ dy,  dscale = Σ dy · x̂ over all images and pixels
    ///     dx = inverse deviation · (g − mean of g − x̂ · mean of g · x̂)
    ///
    /// Inputs: dy, x, scale, mean, inverse deviation; outputs: dx, dscale, dshift.
    public struct GroupNormGradient: Operator {
        package var groups: Int

        package init(groups: Int) { self.groups = groups }

        package var summary: String { "gradient of group norm" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            [inputs[0], inputs[2], inputs[2]]
        }

        package var inPlaceInputs: [Int] { [0] }
    }
}
