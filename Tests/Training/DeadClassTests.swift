import Resin
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

@Suite("Dead classes and silent channels")
struct DeadClassTests {
    private static let network = Network("final ReLU", input: ImageShape(channels: 1, side: 6), classes: 10) {
        Convolution2D(5, kernel: 3)
        ReLU()
        Convolution2D(10, kernel: 1)
        ReLU()
        GlobalAveragePool2D()
    }

    /// An evaluation after the given biases are loaded; the other weights are the initial ones.
    private func evaluation(biases: [String: [Float]], on device: ComputeDevice) throws -> Evaluation {
        let dataset = try Dataset.noise(20, of: Self.network.input)
        let configuration = TrainingConfiguration(
            Self.network, dataset, batch: 8, .sgd(learningRate: 0.1))
        let trainer = try Trainer(Self.network, dataset, configuration, device: device)
        var checkpoint = try trainer.checkpoint()
        checkpoint.weights.entries = checkpoint.weights.entries.map { entry in
            biases[entry.name].map { Safetensors.Entry(entry.name, shape: [$0.count], values: $0) } ?? entry
        }
        try trainer.restore(checkpoint, from: "memory")
        return try trainer.evaluate()!
    }

    @Test("a class whose ReLU is dead is named, with the number of images", arguments: executors)
    func deadClass(device: ComputeDevice) throws {
        var biases = [Float](repeating: 1e3, count: 10)
        biases[7] = -1e3
        let evaluation = try evaluation(biases: ["2.bias": biases], on: device)
        #expect(evaluation.deadClasses == [7])
        #expect(evaluation.predictionCounts[7] == 0)
        let warnings = evaluation.classWarnings(classNames: (0..<10).map { "shoe \($0)" })
        // There may be another about classes that lose everywhere, of which the dead one is none.
        #expect(warnings.count { $0.contains("'shoe 7'") } == 1)
        #expect(
            warnings[0].hasPrefix(
                "class 7 'shoe 7' is never predicted: its output is zero for all 20 images; "))
        #expect(warnings[0].contains("--no-final-relu"))
        #expect(
            evaluation.inactivityWarning
                == "channels that their ReLU never switches on, for any of 20 images: 3 1 of 10 (10.0 %)")
    }

    @Test("channels that a hidden ReLU never switches on are counted", arguments: executors)
    func silentChannels(device: ComputeDevice) throws {
        let evaluation = try evaluation(
            biases: ["0.bias": [-1e3, 1e3, -1e3, 1e3, 1e3], "2.bias": Array(repeating: 1e5, count: 10)],
            on: device)
        #expect(evaluation.deadClasses == [])
        #expect(evaluation.inactiveChannels.map(\.layer) == ["1", "3"])
        #expect(evaluation.inactiveChannels.map(\.inactive) == [2, 0])
        #expect(evaluation.inactiveChannels.map(\.channels) == [5, 10])
        #expect(
            evaluation.inactivityWarning
                == "channels that their ReLU never switches on, for any of 20 images: 1 2 of 5 (40.0 %)")
    }

    @Test("where every channel is seen there is no warning", arguments: executors)
    func allAlive(device: ComputeDevice) throws {
        let evaluation = try evaluation(
            biases: ["0.bias": Array(repeating: 1e3, count: 5), "2.bias": Array(repeating: 1e5, count: 10)],
            on: device)
        #expect(evaluation.deadClasses == [])
        #expect(evaluation.inactivityWarning == nil)
    }

    @Test("classes that lose everywhere are named, if there are images of them", arguments: executors)
    func unpredicted(device: ComputeDevice) throws {
        var biases = [Float](repeating: 1e3, count: 10)
        biases[4] = 1e6
        var evaluation = try evaluation(biases: ["2.bias": biases], on: device)
        #expect(evaluation.predictionCounts == [0, 0, 0, 0, 20, 0, 0, 0, 0, 0])
        #expect(evaluation.unpredictedClasses == [0, 1, 2, 3, 5, 6, 7, 8, 9])
        let names = (0..<10).map { "shoe \($0)" }
        #expect(
            evaluation.classWarnings(classNames: names) == [
                "never predicted, for any of 20 images, though some are of these classes: 0 'shoe 0', 1 'shoe 1', "
                    + "2 'shoe 2', 3 'shoe 3', 5 'shoe 5', 6 'shoe 6', 7 'shoe 7', 8 'shoe 8', 9 'shoe 9'"
            ])
        // Not one image is of the class 3, and all of the class 5 are found.
        evaluation.confusion[3, 4] = 0
        (evaluation.confusion[5, 4], evaluation.confusion[5, 5]) = (0, 2)
        #expect(evaluation.unpredictedClasses == [0, 1, 2, 6, 7, 8, 9])
    }

    @Test("of many unpredicted classes ten are named")
    func manyUnpredicted() throws {
        var evaluation = try evaluation(biases: [:], on: referenceDevice)
        evaluation.deadClasses = []
        evaluation.confusion = ConfusionMatrix(classCount: 1_200)
        for label in 0..<1_200 { evaluation.confusion[label, 0] = 1 }
        let warning = evaluation.classWarnings(classNames: (0..<1_200).map { "n\($0)" }).last
        #expect(warning?.hasSuffix("9 'n9', 10 'n10' and 1,189 more") == true)
    }
}
