import Foundation
import Resin
import ResinTestDevices
import Testing

/// What `Goldens/make_heatmaps.py` computed.
private struct Golden: Decodable {
    struct Tensor: Decodable {
        var shape: [Int]
        var values: [Float]
    }
    struct Map: Decodable {
        var network, layer: String
        var label, height, width: Int
        var values: [Double]
    }
    var networks: [String: [String: Tensor]]
    var maps: [Map]
    var pixels: [UInt8]

    static let all: Golden = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        return try! JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: folder.appending(path: "Goldens/heatmaps.json")))
    }()
}

/// The script's.
private struct Block: Layer {
    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let channels = scope.shape(of: input).channels
        let convolution = Convolution2D(channels, kernel: 3, padding: 1)
        var value = try scope.apply(convolution, to: input, name: "conv1")
        value = try scope.apply(BatchNorm(), to: value, name: "bn1")
        value = try scope.apply(ReLU(), to: value, name: "relu1")
        value = try scope.apply(convolution, to: value, name: "conv2")
        value = try scope.apply(BatchNorm(), to: value, name: "bn2")
        return try scope.apply(ReLU(), to: scope.add(value, input), name: "relu2")
    }
}

@Suite("Heat maps")
struct HeatmapTests {
    private static let networks = [
        "pooled": Network("pooled", input: ImageShape(channels: 3, side: 20), classes: 5) {
            Convolution2D(8, kernel: 3, padding: 1).named("first")
            BatchNorm().named("norm")
            ReLU().named("relu1")
            MaxPool2D(kernel: 2).named("max")
            Block().named("block")
            AveragePool2D(kernel: 2).named("average")
            Convolution2D(12, kernel: 3, stride: 2, padding: 1).named("last")
            ReLU().named("relu")
            GlobalAveragePool2D().named("mean")
            Dense(5).named("fc")
        },
        "flattened": Network("flattened", input: ImageShape(channels: 3, side: 20), classes: 5) {
            Convolution2D(6, kernel: 5, padding: 2).named("conv")
            Sigmoid().named("sigmoid")
            MaxPool2D(kernel: 4).named("pool")
            Flatten().named("flatten")
            Dense(20).named("fc1")
            ReLU().named("relu")
            Dense(5).named("fc2")
        },
    ]

    private static let devices: [ComputeDevice] = {
        let all = try! ComputeDevice.all()
        return Array(
            all.filter { $0.details.type != .reference && !OpenCLDevices.areLeftOut }.prefix(1))
            + all.suffix(1)
    }()

    private static func predictor(
        _ name: String, _ layer: Predictor.HeatmapLayer, _ device: ComputeDevice
    ) throws -> Predictor {
        let network = networks[name]!
        let configuration = TrainingConfiguration(
            network: network, data: "noise", classNames: ["a", "b", "c", "d", "e"],
            mean: [0.5, 0.5, 0.5], standardDeviation: [0.25, 0.25, 0.25], epochs: 1, batch: 4,
            optimizer: .sgd(learningRate: 0.1))
        let entries = Golden.all.networks[name]!.map {
            Safetensors.Entry($0, shape: $1.shape, values: $1.values)
        }
        return try Predictor(
            network, weights: NetworkWeights(Safetensors(entries), from: "golden", for: network),
            configuration, device: device, settings: .init(largestBatch: 2, heatmapLayer: layer))
    }

    private static let image = InputImage.pixels(
        RasterImage(height: 20, width: 20, channels: 3, pixels: Golden.all.pixels))

    @Test("PyTorch's maps of every class, through every kind of layer", arguments: devices)
    func golden(device: ComputeDevice) async throws {
        var predictors: [String: Predictor] = [:]
        for map in Golden.all.maps {
            let key = "\(map.network) \(map.layer)"
            let predictor =
                try predictors[key] ?? Self.predictor(map.network, .named(map.layer), device)
            predictors[key] = predictor
            let heatmap = try await predictor.heatmap(of: Self.image, for: map.label)
            #expect((heatmap.height, heatmap.width) == (map.height, map.width))
            #expect(heatmap.layer == map.layer && heatmap.prediction.index == map.label)
            let scale = max(map.values.max()!, 1e-3)
            for (value, expected) in zip(heatmap.values, map.values) {
                #expect(abs(Double(value) - expected) < 1e-4 * scale, "\(key), class \(map.label)")
            }
        }
        #expect(predictors.count == 4)
    }

    @Test("By default the last map before the global pooling, of the likeliest class")
    func last() async throws {
        for (name, layer) in [("pooled", "relu"), ("flattened", "pool")] {
            let predictor = try Self.predictor(name, .last, Self.devices[0])
            let likeliest = try await predictor.predict(Self.image)[0]
            let heatmap = try await predictor.heatmap(of: Self.image)
            #expect(heatmap.layer == layer && heatmap.prediction == likeliest)
            #expect(heatmap.picture.pixels == Golden.all.pixels)
            await #expect(throws: ResinError.self) { try await predictor.heatmap(of: Self.image, for: 5) }
        }
    }

    @Test("Every network of the zoo has a map")
    func zoo() async throws {
        for name in ["lenet", "nin", "resnet18", "googlenet", "densenet", "alexnet"] {
            let side = ["lenet": 28, "nin": 67, "alexnet": 67][name] ?? 64
            let network = try Network.named(name, input: ImageShape(channels: 1, side: side), classes: 10)
            let model = try PredictorTests.Model(network)
            let predictor = try model.predictor(
                Self.devices[0], .init(largestBatch: 1, heatmapLayer: .last))
            let heatmap = try await predictor.heatmap(
                of: .pixels(PredictorTests.noise(1, side: side, channels: 1)))
            #expect(heatmap.values.count == heatmap.height * heatmap.width && heatmap.height > 1, "\(name)")
            #expect(heatmap.values.allSatisfy { $0 >= 0 && $0.isFinite }, "\(name)")
        }
    }

    @Test("The overlay leaves the picture where the map is zero, and is read back from its PNG as it was")
    func overlay() throws {
        let picture = RasterImage(
            height: 4, width: 4, channels: 1, pixels: (0..<16).map { UInt8(10 * $0) })
        var map = Heatmap(
            layer: "relu", prediction: Prediction(index: 0, className: "a", probability: 1), height: 2,
            width: 2, values: [0, 0, 0, 0], picture: picture)
        #expect(map.overlay() == picture.converted(toChannels: 3))
        map.values = [8, 0, 0, 0]
        let overlay = map.overlay()
        // The corner is covered by 70 % of the palest yellow, the opposite one by nothing.
        #expect(Array(overlay.pixels[..<3]) == [176, 179, 115])
        #expect(Array(overlay.pixels[45...]) == [150, 150, 150])
        #expect(try RasterImage(decoding: overlay.png()) == overlay)
        #expect(try RasterImage(decoding: picture.png()) == picture)
        #expect(Heatmap.color(of: 0) == [0, 0, 4] && Heatmap.color(of: 1) == [252, 255, 164])
        #expect(Heatmap.color(of: 0.5) == [188, 55, 84])
    }
}
