import ResinGraph

/// The Inception block of Szegedy et al., "Going deeper with convolutions" (CVPR 2015), Figure 2b: a 1×1
/// convolution, a 3×3 and a 5×5 behind a 1×1 each, and a 1×1 behind a 3×3 max pooling, side by side, with a ReLU
/// after every convolution. The weights have the names of "Dive into deep learning", §8.4.
///
/// C×H×W → (first + second.1 + third.1 + fourth)×H×W.
public struct Inception: Layer {
    /// Channels of the 1×1 convolution.
    public var first: Int
    /// Channels of the 1×1 and of the 3×3 convolution behind it.
    public var second: (Int, Int)
    /// Channels of the 1×1 and of the 5×5 convolution behind it.
    public var third: (Int, Int)
    /// Channels of the 1×1 convolution behind the pooling.
    public var fourth: Int

    public init(_ first: Int, _ second: (Int, Int), _ third: (Int, Int), _ fourth: Int) {
        self.first = first
        self.second = second
        self.third = third
        self.fourth = fourth
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let paths = [
            convolution("1_1", first, kernel: 1),
            convolution("2_1", second.0, kernel: 1) + convolution("2_2", second.1, kernel: 3),
            convolution("3_1", third.0, kernel: 1) + convolution("3_2", third.1, kernel: 5),
            [MaxPool2D(kernel: 3, stride: 1, padding: 1).named("p4_1")]
                + convolution("4_2", fourth, kernel: 1),
        ]
        // Applied in place, not as children: a path has no name in PyTorch's module.
        var outputs: [ValueID] = []
        for path in paths { outputs.append(try Sequential(path).apply(to: input, in: &scope)) }
        return try scope.concatenate(outputs)
    }

    private func convolution(_ name: String, _ channels: Int, kernel: Int) -> [any Layer] {
        [
            Convolution2D(channels, kernel: kernel, padding: kernel / 2).named("p\(name)"),
            ReLU().named("relu\(name)"),
        ]
    }
}
