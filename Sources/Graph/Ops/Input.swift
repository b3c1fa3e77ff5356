import ResinTensor

extension Op {
    /// Makes the step's images from the data set's bytes, on the device: picks image `order[first + n]`,
    /// resizes it bilinearly (half-pixel centres, no anti-aliasing, as PyTorch's `interpolate` with
    /// `align_corners=False`), and normalises: (byte / 255 − mean) / deviation. With augmentation, the bytes
    /// are shifted by up to `cropPadding` pixels each way (zeros come in, a padded random crop) and mirrored
    /// with probability ½; which, follows from seed, step and position in the batch.
    ///
    /// Inputs: `Region.images` `[count, h, w, C]`, `Region.order` `[count]`; output `[N, H, W, C]`.
    public struct ImageInput: Operator {
        public var batch: Int
        public var size: Extent
        public var mean: [Float]
        public var standardDeviation: [Float]
        public var cropPadding: Int
        public var flips: Bool

        public init(
            batch: Int, size: Extent, mean: [Float], standardDeviation: [Float], cropPadding: Int = 0,
            flips: Bool = false
        ) {
            precondition(mean.count == standardDeviation.count)
            self.batch = batch
            self.size = size
            self.mean = mean
            self.standardDeviation = standardDeviation
            self.cropPadding = cropPadding
            self.flips = flips
        }

        package var summary: String { "images of \(size)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let channels = inputs[0].shape.channels
            guard channels == mean.count else {
                throw ShapeError("the images have \(channels) channels, but \(mean.count) means are given")
            }
            return [
                TensorType(Shape(images: batch, height: size.height, width: size.width, channels: channels))
            ]
        }

        /// The data set is not read whole: a step reads its own images.
        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(bytes: batch * inputs[0].byteCount / inputs[0].shape.images + outputs[0].byteCount)
        }
    }

    /// The step's labels: labels[order[first + n]]. Inputs: `Region.labels`, `Region.order`, the images, for
    /// their number; output `Int32` `[N]`.
    package struct LabelInput: Operator {
        package init() {}

        package var summary: String { "labels" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            [TensorType([inputs[2].shape.images], .int32)]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(bytes: 2 * outputs[0].byteCount)
        }

        package var givesActivation: Bool { false }
    }
}
