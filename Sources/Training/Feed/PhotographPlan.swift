import ResinDataset
import ResinPlan
import ResinTensor

/// Where photographs lie. Neither changes a bit.
public enum Streaming: String, Codable, CaseIterable, Hashable, Sendable {
    /// All on the device where they take at most a quarter of it, else streamed.
    case auto
    /// A few steps' images at a time, decoded as they are needed.
    case always
    /// All on the device, decoded once.
    case never

    /// - Parameters:
    ///   - byteCount: of all images.
    ///   - limits: of the device.
    func streams(_ byteCount: Int, _ limits: (total: Int, allocation: Int)) -> Bool {
        switch self {
        case .always: true
        case .never: false
        case .auto: byteCount > min(limits.allocation, limits.total / 4)
        }
    }
}

/// What a set of photographs takes: on the device, and on the way there.
package struct PhotographPlan: Hashable, Sendable {
    /// Images of the set.
    package let count: Int
    package let channels: Int
    package let isStreamed: Bool
    /// Of the bytes on the device: of all images, or of a ring for those of a few steps.
    package let byteCount: Int
    /// Of the samples on the device, a ring too: a multiple of the batch.
    package let rows: Int
    /// What a step's images take at most.
    package let largestStepByteCount: Int

    /// Steps that are decoded while one runs.
    static let stepsAhead = 2
    /// Steps whose samples lie on the device: more than are under way.
    private static let sampleSteps = 8

    package init(
        _ source: any PhotographSource, batch: Int, streaming: Streaming, on executor: any Executor
    ) {
        count = source.count
        channels = source.channels
        rows = batch * Self.sampleSteps
        let byteCounts = (0..<count).map { source.size(of: $0).area * source.channels }
        let total = byteCounts.reduce(0, +)
        let largest = byteCounts.sorted(by: >).prefix(batch).reduce(0, +)
        // What an evaluation's last step lacks repeats one of its images, whose bytes are there once.
        largestStepByteCount = largest
        isStreamed = streaming.streams(total, executor.memoryLimits)
        let typical = total / count * batch
        byteCount = isStreamed ? min(total, max(largest, (Self.stepsAhead + 1) * typical)) : total
    }

    /// That of photographs which are no larger than the network's images.
    ///
    /// - Parameter images: `[images, height, width, channels]`.
    package init(leastOf images: Shape, batch: Int) {
        count = images.images
        channels = images.channels
        isStreamed = true
        byteCount = batch * images.height * images.width * images.channels
        rows = batch * Self.sampleSteps
        largestStepByteCount = byteCount
    }

    var samplesByteCount: Int { rows * ImageSample.wordCount * 4 }
    /// On the host, at most.
    package var stagingByteCount: Int {
        isStreamed ? (Self.stepsAhead + 1) * largestStepByteCount : 0
    }
}
