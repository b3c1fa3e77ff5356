import ResinTensor

extension Op {
    /// Cross-correlation of an image with a bank of filters, as in PyTorch's `Conv2d`:
    ///
    ///     y[n, i, j, o] = bias[o] + Σ x[n, i·s + kh·d − top, j·s + kw·d − left, c] · w[kh, kw, c, o]
    ///
    /// with the window's stride s, dilation d and paddings top and left. Inputs: x `[N, H, W, C]`, w
    /// (`ParameterLayout.filter`), bias `[O]` if any; output `[N, H′, W′, O]`. A folded batch norm adds its inputs after
    /// these: scale, shift, running mean, running variance; then come the epilogue's. Over `[N, features]` with a 1×1
    /// window it is the dense layer.
    public struct Convolution2D: ForwardConvolution {
        public var window: Window
        public var outputChannels: Int
        public var hasBias: Bool
        package var foldedNormEpsilon: Float?
        /// The tap that is left of the filter, where the plan found that all others see nothing but padding.
        package var tap: FilterTap?
        /// Not a gradient.
        public var epilogue: Epilogue

        public init(window: Window, outputChannels: Int, hasBias: Bool, epilogue: Epilogue = .none) {
            self.window = window
            self.outputChannels = outputChannels
            self.hasBias = hasBias
            self.epilogue = epilogue
        }

        package var op: Op { .convolution2D(self) }

        package var summary: String {
            let norm = foldedNormEpsilon == nil ? "" : " with batch norm"
            return "\(window.kernel) convolution to \(outputChannels) channels\(window.settings)\(norm)"
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let image = inputs[0].shape
            let output = try window.output(for: image)
            let weights = (tap?.count ?? window.kernel.area) * image.channels * outputChannels
            guard inputs[1].shape.count == weights else {
                throw ShapeError("its filter has \(inputs[1].shape.count) weights, not \(weights)")
            }
            if image.rank == 2 { return [TensorType([image.images, outputChannels])] }
            return [
                TensorType(
                    Shape(
                        images: image.images, height: output.height, width: output.width,
                        channels: outputChannels))
            ]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(
                multiplyAdds: outputs[0].shape.count * window.kernel.area * inputs[0].shape.channels,
                bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            let inputs = backward.node.inputs
            if backward.wantsGradient(ofInput: 0) {
                let op = Convolution2DInputGradient(
                    window: window, inputShape: backward.shape(ofInput: 0))
                let gradient = try backward.apply(
                    .convolution2DInputGradient(op), to: [backward.outputGradient, inputs[1]])
                backward.setGradient(ofInput: 0, to: gradient[0])
            }
            guard backward.wantsGradient(ofInput: 1) else { return }
            let op = Convolution2DFilterGradient(window: window, hasBias: hasBias)
            let gradients = try backward.apply(
                .convolution2DFilterGradient(op), to: [inputs[0], backward.outputGradient])
            backward.setGradient(ofInput: 1, to: gradients[0])
            if hasBias { backward.setGradient(ofInput: 2, to: gradients[1]) }
        }

        package func takingOnlyTap(inputs: [Shape], outputs: [Shape], alignment: Int) -> Op? {
            guard let tap = FilterTap(only: window, image: inputs[0], result: outputs[0], alignment) else {
                return nil
            }
            var op = self
            (op.tap, op.window) = (tap, Window(kernel: 1))
            return .convolution2D(op)
        }
    }

    /// The convolution's gradient with respect to its image, a convolution of dy with the transposed filter:
    ///
    ///     dx[n, y, x, c] = Σ dy[n, i, j, o] · w[kh, kw, c, o],  i·s + kh·d = y + top, and so for j, kw, x
    ///
    /// Inputs: dy `[N, H′, W′, O]`, w, and the epilogue's operands, if any; output: `inputShape`.
    public struct Convolution2DInputGradient: TakesOperands {
        public var window: Window
        public var inputShape: Shape
        /// As the convolution's.
        package var tap: FilterTap?
        /// Not an activation.
        public var epilogue: Epilogue

        public init(window: Window, inputShape: Shape, epilogue: Epilogue = .none) {
            self.window = window
            self.inputShape = inputShape
            self.epilogue = epilogue
        }

        package var summary: String { "gradient of a \(window.kernel) convolution\(window.settings)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            [TensorType(inputShape)]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(
                multiplyAdds: inputs[0].shape.count * window.kernel.area * inputShape.channels,
                bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
        }

        package var op: Op { .convolution2DInputGradient(self) }
        package var filterInput: Int? { 1 }

        package func takingOnlyTap(inputs: [Shape], outputs: [Shape], alignment: Int) -> Op? {
            guard let tap = FilterTap(only: window, image: inputShape, result: inputs[0], alignment) else {
                return nil
            }
            var op = self
            (op.tap, op.window) = (tap, Window(kernel: 1))
            return .convolution2DInputGradient(op)
        }
    }

    /// The convolution's gradient with respect to its filter and bias:
    ///
    ///     dw[kh, kw, c, o] = Σ over n, i, j of x[n, i·s + kh·d − top, …, c] · dy[n, i, j, o]
    ///     db[o] = Σ over n, i, j of dy[n, i, j, o]
    ///
    /// Inputs: x `[N, H, W, C]`, dy `[N, H′, W′, O]`; outputs: dw in the device's filter order, db `[O]` if any.
    public struct Convolution2DFilterGradient: Operator {
        public var window: Window
        public var hasBias: Bool
        /// The tap whose gradient this is; all others' are zeros.
        package var tap: FilterTap?

        public init(window: Window, hasBias: Bool) {
            self.window = window
            self.hasBias = hasBias
        }

        package var summary: String { "filter gradient of a \(window.kernel) convolution\(window.settings)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let outputs = inputs[1].shape.channels
            let taps = tap?.count ?? window.kernel.area
            let filter = TensorType([taps * inputs[0].shape.channels * outputs])
            return hasBias ? [filter, TensorType([outputs])] : [filter]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(
                multiplyAdds: inputs[1].shape.count * window.kernel.area * inputs[0].shape.channels,
                bytes: (inputs + outputs).reduce(0) { $0 + $1.byteCount })
        }

        package var givesActivation: Bool { false }

        package func takingOnlyTap(inputs: [Shape], outputs: [Shape], alignment: Int) -> Op? {
            guard let tap = FilterTap(only: window, image: inputs[0], result: inputs[1], alignment) else {
                return nil
            }
            var op = self
            (op.tap, op.window) = (tap, Window(kernel: 1))
            return .convolution2DFilterGradient(op)
        }
    }
}

/// One place of a filter's window.
package struct FilterTap: Hashable, Sendable {
    /// Row by row.
    package var index: Int
    /// Of the window.
    package var count: Int

    /// Of a convolution of images of one pixel to results of one all taps but one see nothing but padding.
    fileprivate init?(only window: Window, image: Shape, result: Shape, _ alignment: Int) {
        guard window.kernel.area > 1, image.height * image.width == 1, result.height * result.width == 1
        else {
            return nil
        }
        // The window begins at −padding, and may step over the pixel.
        let (padding, dilation) = (window.padding, window.dilation)
        let (row, column) = (padding.top / dilation.height, padding.left / dilation.width)
        guard padding.top % dilation.height == 0 && padding.left % dilation.width == 0,
            row < window.kernel.height && column < window.kernel.width
        else { return nil }
        index = row * window.kernel.width + column
        count = window.kernel.area
        let bytes = byteRange(inputs: image.channels, outputs: result.channels)
        guard bytes.lowerBound % alignment == 0 else { return nil }
    }

    /// Where its weights lie in the filter, as devices hold it.
    package func byteRange(inputs: Int, outputs: Int) -> Range<Int> {
        let byteCount = 4 * inputs * outputs
        return index * byteCount..<(index + 1) * byteCount
    }
}
