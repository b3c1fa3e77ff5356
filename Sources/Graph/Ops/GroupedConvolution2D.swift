import ResinTensor

extension Op {
    /// Cross-correlation in groups of channels, as PyTorch's `Conv2d` with `groups` (Krizhevsky, Sutskever and Hinton, 2012,
    /// section 3.5; Xie et al., "Aggregated residual transformations", 2017, section 3.3): with C/G input and O/G output
    /// channels a group, output o belongs to group g = ⌊o / (O/G)⌋, and
    ///
    ///     y[n, i, j, o] = bias[o] + Σ x[n, i·s + kh·d − top, j·s + kw·d − left, g·C/G + c] · w[kh, kw, c, o],  c < C/G
    ///
    /// with the window's stride s, dilation d and paddings top and left. With as many groups as input channels it is the
    /// depthwise convolution, whose O/C is the channel multiplier.
    ///
    /// Inputs: x `[N, H, W, C]`, w `[kernel height, kernel width, C/G, O]` (`ParameterLayout.filter` of C/G inputs), bias
    /// `[O]` if any; output `[N, H′, W′, O]`. A folded batch norm and the epilogue add inputs as in `Convolution2D`.
    public struct GroupedConvolution2D: ForwardConvolution {
        public var window: Window
        /// More than one; divides the channels on both sides.
        public var groups: Int
        public var outputChannels: Int
        public var hasBias: Bool
        package var foldedNormEpsilon: Float?
        /// Not a gradient.
        public var epilogue: Epilogue

        public init(
            window: Window, groups: Int, outputChannels: Int, hasBias: Bool, epilogue: Epilogue = .none
        ) {
            precondition(groups > 0, "a convolution has at least one group")
            self.window = window
            self.groups = groups
            self.outputChannels = outputChannels
            self.hasBias = hasBias
            self.epilogue = epilogue
        }

        package var op: Op { .groupedConvolution2D(self) }

        package var summary: String {
            let norm = foldedNormEpsilon == nil ? "" : " with batch norm"
            return
                "\(window.kernel) convolution to \(outputChannels) channels, \(groups) groups\(window.settings)\(norm)"
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let image = inputs[0].shape
            guard image.channels % groups == 0 else {
                throw ShapeError(
                    "its \(image.channels) input channels are no multiple of its \(groups) groups")
            }
            guard outputChannels % groups == 0 else {
                throw ShapeError(
                    "its \(outputChannels) output channels are no multiple of its \(groups) groups")
            }
            let output = try window.output(for: image)
            let weights = window.kernel.area * (image.channels / groups) * outputChannels
            guard inputs[1].shape.count == weights else {
                throw ShapeError("its filter has \(inputs[1].shape.count) weights, not \(weights)")
            }
            return [
                TensorType(
                    Shape(
                        images: image.images, height: output.height, width: output.width,
                        channels: outputChannels))
            ]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(
                multiplyAdds: outputs[0].shape.count * window.kernel.area
                    * (inputs[0].shape.channels / groups),
                bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            let inputs = backward.node.inputs
            if backward.wantsGradient(ofInput: 0) {
                let op = GroupedConvolution2DInputGradient(
                    window: window, groups: groups, inputShape: backward.shape(ofInput: 0))
                let gradient = try backward.apply(
                    .groupedConvolution2DInputGradient(op), to: [backward.outputGradient, inputs[1]])
                backward.setGradient(ofInput: 0, to: gradient[0])
            }
            guard backward.wantsGradient(ofInput: 1) else { return }
            let op = GroupedConvolution2DFilterGradient(window: window, groups: groups, hasBias: hasBias)
            let gradients = try backward.apply(
                .groupedConvolution2DFilterGradient(op), to: [inputs[0], backward.outputGradient])
            backward.setGradient(ofInput: 1, to: gradients[0])
            if hasBias { backward.setGradient(ofInput: 2, to: gradients[1]) }
        }
    }

    /// The grouped convolution's gradient with respect to its image:
    ///
    ///     dx[n, y, x, g·C/G + c] = Σ dy[n, i, j, o] · w[kh, kw, c, o],  o of group g,  i·s + kh·d = y + top, and so for j
    ///
    /// Inputs: dy `[N, H′, W′, O]`, w, and the epilogue's operands, if any; output: `inputShape`.
    public struct GroupedConvolution2DInputGradient: TakesOperands {
        public var window: Window
        public var groups: Int
        public var inputShape: Shape
        /// Not an activation.
        public var epilogue: Epilogue

        public init(window: Window, groups: Int, inputShape: Shape, epilogue: Epilogue = .none) {
            self.window = window
            self.groups = groups
            self.inputShape = inputShape
            self.epilogue = epilogue
        }

        package var summary: String {
            "gradient of a \(window.kernel) convolution, \(groups) groups\(window.settings)"
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            [TensorType(inputShape)]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(
                multiplyAdds: inputs[0].shape.count * window.kernel.area * (inputShape.channels / groups),
                bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
        }

        package var op: Op { .groupedConvolution2DInputGradient(self) }
        package var filterInput: Int? { 1 }
    }

    /// The grouped convolution's gradient with respect to its filter and bias, with o of group g:
    ///
    ///     dw[kh, kw, c, o] = Σ over n, i, j of x[n, i·s + kh·d − top, …, g·C/G + c] · dy[n, i, j, o]
    ///     db[o] = Σ over n, i, j of dy[n, i, j, o]
    ///
    /// Inputs: x `[N, H, W, C]`, dy `[N, H′, W′, O]`; outputs: dw in the device's filter order, db `[O]` if any.
    public struct GroupedConvolution2DFilterGradient: Operator {
        public var window: Window
        public var groups: Int
        public var hasBias: Bool

        public init(window: Window, groups: Int, hasBias: Bool) {
            self.window = window
            self.groups = groups
            self.hasBias = hasBias
        }

        package var summary: String {
            "filter gradient of a \(window.kernel) convolution, \(groups) groups\(window.settings)"
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let outputs = inputs[1].shape.channels
            let filter = TensorType([window.kernel.area * (inputs[0].shape.channels / groups) * outputs])
            return hasBias ? [filter, TensorType([outputs])] : [filter]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(
                multiplyAdds: inputs[1].shape.count * window.kernel.area
                    * (inputs[0].shape.channels / groups),
                bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
        }

        package var givesActivation: Bool { false }
    }
}
