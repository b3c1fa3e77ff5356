import ResinGraph
import ResinNetworks
import ResinTensor
import Testing

@Suite("What weights are of, by their names and shapes")
struct NetworkIdentityTests {
    private func shapes(
        _ name: String, channels: Int, side: Int, classes: Int, _ options: NetworkOptions = .init()
    ) throws -> [String: [Int]] {
        try Network.named(
            name, input: ImageShape(channels: channels, side: side), classes: classes, options: options
        ).makeGraph().graph.tensorShapes
    }

    @Test("Every network is known again in each of its forms, with its channels and classes")
    func everyNetwork() throws {
        for blueprint in Network.blueprints {
            for variant in blueprint.variants.isEmpty ? [nil] : blueprint.variants.map(Optional.init) {
                let options = NetworkOptions(variant: variant)
                let side = blueprint.defaultInput.height
                let shapes = try shapes(blueprint.name, channels: 2, side: side, classes: 7, options)
                let found = try #require(NetworkIdentity(shapes, side: 28))
                #expect(found.name == blueprint.name && found.options.variant == variant)
                #expect(found.input.channels == 2 && found.classes == 7)
            }
        }
    }

    @Test("Nothing is known of tensors that no network has")
    func unknown() throws {
        var shapes = try shapes("lenet", channels: 1, side: 28, classes: 10)
        shapes["0.weight"] = [7, 1, 5, 5]
        #expect(NetworkIdentity(shapes, side: 28) == nil)
        shapes["extra"] = [1]
        #expect(NetworkIdentity(shapes, side: 28) == nil)
        #expect(NetworkIdentity([:], side: 28) == nil)
    }

    /// A case: the file's network, and what is said of it beside LeNet for grey 28×28 images of ten classes.
    struct Difference: Sendable {
        var name: String
        var channels = 1
        var side = 28
        var classes = 10
        var options = NetworkOptions()
        var words: String?
    }

    @Test(
        "The difference names what has to change, and nothing else",
        arguments: [
            Difference(name: "lenet"),
            Difference(name: "lenet", classes: 1000, words: "the weights for 1,000 classes, not 10"),
            Difference(name: "lenet", side: 32, words: "the weights for --input 1x32x32, not 1x28x28"),
            Difference(
                name: "resnet18", classes: 3, words: "the weights of resnet18, for 3 classes, not 10"),
            Difference(
                name: "resnet18", channels: 3, options: NetworkOptions(variant: .torchvision),
                words: "the weights of resnet18 --variant torchvision, for images of 3 channels, not 1"),
            Difference(
                name: "nin", side: 67, options: NetworkOptions(ones: 1, thirdWidth: 256),
                words: "the weights of nin --ones 1 --third-width 256"),
            Difference(
                name: "residual-mnist", options: NetworkOptions(shortcut: .convolution),
                words: "the weights of residual-mnist --shortcut conv"),
            Difference(
                name: "mobilenet_v2", side: 64, options: NetworkOptions(width: 0.5),
                words: "the weights of mobilenet_v2 --width 0.5"),
        ])
    func difference(_ file: Difference) throws {
        let network = Network.leNet()
        let words = NetworkIdentity.difference(
            between: try shapes(
                file.name, channels: file.channels, side: file.side, classes: file.classes, file.options),
            and: try network.makeGraph().graph.tensorShapes, of: network)
        #expect(words == file.words)
    }

    @Test("Between two forms of a network, only the option is named")
    func otherForm() throws {
        let book = try Network.named("resnet18", input: ImageShape(channels: 3, side: 64))
        let torchvision = try shapes(
            "resnet18", channels: 3, side: 64, classes: 10, NetworkOptions(variant: .torchvision))
        #expect(
            NetworkIdentity.difference(
                between: torchvision, and: try book.makeGraph().graph.tensorShapes, of: book)
                == "the weights of resnet18 --variant torchvision")
    }
}
