import Foundation
import ResinGraph
import ResinNetworks
import ResinTensor
import Testing

/// Counts and shapes are PyTorch 2.15's for the same networks, from "Dive into deep learning".
@Suite struct ZooTests {
    /// A network's number of parameters.
    struct Count: Sendable, CustomStringConvertible {
        var network: String
        var channels = 1
        var classes = 10
        var options = NetworkOptions()
        var count: Int
        var description: String {
            "\(network), \(channels) channels, \(options.given.map(\.rawValue)): \(count)"
        }
    }

    static let counts =
        [
            Count(network: "lenet", count: 61_706),
            Count(network: "alexnet", classes: 1000, count: 50_820_776),
            Count(
                network: "alexnet", channels: 3, classes: 1000,
                options: NetworkOptions(variant: .torchvision),
                count: 61_100_840),
            Count(network: "vgg11", count: 128_806_154),
            Count(
                network: "vgg11", channels: 3, classes: 1000, options: NetworkOptions(variant: .torchvision),
                count: 132_863_336),
            Count(network: "vgg16", channels: 3, classes: 1000, count: 138_357_544),
            Count(network: "nin", count: 1_992_166),
            Count(network: "nin", options: NetworkOptions(ones: 1), count: 1_769_112),
            Count(network: "nin", options: NetworkOptions(thirdWidth: 256), count: 1_521_510),
            Count(network: "nin", options: NetworkOptions(ones: 1, thirdWidth: 256), count: 1_380_504),
            Count(network: "nin", channels: 3, options: NetworkOptions(head: .max), count: 2_015_398),
            Count(network: "googlenet", count: 5_977_530),
            Count(
                network: "googlenet", channels: 3, classes: 1000,
                options: NetworkOptions(variant: .torchvision),
                count: 6_624_904),
            Count(network: "inception-mnist", count: 97_298),
            Count(network: "residual-mnist", count: 41_514),
            Count(
                network: "residual-mnist", options: NetworkOptions(shortcut: .constantScaling), count: 41_514),
            Count(network: "residual-mnist", options: NetworkOptions(shortcut: .convolution), count: 42_842),
            Count(network: "resnet18", count: 11_178_378),
            Count(network: "resnet18", channels: 3, count: 11_184_650),
            Count(
                network: "resnet18", channels: 3, classes: 1000,
                options: NetworkOptions(variant: .torchvision),
                count: 11_689_512),
            Count(
                network: "resnet34", channels: 3, classes: 1000,
                options: NetworkOptions(variant: .torchvision),
                count: 21_797_672),
            Count(network: "resnet50", channels: 3, classes: 1000, count: 25_557_032),
            Count(network: "densenet", count: 758_226),
            Count(network: "densenet121", channels: 3, classes: 1000, count: 7_978_856),
        ] + torchvision

    /// Those that have torchvision's form alone, with its own number of channels and classes.
    static let torchvision =
        [
            ("squeezenet1_0", 1_248_424), ("squeezenet1_1", 1_235_496), ("inception_v3", 23_834_568),
            ("resnet101", 44_549_160), ("resnet152", 60_192_808), ("wide_resnet50_2", 68_883_240),
            ("densenet161", 28_681_000), ("densenet169", 14_149_480), ("densenet201", 20_013_928),
            ("vgg11_bn", 132_868_840), ("vgg13_bn", 133_053_736), ("vgg16_bn", 138_365_992),
            ("vgg19_bn", 143_678_248), ("resnext50_32x4d", 25_028_904), ("mobilenet_v2", 3_504_872),
            ("shufflenet_v2_x1_0", 2_278_604), ("mnasnet1_0", 4_383_312), ("mobilenet_v3_small", 2_542_856),
            ("mobilenet_v3_large", 5_483_032), ("efficientnet_lite0", 4_652_008),
            ("efficientnet_b0", 5_288_548),
            ("efficientnet_b1", 7_794_184), ("efficientnet_b2", 9_109_994), ("efficientnet_b3", 12_233_232),
            ("efficientnet_v2_s", 21_458_488), ("regnet_y_400mf", 4_344_144), ("regnet_x_400mf", 5_495_976),
            ("regnet_y_1_6gf", 11_202_430), ("convnext_tiny", 28_589_128),
        ].map { Count(network: $0, channels: 3, classes: 1000, count: $1) } + widths

    /// torchvision's mobilenet_v2(width_mult=0.35), mnasnet0_5, shufflenet_v2_x2_0 and so on.
    static let widths = [
        ("mobilenet_v2", 0.35, 1_677_128), ("mobilenet_v2", 1.4, 6_108_776),
        ("mobilenet_v3_small", 0.5, 917_264), ("mobilenet_v3_large", 0.75, 3_377_576),
        ("mnasnet1_0", 0.5, 2_218_512), ("mnasnet1_0", 0.75, 3_170_208), ("mnasnet1_0", 1.3, 6_282_256),
        ("shufflenet_v2_x1_0", 0.5, 1_366_792), ("shufflenet_v2_x1_0", 1.5, 3_503_624),
        ("shufflenet_v2_x1_0", 2, 7_393_996),
    ].map {
        Count(network: $0, channels: 3, classes: 1000, options: NetworkOptions(width: $1), count: $2)
    }

    @Test("Parameter counts are the books' and torchvision's", arguments: counts)
    func parameters(_ expected: Count) throws {
        var input = try Network.blueprint(named: expected.network).defaultInput(with: expected.options)
        input.channels = expected.channels
        let network = try Network.named(
            expected.network, input: input, classes: expected.classes, options: expected.options)
        #expect(try network.summary().parameters == expected.count)
    }

    @Test func colourIsTheDefaultOfTorchvisionsForms() throws {
        let torchvision = NetworkOptions(variant: .torchvision)
        #expect(try Network.named("resnet18").input.channels == 1)
        #expect(try Network.named("resnet18", options: torchvision).input.channels == 3)
        #expect(try Network.named("resnet50").input.channels == 3)
        #expect(try Network.named("densenet121").input.channels == 3)
    }

    @Test func theNewNetworksHaveTheirBooksShapes() throws {
        func shapes(_ name: String) throws -> [[Int]] {
            try Network.named(name).summary().outermost.map(\.output)
        }
        #expect(
            try shapes("lenet") == [
                [6, 28, 28], [6, 28, 28], [6, 14, 14], [16, 10, 10], [16, 10, 10], [16, 5, 5], [400], [120],
                [120], [84], [84], [10],
            ])
        #expect(try shapes("alexnet").contains([6400]))
        #expect(
            try shapes("vgg11") == [
                [64, 112, 112], [128, 56, 56], [256, 28, 28], [512, 14, 14], [512, 7, 7], [25088], [4096],
                [4096], [4096], [4096], [4096], [4096], [10],
            ])
        #expect(
            try shapes("googlenet") == [
                [64, 56, 56], [192, 28, 28], [480, 14, 14], [832, 7, 7], [1024], [10],
            ])
        #expect(
            try shapes("densenet") == [
                [64, 56, 56], [192, 56, 56], [96, 28, 28], [224, 28, 28], [112, 14, 14], [240, 14, 14],
                [120, 7, 7], [248, 7, 7], [248, 7, 7], [248, 7, 7], [248], [248], [10],
            ])
        #expect(
            try shapes("resnet50") == [
                [64, 112, 112], [64, 112, 112], [64, 112, 112], [64, 56, 56], [256, 56, 56], [512, 28, 28],
                [1024, 14, 14], [2048, 7, 7], [2048], [10],
            ])
        #expect(
            try shapes("inception-mnist") == [
                [10, 24, 24], [10, 12, 12], [10, 12, 12], [88, 12, 12], [20, 8, 8], [20, 4, 4], [20, 4, 4],
                [88, 4, 4], [1408], [10],
            ])
    }

    @Test(
        "The smallest inputs that the documentation states fit, and none smaller",
        arguments: [
            ("lenet", 12), ("alexnet", 65), ("vgg16", 32), ("nin", 67), ("inception-mnist", 16),
            ("residual-mnist", 16), ("densenet", 29), ("densenet121", 29), ("googlenet", 1), ("resnet50", 1),
        ])
    func smallest(_ name: String, _ side: Int) throws {
        _ = try Network.named(name, input: ImageShape(channels: 1, side: side)).summary()
        guard side > 1 else { return }
        #expect(throws: ResinError.self) {
            try Network.named(name, input: ImageShape(channels: 1, side: side - 1)).summary()
        }
    }

    @Test(
        "The smallest inputs of torchvision's forms fit, and none smaller",
        arguments: [("alexnet", 63), ("vgg11", 32), ("vgg16", 32), ("googlenet", 15), ("resnet18", 1)])
    func smallestOfTorchvision(_ name: String, _ side: Int) throws {
        func summary(_ side: Int) throws {
            _ = try Network.named(
                name, input: ImageShape(channels: 3, side: side),
                options: NetworkOptions(variant: .torchvision)
            ).summary()
        }
        try summary(side)
        guard side > 1 else { return }
        let error = #expect(throws: ResinError.self) { try summary(side - 1) }
        #expect(error?.message.hasSuffix("the smallest square input that fits is 3×\(side)×\(side)") == true)
    }

    @Test("torchvision's VGG has the book's operators, and its tensors under torchvision's names")
    func torchvisionsVGG() throws {
        let input = ImageShape(channels: 3, side: 224)
        func graph(_ variant: NetworkOptions.Variant) throws -> Graph {
            try Network.named("vgg11", input: input, options: NetworkOptions(variant: variant)).makeGraph()
                .graph
        }
        let (book, torchvision) = (try graph(.book), try graph(.torchvision))
        #expect(torchvision.nodes.map(\.op) == book.nodes.map(\.op))
        #expect(torchvision.parameters.map(\.layout) == book.parameters.map(\.layout))
        let features = [0, 3, 6, 8, 11, 13, 16, 18].map { "features.\($0)" }
        let layers = features + [0, 3, 6].map { "classifier.\($0)" }
        #expect(torchvision.parameters.map(\.name) == layers.flatMap { ["\($0).weight", "\($0).bias"] })
    }

    @Test func everyVariantOfEveryNetworkIsMadeAndNoOther() throws {
        for blueprint in Network.blueprints {
            for variant in NetworkOptions.Variant.allCases {
                let options = NetworkOptions(variant: variant)
                if blueprint.variants.contains(variant) {
                    _ = try Network.named(blueprint.name, options: options).summary()
                } else {
                    #expect(throws: ResinError.self) { try Network.named(blueprint.name, options: options) }
                }
            }
        }
    }

    @Test func oldConfigurationsWithoutTheNewOptionsLoad() throws {
        let old = Data(#"{"hasFinalReLU":false,"dropout":0.25}"#.utf8)
        #expect(
            try JSONDecoder().decode(NetworkOptions.self, from: old)
                == NetworkOptions(dropout: 0.25, hasFinalReLU: false))
        let new = NetworkOptions(
            ones: 1, thirdWidth: 256, head: .max, shortcut: .constantScaling, variant: .torchvision)
        let data = try JSONEncoder().encode(new)
        #expect(try JSONDecoder().decode(NetworkOptions.self, from: data) == new)
    }

    @Test func anOptionOfAnotherNetworkIsRefusedWithTheNetworksThatHaveIt() {
        #expect(
            throws: ResinError(
                .usage,
                "lenet has no option --variant; networks that have it: "
                    + Network.blueprints.filter { !$0.variants.isEmpty }.map(\.name).joined(separator: ", ")
            )
        ) { try Network.named("lenet", options: NetworkOptions(variant: .book)) }
        #expect(
            throws: ResinError(
                .usage, "resnet18 has no option --shortcut; networks that have it: residual-mnist")
        ) { try Network.named("resnet18", options: NetworkOptions(shortcut: .identity)) }
        #expect(
            throws: ResinError(
                .usage, "resnet50 has no --variant book, only torchvision; leave the option out")
        ) { try Network.named("resnet50", options: NetworkOptions(variant: .book)) }
        #expect(throws: ResinError.self) { try Network.named("nin", options: NetworkOptions(ones: 3)) }
        #expect(throws: ResinError.self) { try Network.named("nin", options: NetworkOptions(thirdWidth: 0)) }
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
                "there is no network 'ResNet-18'; did you mean 'resnet18'? known networks: "
                    + Network.knownNames.joined(separator: ", "))
        ) { try Network.named("ResNet-18") }
        #expect(
            throws: ResinError(
                .usage,
                "there is no network 'mobile'; known networks: "
                    + Network.knownNames.joined(separator: ", "))
        ) { try Network.named("mobile") }
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
