import Foundation
import Resin
import ResinNetworks
import ResinProtobuf
import ResinTensor
import ResinTraining
import SwiftProtobuf
import Testing

@Suite("Event files for TensorBoard")
struct TensorBoardTests {
    /// A folder that goes with the test.
    private final class Folder {
        let path = NSTemporaryDirectory() + "resin-events-\(UUID().uuidString)"
        var run: String { path + "/run" }
        var events: String { path + "/events" }
        var files: [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: events)) ?? []).sorted()
        }
        init() throws {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// Every record of an event file, its length and both checksums checked.
        func events(of file: String) throws -> [TensorBoardEvent] {
            var rest = [UInt8](try Data(contentsOf: URL(fileURLWithPath: events + "/" + file)))[...]
            func number(_ count: Int) throws -> UInt64 {
                try #require(rest.count >= count)
                defer { rest = rest.dropFirst(count) }
                return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
            }
            var events: [TensorBoardEvent] = []
            while !rest.isEmpty {
                let head = rest.prefix(8)
                let length = try Int(number(8))
                #expect(try number(4) == UInt64(CRC32C.masked(of: head)))
                try #require(rest.count >= length)
                let record = rest.prefix(length)
                rest = rest.dropFirst(length)
                #expect(try number(4) == UInt64(CRC32C.masked(of: record)))
                events.append(try TensorBoardEvent(serializedBytes: Array(record)))
            }
            return events
        }
    }

    private struct Stop: Error {}

    private static let network = ReproducibilityTests.network

    private func trainer(epochs: Int) throws -> Trainer {
        let dataset = try Dataset.noise(50, of: Self.network.input)
        var configuration = TrainingConfiguration(Self.network, dataset, batch: 8, .adam(learningRate: 0.01))
        configuration.epochs = epochs
        return try Trainer(Self.network, dataset, configuration, device: referenceDevice)
    }

    private func newRun(_ folder: Folder, epochs: Int, saveEvery: Int = 1) throws -> TrainingRun {
        try TrainingRun(
            trainer(epochs: epochs), newIn: RunFolder(newRunOf: "n", out: folder.run), saveEvery: saveEvery)
    }

    private func scalars(_ event: TensorBoardEvent) -> [String: Float] {
        Dictionary(
            uniqueKeysWithValues: event.summary.value.compactMap { value in
                if case .simpleValue(let number)? = value.value { (value.tag, number) } else { nil }
            })
    }

    private func scalars(of metrics: EpochMetrics) -> [String: Float] {
        [
            "train/loss": metrics.trainLoss, "train/accuracy": metrics.trainAccuracy,
            "test/loss": metrics.testLoss, "test/accuracy": metrics.testAccuracy,
            "test/top5_accuracy": metrics.testTop5Accuracy, "learning_rate": metrics.learningRate,
            "images_per_second": metrics.imagesPerSecond,
        ].mapValues(Float.init)
    }

    @Test("The checksum is that of RFC 3720's examples, masked as TensorFlow's")
    func checksum() {
        #expect(CRC32C.checksum(of: Array("123456789".utf8)) == 0xE306_9283)
        #expect(CRC32C.checksum(of: [UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum(of: [UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(of: (0..<32).map(UInt8.init)) == 0x46DD_794E)
        #expect(CRC32C.checksum(of: (0..<32).reversed().map(UInt8.init)) == 0x113F_DB5C)
        // Turned right by 15 bits, 0x2507C60D, and the constant.
        #expect(CRC32C.masked(of: Array("123456789".utf8)) == 0xC78A_B0E5)
    }

    @Test("A run's file has its metrics, the best epochs' mistakes, and histograms where asked for")
    func run() throws {
        let folder = try Folder()
        let run = try newRun(folder, epochs: 2)
        run.tensorBoard = try TensorBoardLog(in: folder.events, hasHistograms: true)
        var mistakes: [Int: [Evaluation.Mistake]] = [:]
        var best: Double = -1
        var eventCounts: [Int] = []
        _ = try run.run(report: {
            guard case .epoch(let metrics, let evaluation) = $0 else { return }
            if evaluation.accuracy > best { mistakes[metrics.epoch] = evaluation.mistakes }
            best = max(best, evaluation.accuracy)
            eventCounts.append(try folder.events(of: folder.files[0]).count)
        })
        #expect(eventCounts == [3, 4], "an epoch is there when it ends")
        let file = try #require(folder.files.first)
        #expect(folder.files.count == 1)
        #expect(file.contains(#/^events\.out\.tfevents\.\d{10}\..+\.resin$/#))
        #expect(run.tensorBoard?.path == folder.events + "/" + file)
        let events = try folder.events(of: file)
        let now = Date().timeIntervalSince1970
        for event in events { #expect(abs(event.wallTime - now) < 600) }
        #expect(events[0].fileVersion == "brain.Event:2" && events[0].step == 0)
        #expect(events[1].sessionLog.status == .start && events[1].step == 1)
        let metrics = try run.folder.metrics.read()
        #expect(events.dropFirst(2).map(\.step) == [1, 2])
        for (event, metrics) in zip(events.dropFirst(2), metrics) {
            #expect(scalars(event) == scalars(of: metrics))
            try check(
                event.summary.value.filter { $0.tag.hasPrefix("mistakes/") }, mistakes[metrics.epoch] ?? [],
                of: run.trainer)
        }
        #expect(mistakes[1]?.isEmpty == false)
        let last = events[3].summary.value.filter { $0.tag.hasPrefix("parameters/") }
        let parameters = run.trainer.model.parameters
        #expect(last.map(\.tag) == parameters.map { "parameters/\($0.name)" })
        for (value, parameter) in zip(last, parameters) {
            let entry = try run.trainer.checkpoint().weights[parameter.name]
            try check(value.histo, #require(entry).values)
        }
    }

    private func check(
        _ values: [TensorBoardSummary.Value], _ mistakes: [Evaluation.Mistake], of trainer: Trainer
    ) throws {
        if mistakes.isEmpty { return #expect(values.isEmpty) }
        #expect(values.count == mistakes.count + 1)
        for (index, (value, mistake)) in zip(values, mistakes).enumerated() {
            #expect(value.tag == String(format: "mistakes/%02d", index + 1))
            let picture = try RasterImage(reducing: trainer.evaluated.images, index: mistake.image)
            #expect(Int(value.image.height) == picture.height && Int(value.image.width) == picture.width)
            #expect(Int(value.image.colorspace) == picture.channels)
            let bytes = [UInt8](value.image.encodedImageString)
            if bytes.starts(with: Array("BM".utf8)) {
                #expect(bytes == BitmapImage(picture).bytes)
            } else {
                #expect(try RasterImage(decoding: bytes) == picture)
            }
        }
        let table = try #require(values.last)
        #expect(table.tag == "mistakes/table" && table.metadata.pluginData.pluginName == "text")
        let text = String(decoding: try #require(table.tensor.stringVal.first), as: UTF8.self)
        let rows = text.split(separator: "\n")
        #expect(rows.count == mistakes.count + 2)
        let first = mistakes[0]
        #expect(
            rows[2].hasPrefix("| 01 | class \(first.labels[0]) | class \(first.predicted) | "), "\(text)")
        #expect(rows[2].hasSuffix(" % | image \(first.image) |"), "\(text)")
    }

    private func check(_ histogram: TensorBoardHistogramProto, _ values: [Float]) {
        let values = values.map(Double.init)
        #expect(histogram.num == Double(values.count))
        #expect(histogram.min == values.min() && histogram.max == values.max())
        #expect(abs(histogram.sum - values.reduce(0, +)) < 1e-6)
        #expect(abs(histogram.sumSquares - values.reduce(0) { $0 + $1 * $1 }) < 1e-6)
        #expect(histogram.bucket.reduce(0, +) == histogram.num)
        #expect(histogram.bucketLimit.count == histogram.bucket.count)
        #expect(histogram.bucketLimit.last == histogram.max)
        #expect(histogram.bucketLimit == histogram.bucketLimit.sorted())
        let isConstant = histogram.min == histogram.max
        #expect(histogram.bucket.count == (isConstant ? 1 : 64))
        // Values at a limit are the next bucket's, or by rounding the one's before.
        let half = histogram.bucketLimit.count / 2
        guard !isConstant else { return }
        let limit = histogram.bucketLimit[half - 1]
        let below = Double(values.count { $0 < limit })
        #expect(abs(histogram.bucket.prefix(half).reduce(0, +) - below) <= 1)
    }

    @Test("What is written changes no bit of the run")
    func bits() throws {
        let (plain, logged) = (try Folder(), try Folder())
        let (first, second) = (try newRun(plain, epochs: 2), try newRun(logged, epochs: 2))
        second.tensorBoard = try TensorBoardLog(in: logged.events, hasHistograms: true)
        for run in [first, second] { _ = try run.run(report: { _ in }) }
        #expect(
            try first.folder.checkpoints().newestConsistent()
                == second.folder.checkpoints().newestConsistent())
    }

    @Test("A resumed run begins another file, with the epoch that comes next")
    func resumed() throws {
        let folder = try Folder()
        let run = try newRun(folder, epochs: 3)
        run.tensorBoard = try TensorBoardLog(in: folder.events)
        var isStopping = false
        let outcome = try run.run(
            report: { if case .evaluating(epoch: 2) = $0 { isStopping = true } }, shouldStop: { isStopping })
        #expect(outcome == .interrupted)
        let resumed = try TrainingRun(trainer(epochs: 3), resuming: run.folder)
        resumed.tensorBoard = try TensorBoardLog(in: folder.events)
        _ = try resumed.run(report: { _ in })
        #expect(folder.files.count == 2)
        let events = try folder.files.map(folder.events(of:))
        // The second epoch was trained, but not evaluated.
        #expect(events[0].map(\.step) == [0, 1, 1])
        #expect(events[1].map(\.step) == [0, 2, 2, 3])
        #expect(events[1][1].sessionLog.status == .start)
        let written = (events[0].dropFirst(2) + events[1].dropFirst(2)).map(scalars)
        #expect(written == (try resumed.folder.metrics.read().map(scalars(of:))))
        // Histograms are there on request alone.
        for event in events.joined() {
            #expect(!event.summary.value.contains { $0.tag.hasPrefix("parameters/") })
        }
    }

    @Test("A run that is cut back to a checkpoint says so to readers")
    func cutBack() throws {
        let folder = try Folder()
        let run = try newRun(folder, epochs: 4, saveEvery: 2)
        run.tensorBoard = try TensorBoardLog(in: folder.events)
        #expect(throws: Stop.self) {
            try run.run(report: { if case .epoch(let metrics, _) = $0, metrics.epoch == 3 { throw Stop() } })
        }
        let resumed = try TrainingRun(trainer(epochs: 4), resuming: run.folder, saveEvery: 2)
        resumed.tensorBoard = try TensorBoardLog(in: folder.events)
        _ = try resumed.run(report: { _ in })
        let events = try folder.files.map(folder.events(of:))
        #expect(events.map { $0.map(\.step) } == [[0, 1, 1, 2, 3], [0, 3, 3, 4]])
        #expect(events[1][1].sessionLog.status == .start)
    }

    @Test("Names of files ascend, whatever the clock says")
    func names() throws {
        let folder = try Folder()
        try FileManager.default.createDirectory(atPath: folder.events, withIntermediateDirectories: false)
        let odd = [
            "events.out.tfevents.9000000000.elsewhere.7", "events.out.tfevents.profile-empty",
            "events.out.tfevents.9223372036854775807.x", "events.out.tfevents.",
        ]
        for name in odd {
            try Data().write(to: URL(fileURLWithPath: folder.events + "/" + name))
        }
        let logs = try (0..<3).map { _ in try TensorBoardLog(in: folder.events) }
        let names = logs.map { String($0.path.dropFirst(folder.events.count + 1)) }
        for (name, number) in zip(names, 9_000_000_001...) {
            #expect(name.hasPrefix("events.out.tfevents.\(number)."))
        }
    }

    @Test("A folder is made with those that it is in; one that cannot be is refused before")
    func folders() throws {
        let folder = try Folder()
        for path in [folder.events + "/a/b", folder.events + "/c/"] {
            try TensorBoardLog.check(path)
            #expect(!FileManager.default.fileExists(atPath: path))
            _ = try TensorBoardLog(in: path)
        }
        let file = folder.path + "/file"
        try Data().write(to: URL(fileURLWithPath: file))
        for path in [file, file + "/", file + "/events", file + "/a/b"] {
            let error = #expect(throws: ResinError.self) { try TensorBoardLog.check(path) }
            #expect(error?.kind == .cannotWrite && error?.message.contains(file) == true)
            #expect(throws: ResinError.self) { try TensorBoardLog(in: path) }
        }
    }
}
