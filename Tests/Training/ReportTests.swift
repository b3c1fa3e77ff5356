import Foundation
import FoundationXML
import Resin
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

@Suite("The run's report")
struct ReportTests {
    private static let network = Network("small", input: ImageShape(channels: 1, side: 6), classes: 10) {
        Convolution2D(4, kernel: 3)
        ReLU()
        Flatten()
        Dense(10)
    }
    private static let classNames =
        ["<b>bold</b>", "R&D", "\"quoted\"", "o'clock", "\u{1}"]
        + (5..<10).map { "class \($0)" }

    /// A folder that goes with the test.
    private final class Folder {
        let path = NSTemporaryDirectory() + "resin-report-\(UUID().uuidString)"
        deinit { try? FileManager.default.removeItem(atPath: path) }
        var report: String { (try? String(contentsOfFile: path + "/report.html", encoding: .utf8)) ?? "" }
    }

    private func run(
        in folder: Folder, epochs: Int, classNames: [String] = classNames, on device: ComputeDevice,
        change: (inout TrainingConfiguration) -> Void = { _ in }, shouldStop: () -> Bool = { false }
    ) throws -> (metrics: [EpochMetrics], last: Evaluation?) {
        let noise = try Dataset.noise(40, of: Self.network.input, testCount: 30)
        let dataset = try Dataset(
            name: "noise", classNames: classNames, train: noise.train, test: noise.test, mean: noise.mean,
            standardDeviation: noise.standardDeviation)
        var configuration = TrainingConfiguration(Self.network, dataset, batch: 8, .sgd(learningRate: 0.1))
        configuration.epochs = epochs
        change(&configuration)
        let trainer = try Trainer(Self.network, dataset, configuration, device: device)
        let runFolder = try RunFolder(newRunOf: "small", out: folder.path)
        let run = try TrainingRun(trainer, newIn: runFolder)
        var last: Evaluation?
        _ = try run.run(
            report: { if case .epoch(_, let evaluation) = $0 { last = evaluation } },
            shouldStop: shouldStop, profile: { try StepProfile(of: $0, $1, device: device) })
        return (try runFolder.metrics.read(), last)
    }

    /// Collects the text of the elements of one name.
    private final class Elements: NSObject, XMLParserDelegate {
        var counts: [String: Int] = [:]
        var attributes: [String] = []
        var text = ""
        var failure: (any Error)?

        init(_ html: String) {
            super.init()
            let parser = XMLParser(data: Data(html.utf8))
            parser.delegate = self
            if !parser.parse() { failure = parser.parserError }
        }

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
            qualifiedName: String?, attributes: [String: String]
        ) {
            counts[name, default: 0] += 1
            self.attributes += attributes.values
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
    }

    @Test("It is well-formed, has every epoch, and escapes the classes' names", arguments: executors)
    func content(device: ComputeDevice) throws {
        let folder = Folder()
        let metrics = try run(in: folder, epochs: 3, on: device).metrics
        let html = folder.report
        let elements = Elements(html)
        #expect(elements.failure == nil)
        #expect(elements.counts["svg"] == 3)
        #expect(elements.counts["b"] == nil)
        #expect(elements.counts["script"] == nil)
        for name in Self.classNames where name != "\u{1}" { #expect(elements.text.contains(name)) }
        #expect(metrics.count == 3)
        for epoch in metrics {
            #expect(html.contains("<th scope=\"row\">\(epoch.epoch)</th>"))
            #expect(html.contains(String(format: "<td>%.4f</td>", epoch.trainLoss)))
            #expect(html.contains(String(format: "<td>%.2f\u{A0}%%</td>", 100 * epoch.testAccuracy)))
        }
        for text in ["small on noise", "finished", device.details.name, "optimizer.lr", "Confusion"] {
            #expect(elements.text.contains(text))
        }
        // The reference keeps no profile; a device's times are there, or the report says why not.
        let hasTimes = elements.text.contains("GFLOP/s")
        #expect(hasTimes || elements.text.contains("not measured"))
        if device.details.type == .reference { #expect(!hasTimes) }
    }

    @Test("It asks for nothing from anywhere")
    func selfContained() throws {
        let folder = Folder()
        _ = try run(in: folder, epochs: 1, on: referenceDevice)
        let html = folder.report
        for word in ["http:", "https:", "//", "url(", "@import", "<link", "<script", "<iframe"] {
            let text = html.replacing(#/data:image/bmp;base64,[A-Za-z0-9+/=]+/#, with: "")
            #expect(!text.contains(word), "\(word)")
        }
        let elements = Elements(html)
        let images = elements.attributes.filter { $0.hasPrefix("data:image/bmp;base64,") }
        #expect(images.count == elements.counts["img"])
        for image in images {
            let bytes = try #require(Data(base64Encoded: String(image.dropFirst(22))))
            // 54 bytes of header, six rows of 18 bytes filled up to 20.
            #expect(bytes.count == 54 + 6 * 20)
        }
    }

    @Test("The confusions are those of the logits", arguments: executors)
    func confusions(device: ComputeDevice) throws {
        let dataset = try Dataset.noise(40, of: Self.network.input, testCount: 37)
        let configuration = TrainingConfiguration(Self.network, dataset, batch: 8, .sgd(learningRate: 0.1))
        let trainer = try Trainer(Self.network, dataset, configuration, device: device)
        let evaluation = try #require(try trainer.evaluate(keepsLogits: true))
        var expected = [Int](repeating: 0, count: 100)
        var wrong: [(image: Int, probability: Double)] = []
        for image in 0..<37 {
            let logits = evaluation.logits[10 * image..<10 * image + 10].map(Double.init)
            let top = logits.indices.max { logits[$0] < logits[$1] }!
            expected[10 * (image % 10) + top] += 1
            let probability = 1 / logits.map { exp($0 - logits[top]) }.reduce(0, +)
            if top != image % 10 { wrong.append((image, probability)) }
        }
        #expect((0..<100).map { evaluation.confusion[$0 / 10, $0 % 10] } == expected)
        wrong.sort { $0.probability > $1.probability }
        #expect(evaluation.mistakes.map(\.image) == wrong.prefix(24).map(\.image))
        for (mistake, other) in zip(evaluation.mistakes, wrong) {
            #expect(abs(mistake.probability - other.probability) < 1e-6)
            #expect(mistake.labels == [mistake.image % 10] && !mistake.labels.contains(mistake.predicted))
        }
    }

    @Test("An interrupted run has a report that says so, and a stopped one says why")
    func states() throws {
        let interrupted = Folder()
        let firstEpoch = interrupted.path + "/metrics.jsonl"
        _ = try run(
            in: interrupted, epochs: 3, on: referenceDevice,
            shouldStop: { FileManager.default.fileExists(atPath: firstEpoch) })
        #expect(interrupted.report.contains("interrupted in epoch 2"))
        #expect(Elements(interrupted.report).failure == nil)
        let atOnce = Folder()
        _ = try run(in: atOnce, epochs: 3, on: referenceDevice, shouldStop: { true })
        #expect(atOnce.report.contains("no epoch is done yet"))
        #expect(Elements(atOnce.report).failure == nil)
        let stopped = Folder()
        let metrics = try run(
            in: stopped, epochs: 9, on: referenceDevice,
            change: {
                $0.patience = 2
                $0.optimizer.learningRate = 1e-30
            }
        ).metrics
        #expect(metrics.count == 3)
        #expect(stopped.report.contains("no better test accuracy for 2 epochs"))
    }

    @Test("Ticks are round numbers that hold the range")
    func ticks() {
        #expect(AxisTicks(0, 2.3, count: 5).values == [0, 0.5, 1, 1.5, 2, 2.5])
        let shares = AxisTicks(0.83, 0.985, count: 5, limit: 1)
        #expect(shares.lower <= 0.83 && shares.upper == 1)
        #expect(shares.values.map { shares.text(100 * $0, scale: 100) } == ["80", "85", "90", "95", "100"])
        let whole = AxisTicks(1, 10, count: 8, isWhole: true)
        #expect(whole.values == [2, 4, 6, 8, 10] && whole.lower == 1 && whole.upper == 10)
        #expect(AxisTicks(1, 2, count: 8, isWhole: true).values == [1, 2])
        let flat = AxisTicks(1, 1, count: 5, limit: 1)
        #expect(flat.lower < 1 && flat.upper == 1)
    }

    @Test("A bitmap has its rows from below, blue before red")
    func bitmap() throws {
        let set = try ImageSet(
            pixels: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], labels: [0], height: 2, width: 2, channels: 3,
            classCount: 1)
        let bytes = try BitmapImage(RasterImage(reducing: set, index: 0)).bytes
        #expect(bytes.prefix(2).elementsEqual(Array("BM".utf8)))
        #expect(bytes[2] == 70 && bytes.count == 70)
        #expect(bytes[10] == 54 && bytes[18] == 2 && bytes[22] == 2 && bytes[28] == 24)
        #expect(Array(bytes[54...]) == [9, 8, 7, 12, 11, 10, 0, 0, 3, 2, 1, 6, 5, 4, 0, 0])
    }
}
