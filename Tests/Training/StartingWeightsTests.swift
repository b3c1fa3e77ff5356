import Resin
import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

@Suite("Weights to begin with, and layers that keep them")
struct StartingWeightsTests {
    private static let input = ImageShape(channels: 1, side: 16)

    private static func network(_ name: String, classes: Int, input: ImageShape = input) throws -> Network {
        try Network.named(name, input: input, classes: classes)
    }

    /// Values that differ from element to element.
    private static func file(for network: Network) throws -> Safetensors {
        let shapes = try network.makeGraph().graph.tensorShapes
        let entries = shapes.sorted { $0.key < $1.key }.enumerated().map { place, tensor in
            Safetensors.Entry(
                tensor.key, shape: tensor.value,
                values: (0..<tensor.value.reduce(1, *)).map { Float(1 + (($0 * 7 + place) % 19)) / 64 })
        }
        return Safetensors(entries)
    }

    // MARK: Classifier and colours

    @Test(
        "The classifier is what the number of classes decides",
        arguments: [("resnet18", 2), ("lenet", 2), ("nin", 6), ("densenet121", 2)])
    func classifier(name: String, count: Int) throws {
        let side = name == "nin" ? 67 : 32
        let network = try Self.network(name, classes: 7, input: ImageShape(channels: 1, side: side))
        let names = try network.makeGraph().graph.parameters.map(\.name)
        #expect(try network.classifierParameters() == Set(names.suffix(count)))
    }

    @Test("The classifier of one's own network is its last layer")
    func ownClassifier() throws {
        #expect(try ReproducibilityTests.network.classifierParameters() == ["8.weight", "8.bias"])
    }

    @Test("A classifier for other classes begins anew, and it is said")
    func otherClasses() throws {
        let file = try Self.file(for: Self.network("resnet18", classes: 1000))
        let network = try Self.network("resnet18", classes: 10)
        let weights = try NetworkWeights(startingFrom: file, from: "FILE", for: network)
        let note = try #require(weights.notes.first)
        #expect(note.contains("begins anew") && note.contains("[1000, 512] there, [10, 512] here"))
        let frozen = try network.freezing(["backbone"])
        #expect(throws: Never.self) {
            try NetworkWeights(startingFrom: file, from: "FILE", for: frozen)
        }
        let classifier = try #require(network.classifierParameters().min()).layerName
        let error = #expect(throws: ResinError.self) {
            try NetworkWeights(startingFrom: file, from: "FILE", for: network.freezing([classifier]))
        }
        #expect(error?.kind == .usage && error!.message.contains("--freeze"))
    }

    @Test("A classifier for as many classes is kept, one that is not there begins anew")
    func sameClasses() throws {
        let network = try Self.network("resnet18", classes: 10)
        var file = try Self.file(for: network)
        #expect(try NetworkWeights(startingFrom: file, from: "FILE", for: network).notes.isEmpty)
        let classifier = try network.classifierParameters()
        file.entries.removeAll { classifier.contains($0.name) }
        let notes = try NetworkWeights(startingFrom: file, from: "FILE", for: network).notes
        #expect(notes.count == 1 && notes[0].contains("not there"))
    }

    @Test("What does not fit besides is an error with the tensor's name, and the network that fits")
    func others() throws {
        let network = try Self.network("resnet18", classes: 10)
        func refusal(_ change: (inout Safetensors) -> Void) throws -> ResinError {
            var file = try Self.file(for: Self.network("resnet18", classes: 1000))
            change(&file)
            return try #require(
                throws: ResinError.self,
                performing: { try NetworkWeights(startingFrom: file, from: "FILE", for: network) })
        }
        let extra = try refusal { $0.entries.append(.init("extra.weight", shape: [1], values: [1])) }
        #expect(extra.kind == .badContent && extra.message.contains("'extra.weight'"))
        let name = try #require(network.makeGraph().graph.parameters.first?.name)
        let missing = try refusal { $0.entries.removeAll { $0.name == name } }
        #expect(missing.kind == .badContent && missing.message.contains("'\(name)'"))
        let classifier = try #require(network.classifierParameters().max())
        let half = try refusal { $0.entries.removeAll { $0.name == classifier } }
        #expect(half.kind == .badContent)
        let notFinite = try refusal { file in
            let place = file.entries.firstIndex { $0.name == name }!
            let entry = file.entries[place]
            var values = entry.values
            values[3] = .nan
            file.entries[place] = .init(name, shape: entry.shape, values: values)
        }
        #expect(notFinite.kind == .notFinite && notFinite.message.contains("'\(name)'"))
        let another = try refusal { $0 = try! Self.file(for: Self.network("resnet34", classes: 1000)) }
        #expect(another.message.contains("resnet34"), "\(another.message)")
    }

    @Test("Filters for colours see grey images as they saw grey ones in colour, and the other way round")
    func colours() throws {
        let colour = try Self.network("lenet", classes: 10, input: ImageShape(channels: 3, side: 28))
        let grey = try Self.network("lenet", classes: 10, input: ImageShape(channels: 1, side: 28))
        func evaluation(_ network: Network, _ weights: NetworkWeights, channels: Int) throws -> [Float] {
            let pixels = (0..<28 * 28).map { UInt8(truncatingIfNeeded: $0 * $0 + 3 * $0) }
            let set = try ImageSet(
                pixels: pixels.flatMap { Array(repeating: $0, count: channels) }, labels: [4], height: 28,
                width: 28, channels: channels, classCount: 10)
            let dataset = try Dataset(
                name: "one", classNames: (0..<10).map(String.init), train: set, test: set,
                mean: Array(repeating: 0.5, count: channels),
                standardDeviation: Array(repeating: 0.25, count: channels))
            let configuration = TrainingConfiguration(network, dataset, batch: 1, .sgd(learningRate: 1))
            return try Evaluation(
                of: network, weights: weights, on: dataset, configuration, device: referenceDevice,
                keepsLogits: true
            ).logits
        }
        for (from, to) in [(colour, grey), (grey, colour)] {
            let file = try Self.file(for: from)
            let before = try evaluation(
                from, NetworkWeights(file, from: "FILE", for: from), channels: from.input.channels)
            let weights = try NetworkWeights(startingFrom: file, from: "FILE", for: to)
            #expect(weights.notes.count == 1 && weights.notes[0].contains("channels"))
            let after = try evaluation(to, weights, channels: to.input.channels)
            for (one, other) in zip(before, after) { #expect(abs(one - other) <= 1e-4 * max(1, abs(one))) }
        }
    }

    // MARK: Frozen layers

    @Test("A name that no layer has is refused, and so is a network with nothing left to train")
    func unknownLayers() throws {
        let network = try Self.network("resnet18", classes: 10)
        let error = #expect(throws: ResinError.self) { try network.freezing(["backbon"]) }
        #expect(error?.kind == .usage && error!.message.contains("did you mean 'backbone'?"))
        #expect(throws: ResinError.self) { try network.freezing(["0.0.weigh"]) }
        let all = try network.makeGraph().graph.parameters.map(\.name.layerName)
        let nothing = #expect(throws: ResinError.self) { try network.freezing(all) }
        #expect(nothing?.message.contains("nothing is left") == true)
    }

    private static func trainer(
        frozen: [String], on device: ComputeDevice, startingFrom weights: Safetensors? = nil,
        _ change: (inout TrainingConfiguration) -> Void = { _ in }
    ) throws -> Trainer {
        let network = ReproducibilityTests.network
        let dataset = try Dataset.noise(45, of: network.input)
        var configuration = TrainingConfiguration(
            network, dataset, batch: 8, .sgd(learningRate: 0.05, momentum: 0.9))
        configuration.epochs = 3
        configuration.frozen = frozen
        change(&configuration)
        let starting = try weights.map { try NetworkWeights(startingFrom: $0, from: "FILE", for: network) }
        return try Trainer(network, dataset, configuration, startingFrom: starting, device: device)
    }

    @Test(
        "Frozen layers keep every bit, statistics and counters among them; the others learn",
        arguments: executors)
    func frozen(device: ComputeDevice) throws {
        var start = try Self.file(for: ReproducibilityTests.network)
        start.entries.append(.init("1.num_batches_tracked", shape: [], .int64([77])))
        let trainer = try Self.trainer(frozen: ["0", "1", "5"], on: device, startingFrom: start)
        _ = try trainer.takeSteps(7)
        let checkpoint = try trainer.checkpoint()
        for entry in checkpoint.weights.entries {
            let isFrozen = ["0.", "1.", "5."].contains { entry.name.hasPrefix($0) }
            guard let before = start[entry.name] else {
                // The counters that the file has not.
                #expect(entry.contents == .int64([isFrozen ? 0 : 7]))
                continue
            }
            #expect((entry == before) == isFrozen, "\(entry.name)")
        }
        // The optimizer has nothing of them.
        #expect(checkpoint.optimizer.entries.allSatisfy { !$0.name.hasPrefix("0.0.") })
        #expect(checkpoint.optimizer["0.8.weight"] != nil)
        // As an evaluation sees them.
        #expect(try trainer.evaluate()?.loss.isFinite == true)
    }

    @Test("A run with frozen layers is restored to the same bits", arguments: executors)
    func restored(device: ComputeDevice) throws {
        let start = try Self.file(for: ReproducibilityTests.network)
        func make() throws -> Trainer {
            try Self.trainer(frozen: ["backbone"], on: device, startingFrom: start) {
                $0.optimizer = .adam(learningRate: 0.01)
            }
        }
        let (whole, first, second) = (try make(), try make(), try make())
        let losses = try whole.takeSteps(12)
        #expect(try first.takeSteps(7) == Array(losses.prefix(7)))
        try second.restore(first.checkpoint(), from: "memory")
        #expect(try second.takeSteps(5) == Array(losses.suffix(5)))
        #expect(try second.checkpoint() == whole.checkpoint())
    }

    @Test("Only the gradients of what is trained are computed, in less memory")
    func costs() throws {
        let (all, some) = (
            try Self.trainer(frozen: [], on: referenceDevice),
            try Self.trainer(frozen: ["backbone"], on: referenceDevice)
        )
        #expect(some.memory.gradients < all.memory.gradients && some.memory.arena < all.memory.arena)
        #expect(some.memory.parameters == all.memory.parameters)
    }

    @Test("Layers before a frozen batch norm learn through it", arguments: executors)
    func behindTrained(device: ComputeDevice) throws {
        let start = try Self.file(for: ReproducibilityTests.network)
        let trainer = try Self.trainer(frozen: ["1"], on: device, startingFrom: start)
        _ = try trainer.takeSteps(4)
        let weights = try trainer.checkpoint().weights
        for name in ["0.weight", "0.bias", "8.weight"] { #expect(weights[name] != start[name], "\(name)") }
        for name in ["1.weight", "1.bias", "1.running_mean"] {
            #expect(weights[name] == start[name], "\(name)")
        }
    }

    // MARK: Descriptions

    @Test("A file of weights says what its network is, and how it sees images")
    func description() throws {
        let network = try Self.network("lenet", classes: 10, input: ImageShape(channels: 1, side: 28))
        let dataset = try Dataset.noise(16, of: network.input)
        var configuration = TrainingConfiguration(network, dataset, batch: 8, .sgd(learningRate: 0.1))
        configuration.evalCrop = 0.75
        let trainer = try Trainer(network, dataset, configuration, device: referenceDevice)
        var file = try trainer.checkpoint().weights
        let found = try #require(try file.configuration(from: "FILE"))
        #expect(
            found.network == "lenet" && found.input == network.input && found.classNames == dataset.classNames
        )
        #expect(found.mean == configuration.mean && found.evalCrop == 0.75 && found.data.isEmpty)
        let text = try #require(file.metadata["model"])
        for (old, new) in [
            ("lenet", "lenot"), ("[1,28,28]", "[1,-28,28]"), ("0.75", "7.5"), ("[1,28,28]", "[1,3,3]"),
        ] {
            file.metadata["model"] = text.replacing(old, with: new)
            let error = #expect(throws: ResinError.self) { try file.configuration(from: "FILE") }
            #expect(error?.kind == .badContent && error!.message.contains("FILE: 'model'"))
        }
        file.metadata["model"] = nil
        #expect(try file.configuration(from: "FILE") == nil)
    }
}
