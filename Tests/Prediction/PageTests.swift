import Foundation
import Resin
import ResinFixtures
import Testing

/// The code of docs/swift.md, which has to be here word by word.
@Suite("The page about Swift")
struct PageTests {
    private let folder: String
    private let picture: String
    private let network: Network
    private let data: Dataset
    private let configuration: TrainingConfiguration

    /// A folder as a run leaves it, and a picture.
    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "page-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        picture = folder + "/picture.jpg"
        try Data(greyJPEG).write(to: URL(filePath: picture))
        network = Network("lenet", input: ImageShape(channels: 1, side: 28), classes: 10) {
            Convolution2D(8, kernel: 3, padding: 1).named("conv")
            ReLU().named("relu")
            GlobalAveragePool2D().named("pool")
            Dense(10).named("fc")
        }
        let glyphs = try Dataset.named("glyphs", seed: 42)
        data = try Dataset(
            name: "glyphs", classNames: glyphs.classNames, train: glyphs.train.prefix(64),
            test: glyphs.test.prefix(32), mean: glyphs.mean, standardDeviation: glyphs.standardDeviation)
        var configuration = TrainingConfiguration(
            network: network, data: data.name, classNames: data.classNames, mean: data.mean,
            standardDeviation: data.standardDeviation, epochs: 2, batch: 16,
            optimizer: .sgd(learningRate: 0.1))
        configuration.imageSize = [28, 28]
        self.configuration = configuration
    }

    private func remove() { try? FileManager.default.removeItem(atPath: folder) }

    /// Of a network that the zoo knows, since a run's configuration names it.
    private func makeRun() throws {
        let network = try Network.named("nin", input: ImageShape(channels: 1, side: 67), classes: 10)
        var configuration = configuration
        configuration.network = "nin"
        configuration.input = network.input
        configuration.epochs = 1
        configuration.initialiser = .kaiming
        let trainer = try Trainer(network, data, configuration, device: .best())
        try trainer.checkpoint().weights.write(to: folder + "/best.safetensors")
        try JSONEncoder().encode(trainer.configuration).write(to: URL(filePath: folder + "/config.json"))
    }

    @Test("Predictions")
    func predictions() async throws {
        defer { remove() }
        try makeRun()
        let bytes = Array(greyJPEG)
        let pixels = try RasterImage(decoding: bytes)
        let output = folder + "/map.png"

        let predictor = try Predictor(run: folder)
        let classes = try await predictor.predict(.file(picture))
        print(classes[0].className, classes[0].probability)

        let images: [InputImage] = [.file(picture), .encoded(bytes), .pixels(pixels), .file("not there.jpg")]
        for result in try await predictor.results(for: images) {
            switch result {
            case .success(let image): print(image.classes[0].className)
            case .failure(let error): print(error.message)
            }
        }

        await predictor.close()

        let settings = Predictor.Settings(featureLayer: "7", heatmapLayer: .last)
        let looking = try Predictor(run: folder, settings: settings)
        let features = try await looking.results(for: [.file(picture)])[0].get().features
        let map = try await looking.heatmap(of: .file(picture))
        try Data(map.overlay().png()).write(to: URL(filePath: output))

        #expect(!features.isEmpty && map.prediction.index == classes[0].index)
        #expect(try RasterImage(contentsOf: output).height == 67)
    }

    @Test("A loop of one's own")
    func loop() throws {
        defer { remove() }
        let (weights, optimizer) = (folder + "/w.safetensors", folder + "/o.safetensors")

        let trainer = try Trainer(network, data, configuration, device: .best())
        while trainer.epoch <= configuration.epochs {
            let result = try trainer.trainStep(learningRate: 0.1 / Float(1 + trainer.step))
            guard trainer.step % trainer.stepsPerEpoch == 0 else { continue }
            print(result.epoch, result.loss, try trainer.evaluate()!.accuracy)
        }
        try trainer.writeCheckpoint(weights: weights, optimizer: optimizer)

        let gradient = try trainer.gradient("fc.weight")
        let length = gradient.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()

        let other = try Trainer(network, data, configuration, device: .best())
        let file = try Safetensors(weightsOf: weights)
        try other.load(NetworkWeights(file, from: weights, for: network))

        #expect(length > 0)
        #expect(try other.weight("fc.weight") == trainer.weight("fc.weight"))
    }

    @Test("Every piece of the page's code is in this file")
    func page() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        func lines(_ text: some StringProtocol) -> String {
            text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
                .joined(separator: "\n")
        }
        let page = try String(contentsOf: root.appending(path: "docs/swift.md"), encoding: .utf8)
        let source = lines(try String(contentsOf: URL(filePath: #filePath), encoding: .utf8))
        let pieces = page.components(separatedBy: "```swift\n").dropFirst()
            .map { lines($0.components(separatedBy: "```")[0]) }
        #expect(pieces.count >= 6)
        for piece in pieces { #expect(source.contains(piece), "\(piece)") }
    }
}
