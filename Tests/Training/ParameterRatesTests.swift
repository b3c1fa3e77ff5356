import ResinGraph
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

@Suite("Rates by layer")
struct ParameterRatesTests {
    private func parameters(
        _ network: String, _ side: Int, variant: NetworkOptions.Variant? = nil
    ) throws -> [Parameter] {
        var options = NetworkOptions()
        options.variant = variant
        return try Network.named(network, input: ImageShape(channels: 3, side: side), options: options)
            .makeGraph().graph.parameters
    }

    /// By the first two components of names.
    private func depths(_ parameters: [Parameter], components: Int) -> [String: Int] {
        let depths = LayerDepths(of: parameters).depths
        return Dictionary(
            zip(parameters, depths).map {
                ($0.name.split(separator: ".").prefix(components).joined(separator: "."), $1)
            }, uniquingKeysWith: max)
    }

    @Test("ResNet's blocks are its stem, with the batch norm, and its stages")
    func resNet() throws {
        let parameters = try parameters("resnet18", 64, variant: .torchvision)
        #expect(LayerDepths(of: parameters).classifier == "fc")
        #expect(
            depths(parameters, components: 1) == [
                "conv1": 5, "bn1": 5, "layer1": 4, "layer2": 3, "layer3": 2, "layer4": 1, "fc": 0,
            ])
    }

    @Test("what torchvision keeps in 'features' and 'classifier' is looked into")
    func vgg() throws {
        let parameters = try parameters("vgg11", 224, variant: .torchvision)
        #expect(LayerDepths(of: parameters).classifier == "classifier.6")
        let depths = depths(parameters, components: 2)
        #expect(depths["classifier.6"] == 0 && depths["classifier.3"] == 1 && depths["classifier.0"] == 2)
        #expect(depths["features.18"] == 3 && depths["features.0"] == 10)
    }

    @Test("rates and decays follow from depth and role; without any of it there are none")
    func rates() throws {
        let parameters = try parameters("resnet18", 64, variant: .torchvision)
        var settings = OptimizerSettings.adamW(learningRate: 0.1, weightDecay: 0.5)
        #expect(settings.rates(of: parameters) == nil)
        (settings.headLearningRate, settings.layerDecay, settings.decays) = (0.3, 0.5, .filters)
        let rates = try #require(settings.rates(of: parameters))
        let byName = Dictionary(uniqueKeysWithValues: zip(parameters.map(\.name), rates))
        func expected(_ factor: Float, _ decay: Float) -> Op.Optimizer.Rates {
            Op.Optimizer.Rates(factor: factor, weightDecay: decay)
        }
        #expect(
            byName["fc.weight"] == expected(0.3 / 0.1, 0.5) && byName["fc.bias"] == expected(0.3 / 0.1, 0))
        #expect(byName["layer4.0.conv1.weight"] == expected(0.5, 0.5))
        #expect(
            byName["bn1.weight"] == expected(1 / 32, 0) && byName["conv1.weight"] == expected(1 / 32, 0.5))
    }
}
