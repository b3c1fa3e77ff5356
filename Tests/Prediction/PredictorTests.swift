import Foundation
import Resin
import ResinFixtures
import ResinTestDevices
import Testing

/// The first OpenCL device, and the reference.
private let devices: [ComputeDevice] = {
    let all = try! ComputeDevice.all()
    return Array(all.filter { $0.details.type != .reference && !OpenCLDevices.areLeftOut }.prefix(1))
        + all.suffix(1)
}()

extension ComputeDevice: CustomTestStringConvertible {
    public var testDescription: String { details.name }
}

@Suite("Predictor")
struct PredictorTests {
    /// A network of a zoo's name with weights as a training would begin from, so drawn that outputs differ.
    struct Model: Sendable {
        let network: Network
        let configuration: TrainingConfiguration
        let weights: NetworkWeights

        init(_ network: Network, fit: TestFit? = nil) throws {
            self.network = network
            let channels = network.input.channels
            var configuration = TrainingConfiguration(
                network: network, data: "noise", classNames: (0..<network.classCount).map { "class \($0)" },
                mean: Array(repeating: 0.5, count: channels),
                standardDeviation: Array(repeating: 0.25, count: channels), epochs: 1, batch: 8,
                optimizer: .sgd(learningRate: 0.1))
            configuration.fit = fit
            self.configuration = configuration
            let graph = try network.makeGraph().graph
            let parameters = graph.parameters.enumerated().map { index, parameter in
                let values = Initialiser.kaiming.values(for: parameter, index: index, seed: 7)
                return Safetensors.Entry(
                    parameter.name, shape: parameter.layout.externalShape,
                    values: parameter.layout.externalOrder(values))
            }
            let statistics = graph.statistics.map { statistic in
                Safetensors.Entry(
                    statistic.name, shape: [statistic.count],
                    values: (0..<statistic.count).map {
                        statistic.initialValue + Float(($0 * 7 + 3) % 10) / 20
                    })
            }
            weights = try NetworkWeights(
                Safetensors(parameters + statistics), from: "drawn", for: network)
        }

        func predictor(
            _ device: ComputeDevice, _ settings: Predictor.Settings = Predictor.Settings()
        ) throws -> Predictor {
            try Predictor(network, weights: weights, configuration, device: device, settings: settings)
        }
    }

    static func noise(_ number: Int, side: Int, channels: Int = 3, height: Int? = nil) -> RasterImage {
        let philox = Philox(seed: UInt64(number), stream: .glyphs)
        let count = (height ?? side) * side * channels
        let bytes = (0..<UInt32((count + 15) / 16)).flatMap { block in
            withUnsafeBytes(of: philox(Philox.Block(block, 0, 0, 0))) { Array($0) }
        }
        return RasterImage(
            height: height ?? side, width: side, channels: channels, pixels: Array(bytes.prefix(count)))
    }

    static let small = Result { try Model(network) }
    static let network = Network("small", input: ImageShape(channels: 3, side: 20), classes: 7) {
        Convolution2D(16, kernel: 3, padding: 1).named("conv")
        BatchNorm().named("bn")
        ReLU().named("relu")
        MaxPool2D(kernel: 2).named("pool")
        Residual(16).named("block")
        GlobalAveragePool2D().named("mean")
        Dense(7).named("fc")
    }

    @Test("All classes with their names, the likeliest first, adding up to one", arguments: devices)
    func classes(device: ComputeDevice) async throws {
        let predictor = try Self.small.get().predictor(device)
        let classes = try await predictor.predict(.pixels(Self.noise(1, side: 20)))
        #expect(Set(classes.map(\.className)) == Set((0..<7).map { "class \($0)" }))
        #expect(classes.map(\.className) == classes.map { "class \($0.index)" })
        #expect(classes.map(\.probability) == classes.map(\.probability).sorted(by: >))
        #expect(abs(classes.reduce(0) { $0 + $1.probability } - 1) < 1e-12)
        #expect(predictor.plannedByteCount > 0 && predictor.device.name == device.details.name)
    }

    @Test("A device says what the reference says")
    func agreement() async throws {
        let model = try Model(Self.network, fit: .crop)
        let images = (0..<5).map {
            InputImage.pixels(Self.noise($0, side: 31 + $0, channels: 3, height: 24 + 3 * $0))
        }
        var answers: [[[Double]]] = []
        for device in devices {
            let classes = try await model.predictor(device).predict(images)
            answers.append(classes.map { $0.sorted { $0.index < $1.index }.map(\.probability) })
        }
        for (one, other) in zip(answers[0].joined(), answers.last!.joined()) {
            #expect(abs(one - other) < 1e-5)
        }
    }

    /// Networks whose forms, chosen for one image and for many, differ.
    @Test(
        "An image has the same bits alone, in every batch and at every place of it",
        arguments: ["small", "resnet18", "nin", "googlenet", "densenet", "vgg11"])
    func sameBits(name: String) async throws {
        let side = ["nin": 67, "vgg11": 32][name] ?? 48
        let network =
            try name == "small"
            ? Self.network
            : Network.named(name, input: ImageShape(channels: 3, side: side), classes: 10)
        let predictor = try Model(network).predictor(devices[0], Predictor.Settings(largestBatch: 11))
        let images = (0..<11).map { InputImage.pixels(Self.noise($0, side: network.input.height)) }
        var alone: [[Prediction]] = []
        for image in images { alone.append(try await predictor.predict(image)) }
        for count in [2, 3, 4, 7, 8, 11] {
            #expect(try await predictor.predict(Array(images[..<count])) == Array(alone[..<count]))
            let turned = Array(images[..<count].reversed())
            #expect(try await predictor.predict(turned) == Array(alone[..<count].reversed()))
        }
        // More than a batch.
        let many = (0..<25).map { $0 % 11 }
        #expect(try await predictor.predict(many.map { images[$0] }) == many.map { alone[$0] })
    }

    @Test("Calls of many tasks at once get each its own answer", arguments: devices)
    func tasks(device: ComputeDevice) async throws {
        let predictor = try Self.small.get().predictor(device)
        let images = (0..<12).map { InputImage.pixels(Self.noise($0, side: 20)) }
        let alone = try await predictor.predict(images)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for task in 0..<40 {
                group.addTask {
                    let place = task % 12
                    if task % 3 == 0 {
                        return try await predictor.predict([images[place], images[11 - place]])
                            == [alone[place], alone[11 - place]]
                    }
                    return try await predictor.predict(images[place]) == alone[place]
                }
            }
            for try await isSame in group { #expect(isSame) }
        }
    }

    @Test("Files, their bytes and their pixels are one; what cannot be read does not stop the others")
    func sources() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "predictor-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try Model(Self.network, fit: .pad)
        let predictor = try model.predictor(devices[0])
        let bytes = Array(colourJPEG)
        let file = folder.appending(path: "a.jpg").path
        try Data(bytes).write(to: URL(filePath: file))
        let decoded = try RasterImage(contentsOf: file)
        let expected = try await predictor.predict(.pixels(decoded))
        #expect(try await predictor.predict(.file(file)) == expected)
        #expect(try await predictor.predict(.encoded(bytes)) == expected)
        let results = try await predictor.results(
            for: [.file(file), .file(file + "x"), .encoded([1, 2, 3]), .encoded([]), .encoded(bytes)])
        #expect(try results[0].get().classes == expected && results[4].get().classes == expected)
        let kinds = results[1...3].map { result -> ResinError.Kind? in
            if case .failure(let error) = result { error.kind } else { nil }
        }
        #expect(kinds == [.missingFile, .badContent, .badContent])
        await #expect(throws: ResinError.self) { try await predictor.predict(.file(file + "x")) }
        #expect(try await predictor.predict([]).isEmpty)
    }

    @Test("What the host crops is what the device makes of the image")
    func crops() async throws {
        for fit in TestFit.allCases {
            for (height, width) in [(20, 20), (33, 57), (57, 33), (9, 12), (20, 41)] {
                let image = Self.noise(height, side: width, height: height)
                let target = PixelSize(height: 20, width: 20)
                let sample = fit.sample(
                    of: PixelSize(height: height, width: width), to: target, evalCrop: 0.875)
                let whole = image.resized(
                    toHeight: sample.resized.height, width: sample.resized.width)
                let window = image.window(of: sample, target)
                for row in 0..<20 {
                    for column in 0..<20 {
                        let (y, x) = (row + sample.windowTop, column + sample.windowLeft)
                        let isInside = (0..<whole.height).contains(y) && (0..<whole.width).contains(x)
                        for channel in 0..<3 {
                            let expected = isInside ? whole.pixels[(y * whole.width + x) * 3 + channel] : 0
                            #expect(window.pixels[(row * 20 + column) * 3 + channel] == expected)
                        }
                    }
                }
            }
        }
    }

    @Test("A cancelled task's images are given up; after the end, calls throw", arguments: devices)
    func end(device: ComputeDevice) async throws {
        let predictor = try Self.small.get().predictor(device)
        let image = InputImage.pixels(Self.noise(1, side: 20))
        let cancelled = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await predictor.predict(image)
        }
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        // Some of these are answered, the others are not; none is forgotten.
        let calls = (0..<30).map { _ in Task { try await predictor.predict(image) } }
        for call in calls.suffix(10) { call.cancel() }
        await predictor.close()
        for call in calls {
            switch await call.result {
            case .success(let classes): #expect(classes.count == 7)
            case .failure(let error):
                #expect((error as? ResinError)?.kind == .usage || error is CancellationError)
            }
        }
        let error = await #expect(throws: ResinError.self) { try await predictor.predict(image) }
        #expect(error?.message.contains("closed") == true)
        await #expect(throws: ResinError.self) { try await predictor.heatmap(of: image) }
        await predictor.close()
    }

    @Test("Settings that make no sense are refused, and an unknown layer lists those there are")
    func refusals() throws {
        let model = try Self.small.get()
        func refusal(_ settings: Predictor.Settings) -> String {
            do {
                _ = try model.predictor(devices[0], settings)
                return "none"
            } catch { return "\(error)" }
        }
        #expect(refusal(.init(largestBatch: 0)).contains("batch"))
        #expect(refusal(.init(largestBatch: 65)).contains("64"))
        #expect(refusal(.init(decodingThreads: 0)).contains("thread"))
        let layers = refusal(.init(featureLayer: "nothing"))
        for name in ["conv", "block", "mean", "fc"] { #expect(layers.contains("\n  \(name)")) }
        #expect(refusal(.init(heatmapLayer: .named("fc"))).contains("more than a pixel"))
        #expect(refusal(.init(heatmapLayer: .named("nothing"))).contains("its layers are"))
    }

    @Test("Features are a layer's values, of maps the mean of each channel", arguments: devices)
    func features(device: ComputeDevice) async throws {
        let model = try Self.small.get()
        let images = (0..<3).map { InputImage.pixels(Self.noise($0, side: 20)) }
        func features(_ layer: String) async throws -> [[Float]] {
            let predictor = try model.predictor(device, .init(featureLayer: layer))
            return try await predictor.results(for: images).map { try $0.get().features }
        }
        // The global pooling's output is the mean of what is pooled.
        let (block, mean) = (try await features("block"), try await features("mean"))
        #expect(block.count == 3 && block.allSatisfy { $0.count == 16 })
        for (one, other) in zip(block.joined(), mean.joined()) { #expect(abs(one - other) < 1e-5) }
        // The last layer's are the logits.
        let logits = try await features("fc")
        let classes = try await model.predictor(device).predict(images)
        for (row, predictions) in zip(logits, classes) {
            #expect(row.indices.max { row[$0] < row[$1] } == predictions[0].index)
        }
    }
}
