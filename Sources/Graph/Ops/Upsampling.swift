import ResinTensor

extension Op {
    /// Images in another size, PyTorch's `interpolate`: `[N, H, W, C]` → `[N, size.height, size.width, C]`.
    public struct Upsampling: Operator {
        public enum Method: Hashable, Sendable {
            /// The pixel ⌊i · H / H′⌋.
            case nearest
            /// Between the two pixels around (i + ½) · H / H′ − ½, or with aligned corners around
            /// i · (H − 1) / (H′ − 1), and so along columns.
            case bilinear(alignsCorners: Bool)
        }

        public var size: Extent
        public var method: Method

        public init(to size: Extent, _ method: Method) {
            precondition(size.height > 0 && size.width > 0, "an image has at least one pixel")
            self.size = size
            self.method = method
        }

        package var summary: String {
            switch method {
            case .nearest: "nearest pixels, to \(size)"
            case .bilinear: "bilinear resizing to \(size)"
            }
        }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = inputs[0].shape
            return [
                TensorType(
                    Shape(
                        images: shape.images, height: size.height, width: size.width,
                        channels: shape.channels))
            ]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let op = UpsamplingGradient(forward: self, inputShape: backward.shape(ofInput: 0))
            let gradient = try backward.apply(.upsamplingGradient(op), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }
    }

    /// Each pixel's gradient back to those that it was made of, by their shares. Input: dy; output: `inputShape`.
    public struct UpsamplingGradient: Operator {
        package var forward: Upsampling
        package var inputShape: Shape

        package init(forward: Upsampling, inputShape: Shape) {
            self.forward = forward
            self.inputShape = inputShape
        }

        package var summary: String { "gradient of \(forward.summary)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            [TensorType(inputShape)]
        }
    }
}
