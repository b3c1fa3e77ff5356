import Resin
import Testing

@Suite("Recipes by network and data")
struct RecipeTests {
    @Test(
        "Every network takes the images of its recipe, and is the size it is known for",
        arguments: Network.knownNames, ["glyphs", "mnist"])
    func fits(name: String, data: String) throws {
        let side = Recipe(network: name, data: data).side
        let summary = try Network.named(name, input: ImageShape(channels: 1, side: side)).summary()
        let known = ["lenet": 61_706, "inception-mnist": 97_298, "residual-mnist": 41_514, "nin": 1_992_166]
        if let parameters = known[name] { #expect(summary.parameters == parameters) }
    }

    @Test(
        "Photographs are learnt as torchvision's references learn them, by family",
        arguments: [
            ("resnet18", OptimizerSettings.Name.sgd, Float(0.0125), Float(1e-4)),
            ("vgg11", .sgd, 0.00125, 1e-4), ("vgg11_bn", .sgd, 0.0125, 1e-4),
            ("squeezenet1_1", .sgd, 0.00125, 1e-4), ("mobilenet_v2", .sgd, 0.0125, 4e-5),
            ("efficientnet_b0", .sgd, 0.0125, 4e-5), ("convnext_tiny", .adamw, 0.000176777, 0.05),
        ])
    func photographs(name: String, optimizer: OptimizerSettings.Name, rate: Float, decay: Float) {
        let recipe = Recipe(network: name, data: "flowers").forPhotographs(count: 5000)
        #expect(recipe.batch == 32 && recipe.optimizer.name == optimizer)
        #expect(abs(recipe.optimizer.learningRate / rate - 1) < 1e-5)
        #expect(recipe.optimizer.weightDecay == decay)
    }

    @Test("The built-in images stay small where a network lets them")
    func sides() {
        func side(_ network: String) -> Int { Recipe(network: network, data: "glyphs").side }
        #expect(["lenet", "alexnet", "nin", "resnet18"].map(side) == [28, 65, 67, 32])
    }
}
