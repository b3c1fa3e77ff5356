import Foundation
import Resin
import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

@Suite("Images on their way to the device")
struct FeedTests {
    private static let network = ReproducibilityTests.network
    private static let count = 45

    /// Grey noise, each image of a size of its own.
    static func photographs(_ count: Int = count) -> DecodedPhotographs {
        let philox = Philox(seed: 3, stream: .glyphs)
        let images = (0..<count).map { index in
            let size = philox(Philox.Block(UInt32(index), 0, 0, 1))
            let (height, width) = (Int(9 + size.x % 30), Int(9 + size.y % 30))
            let pixels = (0..<height * width).map { pixel in
                UInt8(truncatingIfNeeded: philox(Philox.Block(UInt32(index), UInt32(pixel), 0, 2)).x)
            }
            return RasterImage(height: height, width: width, channels: 1, pixels: pixels)
        }
        return DecodedPhotographs(
            images, labels: (0..<Int32(count)).map { $0 % 10 }, size: PixelSize(height: 12, width: 12))
    }

    private static func trainer(
        _ images: any ImageSource, test: any ImageSource = photographs(21), _ loading: ImageLoading,
        epochs: Int = 3, on device: ComputeDevice,
        change: (inout TrainingConfiguration) -> Void = { _ in }
    ) throws -> Trainer {
        let dataset = try Dataset(
            name: "photographs", classNames: (0..<10).map { "class \($0)" }, train: images,
            test: test, mean: [0.5], standardDeviation: [0.25])
        var configuration = TrainingConfiguration(
            network, dataset, batch: 8, .sgd(learningRate: 0.05, momentum: 0.9))
        configuration.epochs = epochs
        configuration.augmentation = AugmentationPolicy.ofPhotographs
        configuration.fit = .crop
        change(&configuration)
        return try Trainer(network, dataset, configuration, loading, device: device)
    }

    /// What training, and a test within it, lead to.
    private static func outcome(_ trainer: Trainer) throws -> (Checkpoint, [Double], Evaluation) {
        var losses = try trainer.takeSteps(7)
        let evaluation = try #require(try trainer.evaluate(keepsLogits: true))
        losses += try trainer.takeSteps(6)
        return (try trainer.checkpoint(), losses, evaluation)
    }

    static let loadings = [
        ImageLoading(streaming: .never), ImageLoading(streaming: .always, threads: 1),
        ImageLoading(streaming: .always, threads: 2), ImageLoading(streaming: .always, threads: 8),
    ]

    @Test("the way they come changes no bit", arguments: executors)
    func sameBits(device: ComputeDevice) throws {
        let expected = try Self.outcome(Self.trainer(Self.photographs(), Self.loadings[0], on: device))
        for loading in Self.loadings.dropFirst() {
            let streamed = try Self.outcome(Self.trainer(Self.photographs(), loading, on: device))
            #expect(streamed.0 == expected.0)
            #expect(streamed.1 == expected.1)
            #expect(streamed.2.logits == expected.2.logits)
            #expect(streamed.2.confusion == expected.2.confusion)
        }
    }

    @Test(
        "streamed images of one size train to the bits of those that lie on the device", arguments: executors)
    func uniform(device: ComputeDevice) throws {
        let images = try Dataset.noise(45, of: ImageShape(channels: 1, side: 12))
        func outcome(_ loading: ImageLoading) throws -> (Checkpoint, [Double], Evaluation) {
            try Self.outcome(
                Self.trainer(images.train, loading, on: device) {
                    $0.augmentation = AugmentationPolicy()
                    $0.augmentation.cropPadding = 2
                    $0.augmentation.flips = true
                })
        }
        let expected = try outcome(ImageLoading(streaming: .never))
        let streamed = try outcome(ImageLoading(streaming: .always))
        #expect(streamed.0 == expected.0 && streamed.1 == expected.1)
    }

    @Test("images of one size take the photographs' augmentation")
    func augmentedUniform() throws {
        let images = try Dataset.noise(45, of: ImageShape(channels: 1, side: 12))
        let trainer = try Self.trainer(images.train, ImageLoading(), on: referenceDevice)
        let other = try Self.trainer(images.train, ImageLoading(), on: referenceDevice) {
            $0.augmentation = AugmentationPolicy()
        }
        #expect(try trainer.takeSteps(2) != other.takeSteps(2))
    }

    /// Five steps an epoch: after 3 within the first, after 5 between two.
    @Test("a streamed run that is restored goes on in the same bits", arguments: executors)
    func resumed(device: ComputeDevice) throws {
        let loading = ImageLoading(streaming: .always)
        let whole = try Self.trainer(Self.photographs(), loading, on: device)
        let expected = try whole.takeSteps(12)
        for stop in [3, 5] {
            let before = try Self.trainer(Self.photographs(), loading, on: device)
            let after = try Self.trainer(Self.photographs(), loading, on: device)
            let losses = try before.takeSteps(stop)
            try after.restore(before.checkpoint(), from: "memory")
            #expect(try losses + after.takeSteps(12 - stop) == expected)
            #expect(try after.checkpoint() == whole.checkpoint())
        }
    }

    /// A source some of whose images are gone when their turn comes.
    private struct Vanishing: PhotographSource {
        let images: DecodedPhotographs
        let gone: Set<Int>

        init(_ gone: Set<Int>, of count: Int = FeedTests.count) {
            images = FeedTests.photographs(count)
            self.gone = gone
        }

        var shape: Shape { images.shape }
        var labels: [Int32] { images.labels }
        func size(of image: Int) -> PixelSize { images.size(of: image) }

        func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
            images.read(image, into: bytes)
        }

        func read(_ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
            if gone.contains(image) { throw ResinError(.missingFile, "\(image).jpg: is gone") }
            images.read(image, box, into: bytes)
        }
    }

    @Test("an image that is gone while training is named", arguments: executors)
    func vanishing(device: ComputeDevice) throws {
        let trainer = try Self.trainer(
            Vanishing([17]), ImageLoading(streaming: .always), epochs: 1, on: device)
        // All images but five are in the first epoch; in the second at the latest it has its turn.
        let error = try #require(throws: ResinError.self) { _ = try trainer.takeSteps(10) }
        #expect(error.kind == .missingFile && error.message.contains("17.jpg"))
    }

    @Test(
        "images that are gone are left out where that is asked for, in the same way of either storage",
        arguments: executors)
    func leftOut(device: ComputeDevice) throws {
        func outcome(_ streaming: Streaming) throws -> (Checkpoint, [String]) {
            let loading = ImageLoading(streaming: streaming, skipsUnreadable: true)
            let trainer = try Self.trainer(Vanishing([17, 30]), loading, on: device)
            _ = try trainer.takeSteps(10)
            return (try trainer.checkpoint(), trainer.skippedImages.map(\.reason))
        }
        let streamed = try outcome(.always)
        let resident = try outcome(.never)
        #expect(streamed.0 == resident.0)
        #expect(streamed.1 == ["17.jpg: is gone", "30.jpg: is gone"] && resident.1 == streamed.1)
    }

    /// Batches of eight: one lacks an image, one has none, the last is short and lacks its first.
    @Test("an evaluation leaves out images that are gone", arguments: executors, [Streaming.always, .never])
    func leftOutOfEvaluation(device: ComputeDevice, streaming: Streaming) throws {
        let loading = ImageLoading(streaming: streaming, skipsUnreadable: true)
        func evaluation(_ test: any ImageSource) throws -> Evaluation {
            let trainer = try Self.trainer(Self.photographs(), test: test, loading, on: device)
            return try #require(try trainer.evaluate(keepsLogits: true))
        }
        let whole = try evaluation(Self.photographs(21))
        let gone = Set([3, 16]).union(8..<16)
        let rest = try evaluation(Vanishing(gone, of: 21))
        #expect(rest.imageCount == 11)
        #expect(rest.skipped.map(\.reason) == gone.sorted().map { "\($0).jpg: is gone" })
        let kept = (0..<21).filter { !gone.contains($0) }
        #expect(rest.logits == kept.flatMap { whole.logits[$0 * 10..<($0 + 1) * 10] })
        #expect(rest.confusion.classMetrics.map(\.imageCount).reduce(0, +) == 11)
        #expect(rest.loss.isFinite && rest.loss != whole.loss)
        #expect(throws: ResinError(.missingFile, "0.jpg: is gone")) {
            try evaluation(Vanishing(Set(0..<21), of: 21))
        }
    }

    @Test("who wants to stop need not wait for images")
    func stopping() throws {
        struct Slow: PhotographSource {
            let images = FeedTests.photographs()
            var shape: Shape { images.shape }
            var labels: [Int32] { images.labels }
            func size(of image: Int) -> PixelSize { images.size(of: image) }
            func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {}

            func read(_ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
                Thread.sleep(forTimeInterval: 0.2)
                images.read(image, box, into: bytes)
            }
        }
        let trainer = try Self.trainer(
            Slow(), ImageLoading(streaming: .always, threads: 1), on: referenceDevice)
        var asked = 0
        let epoch = try trainer.trainEpoch(shouldStop: {
            asked += 1
            return asked > 3
        })
        #expect(epoch == nil)
        #expect(trainer.step == 0)
    }

    @Test("memory is that of the ring and of what is on its way, whatever the number of images")
    func memory() throws {
        func plan(_ count: Int, _ streaming: Streaming) throws -> MemoryPlan {
            try Self.trainer(
                Self.photographs(count), ImageLoading(streaming: streaming), on: referenceDevice
            ).memory
        }
        let (few, many) = (try plan(80, .always), try plan(160, .always))
        // A batch of the largest images, four times at most.
        #expect(many.dataset < few.dataset + 8 * 39 * 39 * 4)
        #expect(try plan(160, .never).dataset > many.dataset)
        #expect(many.description.contains("on the way"))
        #expect(!(try plan(160, .never).description.contains("on the way")))
    }
}
