import ResinDataset
import ResinGraph
import ResinPlan
import ResinTensor

/// Photographs, each of a size of its own: all lie on the device, or each step's are decoded and sent while the steps before
/// it run; every step sends how its rows are made of them.
final class PhotographFeed: ImageFeed {
    private let split: Region.Split
    private let batch: Int
    private let plan: PhotographPlan
    private let source: any PhotographSource
    private let sequence: any SampleSequence
    private let executor: any Executor
    private let decoder: StepDecoder
    /// Where each image begins, where all are on the device; else none.
    private var offsets: [Int] = []
    /// Steps that are being decoded, in their order.
    private var coming: [Coming] = []
    private var free: [Staging]
    /// Steps that are under way on the device, the oldest first.
    private var running: [Running] = []
    private var begun: Running?
    private var stepsBegun = 0
    private let skipsUnreadable: Bool
    /// Of the images that lie on the device, those that could not be read and have no pixels there.
    private var unreadable: [Int: any Error] = [:]
    private(set) var skipped: [Int: ResinError] = [:]

    /// Host memory that a step's samples and bytes leave from.
    private final class Staging {
        var memory: (any StagingMemory)?
        /// The ends of what left last.
        var sent: [any Mark] = []
    }

    private struct Coming {
        var pieces: StepPieces
        /// Of the set, a row each.
        var images: [Int]
        var samples: [ImageSample]
        /// Of the images.
        var byteCount: Int
        var staging: Staging
    }

    private struct Running {
        /// In the ring of bytes.
        var bytes: Range<Int>
        var end: (any Mark)?
    }

    init(
        _ source: any PhotographSource, _ split: Region.Split, _ plan: PhotographPlan,
        _ sequence: any SampleSequence, batch: Int, _ loading: ImageLoading, on executor: any Executor
    ) throws {
        self.source = source
        self.split = split
        self.plan = plan
        self.sequence = sequence
        self.batch = batch
        self.executor = executor
        skipsUnreadable = loading.skipsUnreadable
        decoder = StepDecoder(source, threads: loading.threads)
        free = (0...PhotographPlan.stepsAhead).map { _ in Staging() }
        if !plan.isStreamed { try upload() }
    }

    // What the threads write to must stay until they have.
    deinit { decoder.removeAll() }

    /// Decodes all images, in parts, so that the host never holds them all.
    private func upload() throws {
        let meter = LoadingMeter(.decoding, of: source.count)
        offsets = [0]
        for image in 0..<source.count {
            offsets.append(offsets[image] + source.size(of: image).area * source.channels)
        }
        var first = 0
        while first < source.count {
            var end = first + 1
            while end < source.count, offsets[end + 1] - offsets[first] <= 1 << 26 { end += 1 }
            let start = offsets[first]
            let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: offsets[end] - start)
            defer { memory.deallocate() }
            let pieces = StepPieces(
                FeedStep(epoch: 0, slot: 0),
                (first..<end).map { image in
                    StepPieces.Piece(
                        image: image, box: PixelBox(source.size(of: image)),
                        bytes: .init(rebasing: memory[offsets[image] - start..<offsets[image + 1] - start]))
                })
            decoder.add(pieces)
            defer { decoder.removeAll() }
            _ = decoder.wait(for: pieces, shouldStop: { false })
            if !skipsUnreadable { try pieces.checkAll() }
            for (row, error) in pieces.failures { unreadable[first + row] = error }
            try executor.write(UnsafeRawBufferPointer(memory), to: .images(split), offset: start)
            meter.add(end - first)
            first = end
        }
    }

    // MARK: Steps

    func begin(_ step: FeedStep, shouldStop: () -> Bool) throws -> FeedRows? {
        if let first = coming.first, first.pieces.step != step { forget() }
        try prepare(from: step)
        guard decoder.wait(for: coming[0].pieces, shouldStop: shouldStop) else { return nil }
        var next = coming.removeFirst()
        free.append(next.staging)
        let unreadable = try leaveOutUnreadable(of: &next)
        let bytes = try room(for: next.byteCount)
        let row = stepsBegun % (plan.rows / batch) * batch
        try send(next, to: bytes, row)
        begun = Running(bytes: bytes)
        stepsBegun += 1
        return FeedRows(first: row, unreadable: unreadable)
    }

    /// - Returns: their places in the step.
    private func leaveOutUnreadable(of step: inout Coming) throws -> Set<Int> {
        var failures = step.pieces.failures
        if !unreadable.isEmpty {
            for (row, image) in step.images.enumerated() { failures[row] = unreadable[image] }
        }
        if failures.isEmpty { return [] }
        let good = step.samples.indices.first { failures[$0] == nil }
        guard skipsUnreadable, good != nil || split == .test else {
            throw failures.min { $0.key < $1.key }!.value
        }
        for (row, error) in failures { skipped[step.images[row]] = error as? ResinError }
        switch split {
        case .train:
            for row in failures.keys {
                let mixture = step.samples[row].mixture
                step.samples[row] = step.samples[good!]
                step.samples[row].mixture = mixture
            }
        case .test:
            step.samples = step.samples.indices.filter { failures[$0] == nil }.map { step.samples[$0] }
        }
        return Set(failures.keys)
    }

    func end() throws {
        guard var step = begun else { return }
        begun = nil
        step.end = try executor.mark()
        running.append(step)
    }

    private func forget() {
        decoder.removeAll()
        free += coming.map(\.staging)
        coming = []
    }

    /// Has a step and those behind it decoded.
    private func prepare(from step: FeedStep) throws {
        var next = coming.last.map { sequence.step(after: $0.pieces.step) } ?? step
        while let step = next, let staging = free.first {
            free.removeFirst()
            try prepare(step, staging)
            next = sequence.step(after: step)
        }
    }

    private func prepare(_ step: FeedStep, _ staging: Staging) throws {
        for mark in staging.sent { try mark.wait() }
        staging.sent = []
        var samples = sequence.samples(of: step)
        let sampleByteCount = 4 * ImageSample.wordCount * samples.count
        var boxes: [PixelBox] = []
        var places: [Int] = []
        var byteCount = 0
        for index in samples.indices where plan.isStreamed {
            let box = samples[index].sample.neededPiece(for: sequence.target)
            samples[index].sample.piece = box
            samples[index].sample.offset = byteCount
            boxes.append(box)
            places.append(sampleByteCount + byteCount)
            byteCount += box.size.area * source.channels
        }
        for index in samples.indices where !plan.isStreamed {
            samples[index].sample.offset = offsets[samples[index].image]
        }
        if staging.memory?.bytes.count ?? 0 < sampleByteCount + byteCount {
            staging.memory = nil
            staging.memory = try executor.makeStagingMemory(byteCount: sampleByteCount + byteCount)
        }
        let bytes = staging.memory!.bytes
        let pieces = StepPieces(
            step,
            zip(samples, zip(boxes, places)).map { sample, place in
                let end = place.1 + place.0.size.area * source.channels
                return StepPieces.Piece(
                    image: sample.image, box: place.0,
                    bytes: UnsafeMutableRawBufferPointer(rebasing: bytes[place.1..<end])
                        .bindMemory(to: UInt8.self))
            })
        if !pieces.list.isEmpty { decoder.add(pieces) }
        coming.append(
            Coming(
                pieces: pieces, images: samples.map(\.image), samples: samples.map(\.sample),
                byteCount: byteCount, staging: staging))
    }

    private func send(_ step: Coming, to bytes: Range<Int>, _ row: Int) throws {
        let memory = step.staging.memory!.bytes
        let wordCount = ImageSample.wordCount
        // The bytes lie behind room for the samples of all images, also of those that were left out.
        let sampleByteCount = 4 * wordCount * step.images.count
        let words = UnsafeMutableRawBufferPointer(rebasing: memory[..<(4 * wordCount * step.samples.count)])
            .bindMemory(to: Int32.self)
        for (index, sample) in step.samples.enumerated() {
            var sample = sample
            sample.offset += bytes.lowerBound
            sample.write(
                to: UnsafeMutableBufferPointer(rebasing: words[index * wordCount..<(index + 1) * wordCount]))
        }
        step.staging.sent = []
        if step.samples.isEmpty { return }
        step.staging.sent.append(
            try executor.send(
                UnsafeRawBufferPointer(words), to: .samples(split), offset: 4 * wordCount * row))
        if step.byteCount > 0 {
            let source = memory[sampleByteCount..<sampleByteCount + step.byteCount]
            step.staging.sent.append(
                try executor.send(
                    UnsafeRawBufferPointer(rebasing: source), to: .images(split), offset: bytes.lowerBound))
        }
    }

    /// A place in the ring that no step uses any more; where need be, waits for the oldest that are under way.
    private func room(for byteCount: Int) throws -> Range<Int> {
        // Their samples, too, lie in a ring.
        while running.count >= plan.rows / batch { try retire() }
        if byteCount == 0 { return 0..<0 }
        while true {
            let newest = running.last { !$0.bytes.isEmpty }?.bytes
            let oldest = running.first { !$0.bytes.isEmpty }?.bytes
            guard let newest, let oldest else { return 0..<byteCount }
            let start = newest.upperBound
            if oldest.lowerBound < start {
                // What is used does not go round: behind it, or before it.
                if start + byteCount <= plan.byteCount { return start..<start + byteCount }
                if byteCount <= oldest.lowerBound { return 0..<byteCount }
            } else if start + byteCount <= oldest.lowerBound {
                return start..<start + byteCount
            }
            try retire()
        }
    }

    private func retire() throws { try running.removeFirst().end?.wait() }
}
