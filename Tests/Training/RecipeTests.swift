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

    @Test("The built-in images stay small where a network lets them")
    func sides() {
        func side(_ network: String) -> Int { Recipe(network: network, data: "glyphs").side }
        #expect(["lenet", "alexnet", "nin", "resnet18"].map(side) == [28, 65, 67, 32])
    }
}
