import ResinGraph
import ResinTensor

extension OpCase {
    package static let concatenation: [OpCase] = concatenated.flatMap { pixels, channels in
        [concatenation(pixels, channels), concatenationGradient(pixels, channels)]
    }

    private static func name(_ pixels: [Int], _ channels: [Int]) -> String {
        "\(Shape(pixels)) × " + channels.map(String.init).joined(separator: " + ")
    }

    private static func concatenation(_ pixels: [Int], _ channels: [Int]) -> OpCase {
        var result = OpCase(
            "concatenation, \(name(pixels, channels))", "concatenation",
            inputs: channels.map { .tensor(Shape(pixels + [$0])) },
            outputs: [.value(Shape(pixels + [channels.reduce(0, +)]))]
        ) { graph, inputs in try graph.apply(.concatenation, to: inputs, name: "concatenation") }
        result.isExactOnIntegers = true
        return result
    }

    /// A slice for each input.
    private static func concatenationGradient(_ pixels: [Int], _ channels: [Int]) -> OpCase {
        var result = OpCase(
            "concatenation's gradient, \(name(pixels, channels))", "concatenation_gradient",
            settings: ["channels": channels.map(Double.init)],
            inputs: [.tensor(Shape(pixels + [channels.reduce(0, +)]))],
            outputs: channels.map { .value(Shape(pixels + [$0])) }
        ) { graph, inputs in
            var first = 0
            return try channels.flatMap { count in
                defer { first += count }
                let slice = Op.ChannelSlice(first..<first + count)
                return try graph.apply(.channelSlice(slice), to: inputs, name: "concatenation")
            }
        }
        result.launches = channels.count
        result.isExactOnIntegers = true
        return result
    }
}

/// Images, height and width, or images alone, and the inputs' channels: GoogLeNet's first Inception block, the
/// MNIST network's, two of DenseNet's layers, then odd ones.
private let concatenated: [(pixels: [Int], channels: [Int])] = [
    ([1, 28, 28], [64, 128, 32, 32]), ([2, 12, 12], [16, 24, 24, 24]), ([1, 14, 14], [96, 32]),
    ([3, 7, 7], [480, 32]), ([2, 5, 3], [7]), ([1, 1, 1], [1, 1, 1]), ([5, 4, 9], [3, 17, 1, 33]),
    ([2, 6, 6], [1, 64]), ([7], [10, 5]), ([3], [1, 100, 31]), ([2, 16, 16], [15, 16, 17]),
    ([1, 3, 41], [8, 4, 2, 1, 5, 9, 13]),
]
