import Foundation
import ResinGraph
import ResinNetworks
import ResinTensor
import Testing

@Suite struct NetworkTests {
    @Test func imageShapesReadAndWriteThemselves() throws {
        let shape = try ImageShape(parsing: "3x224x96")
        #expect(shape == ImageShape(channels: 3, height: 224, width: 96))
        #expect(shape.description == "3×224×96")
        #expect(try ImageShape(parsing: shape.description) == shape)
        #expect(try JSONEncoder().encode(shape) == Data("[3,224,96]".utf8))
        for text in ["", "224", "1x224", "1x0x4", "1x-2x4", "axbxc", "1x2x3x4", "1xx2x3"] {
            #expect(throws: ResinError.self) { try ImageShape(parsing: text) }
        }
    }

    @Test func tooSmallAnInputNamesTheLayerAndTheSmallestThatFits() {
        #expect(
            throws: ResinError(
                .usage,
                "layer '5' (3×3 max pooling, stride 2): its input of 2×2 pixels, padded to 2×2, is smaller "
                    + "than the 3×3 window; the smallest square input that fits is 1×67×67")
        ) { try Network.nin(input: ImageShape(channels: 1, side: 64)).summary() }
        #expect(throws: Never.self) { try Network.nin(input: ImageShape(channels: 1, side: 67)).summary() }
    }

    @Test func aMisfitThatNoSizeMendsSuggestsNone() {
        let network = Network(input: ImageShape(channels: 1, side: 8), classes: 2) { Dense(2) }
        #expect(
            throws: ResinError(
                .usage, "layer '0' (dense): its input is an image, 1×8×8; put Flatten() before it")
        ) { try network.summary() }
    }

    @Test func batchNormOfASingleValueIsNoMatterOfTheInputsSize() {
        #expect(throws: Never.self) {
            try Network.resNet18(input: ImageShape(channels: 1, side: 1)).summary()
        }
        let network = Network(input: ImageShape(channels: 1, side: 1), classes: 1) {
            BatchNorm()
            Flatten()
        }
        #expect(
            throws: ResinError(
                .usage,
                "layer '0' (batch norm): training needs more than one value a channel; use a larger batch")
        ) { try network.makeGraph(batch: 1, mode: .training) }
    }

    @Test func theLastLayerHasToGiveTheClasses() {
        let image = Network("a", input: ImageShape(channels: 1, side: 8), classes: 2) { ReLU() }
        #expect(
            throws: ResinError(
                .usage,
                "network 'a' ends in images of 1×8×8, not in 2 classes; end it with GlobalAveragePool2D(), "
                    + "or Flatten() and Dense(2)")
        ) { try image.summary() }
        let features = Network("b", input: ImageShape(channels: 1, side: 8), classes: 2) { Flatten() }
        #expect(throws: ResinError(.usage, "network 'b' gives 64 numbers an image for 2 classes")) {
            try features.summary()
        }
    }

    @Test func theInputIsWhateverTheCallerAdds() throws {
        let network = Network(input: ImageShape(channels: 1, side: 8), classes: 64) { Flatten() }
        let built = try network.makeGraph(batch: 4, mode: .training) { graph in
            let bytes = graph.addRegion(.images(.train), TensorType([100, 28, 28, 1], .uint8))
            let order = graph.addRegion(.order(.train), TensorType([100], .int32))
            let op = Op.ImageInput(batch: 4, size: Extent(8), mean: [0.5], standardDeviation: [0.5])
            return try graph.apply(.imageInput(op), to: [bytes, order], name: "input", pass: .input)[0]
        }
        #expect(built.graph.nodes.map(\.pass) == [.input, .forward])
        #expect(built.graph.shape(of: built.images) == [4, 8, 8, 1])
        #expect(built.graph.shape(of: built.logits) == [4, 64])
    }

    @Test func aSummaryAddsUp() throws {
        for blueprint in Network.blueprints {
            let summary = try Network.named(blueprint.name).summary()
            #expect(summary.layers.reduce(0) { $0 + $1.parameters } == summary.parameters)
            #expect(summary.layers.reduce(0) { $0 + $1.multiplyAdds } == summary.multiplyAdds)
            #expect(summary.outermost.reduce(0) { $0 + $1.parameters } == summary.parameters)
            #expect(summary.rows.count == summary.layers.count + summary.blocks.count)
        }
    }

    @Test func aSummarysJSONHasTheContractsKeys() throws {
        var summary = try Network.nin().summary()
        summary.memory = NetworkSummary.Memory(
            batch: 8, inputBytes: 4, parametersBytes: 1, trainingBytes: 3, inferenceBytes: 2)
        let data = try JSONEncoder().encode(summary)
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(
            Set(json.keys) == [
                "network", "input", "classes", "parameters", "statistics", "multiply_adds", "layers",
                "blocks",
                "memory",
            ])
        #expect(json["input"] as? [Int] == [1, 224, 224])
        let layer = try #require((json["layers"] as? [[String: Any]])?.first)
        #expect(layer["name"] as? String == "0.0")
        #expect(layer["type"] as? String == "Convolution2D")
        #expect(layer["input"] as? [Int] == [1, 224, 224])
        #expect(layer["output"] as? [Int] == [96, 54, 54])
        #expect(layer["parameters"] as? Int == 96 * 11 * 11 + 96)
        #expect(layer["multiply_adds"] as? Int == 96 * 54 * 54 * 11 * 11)
        let memory = try #require(json["memory"] as? [String: Int])
        #expect(
            memory == [
                "batch": 8, "input_bytes": 4, "parameters_bytes": 1, "training_bytes": 3,
                "inference_bytes": 2,
            ])
        #expect(try JSONDecoder().decode(NetworkSummary.self, from: data) == summary)
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (1_992_166, "1,992,166"), (-1234, "-1,234")])
    func largeNumbersHaveSeparators(number: Int, text: String) {
        #expect(number.grouped == text)
    }
}
