import ResinGraph
import ResinNetworks
import ResinTensor
import Testing

/// Counts and shapes are PyTorch 2.15's for the same networks, from "Dive into deep learning".
@Suite struct ZooTests {
    @Test func ninHasTheBooksParameterCount() throws {
        #expect(try Network.named("nin").summary().parameters == 1_992_166)
        let colour = ImageShape(channels: 3, side: 224)
        #expect(try Network.named("nin", input: colour).summary().parameters == 2_015_398)
    }

    @Test func resNet18HasTheBooksParameterCount() throws {
        #expect(try Network.named("resnet18").summary().parameters == 11_178_378)
        let colour = ImageShape(channels: 3, side: 224)
        #expect(try Network.named("resnet18", input: colour).summary().parameters == 11_184_650)
    }

    @Test func multiplyAddsAreWhatPyTorchCounts() throws {
        #expect(try Network.nin().summary().multiplyAdds == 762_297_352)
        #expect(try Network.resNet18().summary().multiplyAdds == 1_734_890_496)
    }

    @Test func ninHasTheBooksShapes() throws {
        #expect(
            try Network.nin().summary().outermost.map(\.output) == [
                [96, 54, 54], [96, 26, 26], [256, 26, 26], [256, 12, 12], [384, 12, 12], [384, 5, 5],
                [384, 5, 5], [10, 5, 5], [10],
            ])
    }

    @Test func resNet18HasTheBooksShapes() throws {
        #expect(
            try Network.resNet18().summary().outermost.map(\.output) == [
                [64, 56, 56], [64, 56, 56], [128, 28, 28], [256, 14, 14], [512, 7, 7], [512], [512], [10],
            ])
    }

    @Test func ninsWeightsHavePyTorchsNames() throws {
        let parameters = try Network.nin().makeGraph().graph.parameters
        #expect(
            parameters.map(\.name)
                == ["0", "2", "4", "7"].flatMap { block in
                    ["0", "2", "4"].flatMap { ["\(block).\($0).weight", "\(block).\($0).bias"] }
                })
        #expect(parameters[0].layout.externalShape == [96, 1, 11, 11])
        #expect(parameters[6].layout.externalShape == [256, 96, 5, 5])
    }

    @Test func resNet18sWeightsHavePyTorchsNames() throws {
        let graph = try Network.resNet18().makeGraph().graph
        var shapes: [String: [Int]] = [:]
        for parameter in graph.parameters { shapes[parameter.name] = parameter.layout.externalShape }
        for statistic in graph.statistics { shapes[statistic.name] = [statistic.count] }
        #expect(shapes.count == 110)
        #expect(shapes["0.0.weight"] == [64, 1, 7, 7])
        #expect(shapes["0.1.running_var"] == [64])
        #expect(shapes["1.0.conv1.weight"] == [64, 64, 3, 3])
        #expect(shapes["1.0.bn1.running_mean"] == [64])
        #expect(shapes["1.0.conv3.weight"] == nil)
        #expect(shapes["2.0.conv3.weight"] == [128, 64, 1, 1])
        #expect(shapes["2.0.conv3.bias"] == [128])
        #expect(shapes["4.1.bn2.weight"] == [512])
        #expect(shapes["7.weight"] == [10, 512])
        #expect(shapes["7.bias"] == [10])
    }

    @Test func theFinalReLUIsTheOnlyThingAnOptionLeavesOut() throws {
        let with = try Network.nin().makeGraph()
        let without = try Network.named("nin", options: NetworkOptions(hasFinalReLU: false)).makeGraph()
        #expect(with.graph.parameters == without.graph.parameters)
        #expect(with.activations.map(\.layer).dropLast() == without.activations.map(\.layer)[...])
        #expect(with.activations.last?.layer == "7.5")
        #expect(with.graph.nodes.count == without.graph.nodes.count + 1)
    }

    @Test func bothModesHaveTheSameParametersInTheSameOrder() throws {
        for blueprint in Network.blueprints {
            let network = try Network.named(blueprint.name)
            let training = try network.makeGraph(batch: 4, mode: .training).graph
            let inference = try network.makeGraph(batch: 1, mode: .inference).graph
            #expect(training.parameters == inference.parameters)
            #expect(training.statistics == inference.statistics)
        }
    }

    @Test func knownNetworksCanBeDifferentiated() throws {
        for blueprint in Network.blueprints {
            var built = try Network.named(blueprint.name).makeGraph(batch: 2, mode: .training)
            let labels = built.graph.addRegion(.labels(.train), TensorType([2], .int32))
            let loss = try built.graph.apply(
                .softmaxCrossEntropy(), to: [built.logits, labels], name: "loss")[0]
            try built.graph.differentiate(loss)
            built.graph.checkInvariants()
            let gradients = built.graph.values.filter {
                if case .gradient = $0.source { true } else { false }
            }
            #expect(gradients.count == built.graph.parameters.count)
        }
    }

    @Test func anUnknownNameIsAnsweredWithTheNearestAndAllOthers() {
        #expect(
            throws: ResinError(
                .usage,
                "there is no network 'ResNet-18'; did you mean 'resnet18'? known networks: nin, resnet18")
        ) { try Network.named("ResNet-18") }
        #expect(throws: ResinError(.usage, "there is no network 'vgg'; known networks: nin, resnet18")) {
            try Network.named("vgg")
        }
    }

    @Test func optionsThatANetworkDoesNotHaveAreErrors() {
        #expect(throws: ResinError.self) {
            try Network.named("resnet18", options: NetworkOptions(dropout: 0.1))
        }
        #expect(throws: ResinError.self) {
            try Network.named("resnet18", options: NetworkOptions(hasFinalReLU: false))
        }
        #expect(throws: ResinError.self) { try Network.named("nin", options: NetworkOptions(dropout: 1)) }
        #expect(throws: ResinError.self) { try Network.named("nin", classes: 0) }
    }
}
