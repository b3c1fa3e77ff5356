import ResinTensor

extension Op {
    /// Makes the network's images of photographs, on the device: of each `ImageSample` its box, resized as Pillow does it
    /// (bilinear with anti-aliasing, along the rows, then along the columns, each rounded to bytes), of that the window, black
    /// outside, mirrored and flipped. In integers: all devices give the same bytes.
    ///
    /// Inputs: `Region.images` as flat bytes, `Region.samples` `[rows, words]`, of which row n of the batch reads the step's
    /// first image + n; rows from the step's image count on repeat the last. Output: bytes `[N, H, W, C]`.
    public struct ImageCrop: Operator {
        public var batch: Int
        public var size: Extent
        /// 1 … 4.
        public var channels: Int

        public init(batch: Int, size: Extent, channels: Int) {
            self.batch = batch
            self.size = size
            self.channels = channels
        }

        package var summary: String { "crops of \(size)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            try checkSamples(inputs[1])
            guard (1...4).contains(channels) else {
                throw ShapeError("its images have \(channels) channels; it takes 1 to 4")
            }
            let shape = Shape(images: batch, height: size.height, width: size.width, channels: channels)
            return [TensorType(shape, .uint8)]
        }

        /// About as much is read of each image as is made of it: how large images are, only a step knows.
        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(bytes: 2 * outputs[0].byteCount)
        }

        package var givesActivation: Bool { false }
    }

    /// Makes each sample's `adjustments`, one after another, as torchvision does it on Pillow's images. Inputs: bytes
    /// `[N, H, W, C]` of 1 or 3 channels, `Region.samples`; output: bytes like them.
    public struct ImageAdjustments: Operator {
        public init() {}

        package var summary: String { "adjustments of images" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            try checkSamples(inputs[1])
            guard [1, 3].contains(inputs[0].shape.channels) else {
                throw ShapeError("its images have \(inputs[0].shape.channels) channels; it takes 1 or 3")
            }
            return [inputs[0]]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(bytes: inputs[0].byteCount + outputs[0].byteCount)
        }

        package var givesActivation: Bool { false }
    }

    /// From bytes to what the network reads: (byte / 255 − mean) / deviation, zero where a sample is erased, and mixed with
    /// another row of the batch. Inputs: bytes `[N, H, W, C]`, `Region.samples`; output `[N, H, W, C]`.
    public struct ImageNormalisation: Operator {
        public var mean: [Float]
        public var standardDeviation: [Float]

        public init(mean: [Float], standardDeviation: [Float]) {
            precondition(mean.count == standardDeviation.count)
            self.mean = mean
            self.standardDeviation = standardDeviation
        }

        package var summary: String { "normalisation of images" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            try checkSamples(inputs[1])
            let shape = inputs[0].shape
            guard shape.channels == mean.count else {
                throw ShapeError(
                    "its images have \(shape.channels) channels, but \(mean.count) means are given")
            }
            return [TensorType(shape)]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(bytes: inputs[0].byteCount + outputs[0].byteCount)
        }
    }

    /// The samples' labels. Inputs: `Region.samples`, the images, for their number; output `Int32` `[N]`.
    package struct SampleLabels: Operator {
        package init() {}

        package var summary: String { "labels of samples" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            try checkSamples(inputs[0])
            return [TensorType([inputs[1].shape.images], .int32)]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost {
            Cost(bytes: 2 * outputs[0].byteCount)
        }

        package var givesActivation: Bool { false }
    }
}

extension TensorType {
    /// That of `Region.samples`.
    package static func samples(_ rows: Int) -> TensorType {
        TensorType([rows, ImageSample.wordCount], .int32)
    }
}

private func checkSamples(_ type: TensorType) throws {
    guard type == .samples(type.shape.extents[0]) else {
        throw ShapeError("its samples are \(type.shape), not rows of \(ImageSample.wordCount) words")
    }
}
