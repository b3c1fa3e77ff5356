import ResinTensor

extension Op {
    /// The largest value under the window, channel by channel; padding never wins, nor do places beyond the image,
    /// which the last windows have where the output's size is rounded up (PyTorch's `ceil_mode`).
    ///
    /// Input `[N, H, W, C]`; outputs `[N, H′, W′, C]` and, for the gradient, which place of the window won
    /// (`kh · kernel.width + kw`, one byte, the first of equals, as in PyTorch). So windows have at most 256
    /// places.
    public struct MaxPool2D: TakesActivation {
        public var window: Window
        public var givesIndices: Bool
        public var roundsUp: Bool
        /// `.none` or an activation.
        public var epilogue: Epilogue

        public init(
            window: Window, givesIndices: Bool, roundsUp: Bool = false, epilogue: Epilogue = .none
        ) {
            self.window = window
            self.givesIndices = givesIndices
            self.roundsUp = roundsUp
            self.epilogue = epilogue
        }

        package var op: Op { .maxPool2D(self) }
        package var summary: String {
            "\(window.kernel) max pooling\(window.settings)\(roundsUp ? ", size rounded up" : "")"
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = try pooledShape(window, of: inputs[0].shape, roundsUp: roundsUp)
            guard window.seesImage(inputs[0].shape, from: shape) else {
                throw ShapeError(
                    "its \(window.kernel) window\(window.settings) sees nothing but padding somewhere on "
                        + "\(inputs[0].shape.height)×\(inputs[0].shape.width) pixels")
            }
            guard window.kernel.area <= 256 else { throw ShapeError("its window has more than 256 places") }
            return givesIndices ? [TensorType(shape), TensorType(shape, .uint8)] : [TensorType(shape)]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(givesIndices, "a graph that is differentiated needs max pooling's indices")
            precondition(epilogue == .none, "fusion comes after differentiation")
            let op = MaxPool2DGradient(window: window, inputShape: backward.shape(ofInput: 0))
            let gradient = try backward.apply(
                .maxPool2DGradient(op), to: [backward.outputGradient, backward.node.outputs[1]])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }
    }

    /// Each window's gradient goes to the place that won. Inputs: dy, indices, and for the epilogue's operand the
    /// pooling's output, whose values are those of what was pooled at the places that won; output: `inputShape`.
    public struct MaxPool2DGradient: TakesActivationGradient {
        public var window: Window
        public var inputShape: Shape
        /// `.none` or a gradient.
        public var epilogue: Epilogue

        public init(window: Window, inputShape: Shape, epilogue: Epilogue = .none) {
            self.window = window
            self.inputShape = inputShape
            self.epilogue = epilogue
        }

        package var op: Op { .maxPool2DGradient(self) }
        package var summary: String { "gradient of \(window.kernel) max pooling\(window.settings)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            [TensorType(inputShape)]
        }
    }

    /// The mean under the window, channel by channel. `[N, H, W, C]` → `[N, H′, W′, C]`.
    public struct AveragePool2D: TakesActivation {
        public var window: Window
        /// Divide by the window's whole area even where it hangs over the edge (PyTorch's
        /// `count_include_pad`, on by default there).
        public var countsPadding: Bool
        /// PyTorch's `ceil_mode`. Places beyond the padding, which the last windows have then, never count.
        public var roundsUp: Bool
        /// `.none` or an activation.
        public var epilogue: Epilogue

        public init(
            window: Window, countsPadding: Bool = true, roundsUp: Bool = false, epilogue: Epilogue = .none
        ) {
            self.window = window
            self.countsPadding = countsPadding
            self.roundsUp = roundsUp
            self.epilogue = epilogue
        }

        package var op: Op { .averagePool2D(self) }
        package var summary: String {
            "\(window.kernel) average pooling\(window.settings)\(roundsUp ? ", size rounded up" : "")"
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            guard window.dilation == Extent(1) else {
                throw ShapeError("average pooling has no dilation, not \(window.kernel)\(window.settings)")
            }
            return [TensorType(try pooledShape(window, of: inputs[0].shape, roundsUp: roundsUp))]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            let op = AveragePool2DGradient(forward: self, inputShape: backward.shape(ofInput: 0))
            let gradient = try backward.apply(.averagePool2DGradient(op), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }
    }

    /// Each window's gradient spread evenly over the places it averaged. Inputs: dy, and the epilogue's operand, if
    /// any; output `inputShape`.
    public struct AveragePool2DGradient: TakesActivationGradient {
        public var forward: AveragePool2D
        public var inputShape: Shape
        /// `.none` or a gradient.
        public var epilogue: Epilogue

        public init(forward: AveragePool2D, inputShape: Shape, epilogue: Epilogue = .none) {
            self.forward = forward
            self.inputShape = inputShape
            self.epilogue = epilogue
        }

        package var op: Op { .averagePool2DGradient(self) }
        package var summary: String { "gradient of \(forward.summary)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            [TensorType(inputShape)]
        }
    }

    /// The mean of each channel over each of `output`'s height × width parts of the image, PyTorch's
    /// `adaptive_avg_pool2d`: part i of n of H rows begins at ⌊i · H / n⌋ and ends before ⌈(i + 1) · H / n⌉, so that parts
    /// share rows where n does not divide H. `[N, H, W, C]` → `[N, output.height, output.width, C]`.
    public struct AdaptiveAveragePool2D: TakesActivation {
        public var output: Extent
        /// `.none` or an activation.
        public var epilogue: Epilogue

        public init(_ output: Extent, epilogue: Epilogue = .none) {
            precondition(output.height > 0 && output.width > 0, "an image has at least one part")
            self.output = output
            self.epilogue = epilogue
        }

        package var op: Op { .adaptiveAveragePool2D(self) }
        package var summary: String { "average pooling to \(output)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = inputs[0].shape
            return [
                TensorType(
                    Shape(
                        images: shape.images, height: output.height, width: output.width,
                        channels: shape.channels))
            ]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            let op = AdaptiveAveragePool2DGradient(inputShape: backward.shape(ofInput: 0))
            let gradient = try backward.apply(
                .adaptiveAveragePool2DGradient(op), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }
    }

    /// Each part's gradient spread evenly over its places. Inputs: dy, and the epilogue's operand, if any; output
    /// `inputShape`.
    public struct AdaptiveAveragePool2DGradient: TakesActivationGradient {
        public var inputShape: Shape
        /// `.none` or a gradient.
        public var epilogue: Epilogue

        public init(inputShape: Shape, epilogue: Epilogue = .none) {
            self.inputShape = inputShape
            self.epilogue = epilogue
        }

        package var op: Op { .adaptiveAveragePool2DGradient(self) }
        package var summary: String { "gradient of average pooling of \(inputShape)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            [TensorType(inputShape)]
        }
    }

    /// The mean of each channel over an image: `[N, H, W, C]` → `[N, C]`.
    package struct GlobalAveragePool: Operator {
        package init() {}

        package var summary: String { "global average pooling" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            [TensorType([inputs[0].shape.images, inputs[0].shape.channels])]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let shape = backward.shape(ofInput: 0)
            let op = GlobalAveragePoolGradient(extent: Extent(shape.height, shape.width))
            let gradient = try backward.apply(.globalAveragePoolGradient(op), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }
    }

    /// dx[n, y, x, c] = dy[n, c] / (H·W): `[N, C]` → `[N, H, W, C]`. A gradient's operand is a second input.
    public struct GlobalAveragePoolGradient: TakesActivationGradient {
        /// The image's height and width.
        public var extent: Extent
        /// `.none` or a gradient.
        public var epilogue: Epilogue

        public init(extent: Extent, epilogue: Epilogue = .none) {
            self.extent = extent
            self.epilogue = epilogue
        }

        package var op: Op { .globalAveragePoolGradient(self) }
        package var summary: String { "gradient of global average pooling" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = inputs[0].shape
            return [
                TensorType(
                    Shape(
                        images: shape.images, height: extent.height, width: extent.width,
                        channels: shape.channels))
            ]
        }
    }

    private static func pooledShape(
        _ window: Window, of shape: Shape, roundsUp: Bool = false
    ) throws -> Shape {
        let output = try window.output(for: shape, roundsUp: roundsUp)
        let (padding, extent) = (window.padding, window.extent)
        guard max(padding.top, padding.bottom) * 2 <= extent.height,
            max(padding.left, padding.right) * 2 <= extent.width
        else {
            throw ShapeError("its padding of \(padding) is more than half of the \(extent) window")
        }
        return Shape(
            images: shape.images, height: output.height, width: output.width, channels: shape.channels)
    }
}

extension Window {
    /// Whether some place of each window lies on the image. That is so of a padding of at most half the window, but for
    /// dilated ones.
    fileprivate func seesImage(_ image: Shape, from result: Shape) -> Bool {
        func sees(_ windows: Int, _ size: Int, _ kernel: Int, _ stride: Int, _ dilation: Int, _ padding: Int)
            -> Bool
        {
            dilation == 1
                || (0..<windows).allSatisfy { window in
                    let first = window * stride - padding
                    let place = first < 0 ? (dilation - 1 - first) / dilation : 0
                    return place < kernel && first + place * dilation < size
                }
        }
        return sees(result.height, image.height, kernel.height, stride.height, dilation.height, padding.top)
            && sees(result.width, image.width, kernel.width, stride.width, dilation.width, padding.left)
    }
}
