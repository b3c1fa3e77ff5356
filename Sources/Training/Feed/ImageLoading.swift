import FoundationEssentials
import ResinDataset
import ResinGraph
import ResinPlan
import ResinTensor

/// How images come to the device; as long as all can be read, none of it changes a bit.
public struct ImageLoading: Hashable, Sendable {
    public var streaming: Streaming
    /// That decode; at least 1.
    public var threads: Int
    /// Whether a photograph that cannot be read when its turn comes is left out, another of its step taking its place.
    public var skipsUnreadable: Bool

    /// - Parameter threads: by default as many as there are processors.
    public init(streaming: Streaming = .auto, threads: Int? = nil, skipsUnreadable: Bool = false) {
        self.streaming = streaming
        self.skipsUnreadable = skipsUnreadable
        self.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    }
}

/// The images of one part of a data set, as a network's steps take them.
package struct StepImages {
    private let source: any ImageSource
    private let split: Region.Split
    private let configuration: TrainingConfiguration
    private let loading: ImageLoading

    package init(
        _ source: any ImageSource, _ split: Region.Split, _ configuration: TrainingConfiguration,
        _ loading: ImageLoading = ImageLoading()
    ) {
        // Images of one size are photographs, too, where they are to be changed as those are.
        let isPlain = split == .test || configuration.augmentation.isCropAndFlip
        self.source = isPlain ? source : source as? any PhotographSource ?? UniformPhotographs(source)
        self.split = split
        self.configuration = configuration
        self.loading = loading
    }

    package func input(batch: Int, on executor: any Executor) -> StepInput {
        if let photographs = source as? any PhotographSource {
            return .photographs(
                PhotographPlan(photographs, batch: batch, streaming: loading.streaming, on: executor))
        }
        let limits = executor.memoryLimits
        let isStreamed = loading.streaming.streams(source.shape.count, limits)
        guard isStreamed else { return .uniform(source.shape) }
        let ring = Shape(
            images: RingFeed.steps * batch, height: source.height, width: source.width,
            channels: source.channels)
        return .ring(ring, count: source.count)
    }

    /// Brings to the device what lies there; the plan's regions must be allocated.
    package func feed(_ input: StepInput, on executor: any Executor) throws -> any ImageFeed {
        let batch = configuration.batch
        let orders =
            split == .train
            ? EpochOrders(configuration.sampler, source.labels, seed: configuration.seed) : nil
        switch input {
        case .uniform:
            return try ResidentFeed(source, split, batch: batch, orders: orders, on: executor)
        case .ring:
            return try RingFeed(source, split, batch: batch, orders: orders, on: executor)
        case .photographs(let plan):
            let photographs = source as! any PhotographSource
            return try PhotographFeed(
                photographs, split, plan, samples(of: photographs), batch: batch, loading, on: executor)
        }
    }

    private func samples(of photographs: any PhotographSource) -> any SampleSequence {
        switch split {
        case .train: TrainingSamples(photographs, configuration)
        case .test: TestSamples(photographs, configuration)
        }
    }
}

/// Images of one size, as photographs that are decoded already.
struct UniformPhotographs: PhotographSource {
    let source: any ImageSource

    init(_ source: any ImageSource) { self.source = source }

    var shape: Shape { source.shape }
    var labels: [Int32] { source.labels }
    func name(of image: Int) -> String? { source.name(of: image) }
    func size(of image: Int) -> PixelSize { PixelSize(height: source.height, width: source.width) }

    func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        try source.read(image, into: bytes)
    }

    func read(_ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        try source.withBytes(of: image..<image + 1) {
            copy(box, of: $0, width: source.width, to: bytes)
        }
    }
}
