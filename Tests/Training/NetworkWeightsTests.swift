import ResinDataset
import ResinGraph
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

@Suite("A file's weights, found for a network")
struct NetworkWeightsTests {
    private static let network = Network("small", input: ImageShape(channels: 1, side: 6), classes: 3) {
        Convolution2D(2, kernel: 3).named("conv")
        BatchNorm().named("bn")
        GlobalAveragePool2D().named("pool")
        Dense(3).named("fc")
    }

    /// A tensor of ones for each of the network's, and batch norm's counter.
    private static func file(for network: Network = network) throws -> Safetensors {
        let shapes = try network.makeGraph().graph.tensorShapes
        let entries = shapes.sorted { $0.key < $1.key }.map {
            Safetensors.Entry(
                $0.key, shape: $0.value, values: Array(repeating: 1, count: $0.value.reduce(1, *)))
        }
        return Safetensors(
            entries + [Safetensors.Entry("bn.num_batches_tracked", shape: [], .int64([12]))])
    }

    private func renamed(_ file: Safetensors, _ name: (String) -> String) -> Safetensors {
        Safetensors(file.entries.map { Safetensors.Entry(name($0.name), shape: $0.shape, $0.contents) })
    }

    private func weights(
        _ file: Safetensors, for network: Network = network
    ) throws -> NetworkWeights { try NetworkWeights(file, from: "FILE", for: network) }

    private func expectRefusal(
        _ kind: ResinError.Kind, _ words: String..., of file: Safetensors, for network: Network = network,
        location: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: ResinError.self, sourceLocation: location) {
            try weights(file, for: network)
        }
        #expect(error?.kind == kind, sourceLocation: location)
        for word in words {
            #expect(
                error?.message.contains(word) == true, "\(error?.message ?? "")", sourceLocation: location)
        }
    }

    private func spoilt(_ name: String, _ values: [Float]) throws -> Safetensors {
        var file = try Self.file()
        let index = try #require(file.entries.firstIndex { $0.name == name })
        let entry = file.entries[index]
        file.entries[index] = Safetensors.Entry(name, shape: entry.shape, values: values)
        return file
    }

    @Test("The network's own names are taken as they are")
    func plain() throws { #expect(try weights(Self.file()).notes.isEmpty) }

    @Test(
        "A prefix of all names is left out, and said",
        arguments: ["module.", "model.", "_orig_mod.", "module._orig_mod.", "state_dict.", "a.b.c.d."])
    func prefix(_ prefix: String) throws {
        let notes = try weights(renamed(Self.file()) { prefix + $0 }).notes
        #expect(notes == ["the names in FILE all begin with '\(prefix)', which is left out"])
    }

    @Test("A prefix that the network's own names have stays")
    func ownPrefix() throws {
        let network = Network("own", input: Self.network.input, classes: 3) {
            Sequential(Self.network.layers.layers).named("model")
        }
        let file = try Self.file(for: network)
        #expect(try weights(file, for: network).notes.isEmpty)
        let notes = try weights(renamed(file) { "model." + $0 }, for: network).notes
        #expect(notes == ["the names in FILE all begin with 'model.', which is left out"])
    }

    @Test("A name that only some tensors begin with is no prefix")
    func partlyPrefixed() throws {
        let file = try renamed(Self.file()) { $0.hasPrefix("fc") ? $0 : "module." + $0 }
        expectRefusal(.badContent, "'module.bn.bias' does not belong", of: file)
    }

    @Test("Auxiliary classifiers are left out, and said")
    func auxiliary() throws {
        var file = try Self.file()
        for name in ["aux1.fc.weight", "aux2.conv.bn.running_var", "AuxLogits.fc.bias"] {
            file.entries.append(Safetensors.Entry(name, shape: [1], values: [.nan]))
        }
        let notes = try weights(renamed(file) { "module." + $0 }).notes
        #expect(notes.count == 2)
        #expect(
            notes.last?.contains("the auxiliary classifiers AuxLogits, aux1, aux2, which only training uses")
                == true)
    }

    @Test("DenseNet's older names are today's; two tensors of one name are refused")
    func dotted() throws {
        let network = Network.denseNet121(input: ImageShape(channels: 1, side: 32), classes: 2)
        let today = try Self.file(for: network)
        let older = renamed(today) {
            $0.replacing(#/(denselayer\d+\.(?:norm|conv))([12])\./#) { "\($0.output.1).\($0.output.2)." }
        }
        #expect(older.entries.contains { $0.name.hasSuffix("denselayer1.norm.1.running_var") })
        #expect(try weights(older, for: network).notes.isEmpty)
        expectRefusal(
            .badContent, "two tensors are 'features.denseblock1.denselayer1.",
            of: Safetensors(today.entries + older.entries.filter { $0.name.contains(".norm.1.") }),
            for: network)
    }

    @Test("A value that is not finite is named with its tensor", arguments: [Float.nan, .infinity])
    func notFinite(value: Float) throws {
        expectRefusal(
            .notFinite, "FILE: tensor 'conv.bias' is not finite: element 1 is",
            of: try spoilt("conv.bias", [1, value]))
        expectRefusal(.notFinite, "'bn.running_mean'", of: try spoilt("bn.running_mean", [value, 0]))
        // Finite in double precision alone.
        let huge = Safetensors.Entry("x", shape: [1], values: [Float(1e300)])
        #expect(throws: ResinError.self) { try huge.checkThatItIsFinite(in: "FILE") }
    }

    @Test("A variance or a count below zero is damage")
    func negative() throws {
        expectRefusal(
            .badContent, "'bn.running_var' is damaged", "-0.5", of: try spoilt("bn.running_var", [1, -0.5]))
        #expect(try weights(spoilt("bn.running_var", [0, 1])).notes.isEmpty)
        for count in [-1, .nan] as [Float] {
            var file = try Self.file()
            file.entries.removeLast()
            file.entries.append(Safetensors.Entry("bn.num_batches_tracked", shape: [], values: [count]))
            expectRefusal(.badContent, "'bn.num_batches_tracked' is damaged", of: file)
        }
    }

    @Test("What does not fit is named, with the likely cause where the weights are of a known network")
    func cause() throws {
        var file = try Self.file()
        file.entries.removeAll { $0.name == "fc.bias" }
        expectRefusal(.badContent, "'fc.bias' of shape [3] is missing", of: file)
        let prefixed = renamed(try Self.file(for: .leNet(classes: 7))) { "module." + $0 }
        expectRefusal(
            .badContent, "has shape [7, 84]", "The likely cause: it holds the weights for 7 classes, not 10",
            of: prefixed, for: .leNet())
    }
}
