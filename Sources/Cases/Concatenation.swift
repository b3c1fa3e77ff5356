import ResinGraph
import ResinTensor

extension OpCase {
    package static let concatenation: [OpCase] =
        concatenated.flatMap { pixels, channels in
            [concatenation(pixels, channels), concatenationGradient(pixels, channels)].map(\.checked)
        } + branched + slices + shuffles

    private static let branched: [OpCase] = [
        branches(of: [2, 28, 28, 16], to: [24, 17, 32]).checked,
        branches(of: [3, 9, 5, 3], to: [7, 16]).checked,
        branchGradients(of: [2, 12, 11, 16], to: [16, 24, 32]).checked,
        branchGradients(of: [3, 9, 5, 3], to: [7, 16, 1, 4, 5]).checked,
    ]

    private static let slices: [OpCase] = [
        sliceSum([2, 9, 5, 40], 4..<24, masked: false).checked,
        sliceSum([3, 5, 7, 33], 2..<19, masked: true).checked,
        pad([2, 5, 7, 20], 4..<24, of: 40).checked, pad([3, 5, 3, 17], 2..<19, of: 33, masked: true).checked,
        pad([1, 1, 1, 1], 2..<3, of: 3), pad([7, 5], 10..<15, of: 15, masked: true),
        pad([2, 3, 3, 40], 0..<40, of: 64), pad([2, 3, 5, 3], 15..<18, of: 49).checked,
        joinedPads([2, 7, 5], [16, 24]).checked, joinedPads([3, 4, 4], [7, 9, 1]),
        joinedPads([2, 3, 3], [4, 5, 6], besides: 3).checked,
    ]

    private static let shuffles: [OpCase] = [
        shuffle([2, 7, 5, 48], groups: 2).checked, shuffle([3, 5, 3, 58], groups: 2).checked,
        shuffle([1, 4, 4, 30], groups: 3).checked, shuffle([2, 3, 3, 7], groups: 7),
        shuffle([2, 1, 1, 5], groups: 1), shuffle([4, 18], groups: 6),
    ]

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
        result.isExactOnIntegers = true
        return result
    }

    /// The gradients of convolutions side by side, as of `branches`, whose concatenation a 1×1 convolution to 9 channels
    /// reads: the parts of its gradient, which devices may read where they lie.
    private static func branchGradients(of image: Shape, to channels: [Int]) -> OpCase {
        let windows = channels.indices.map { Window(kernel: Extent(2 * $0 + 1), padding: Extent($0)) }
        let last = Window(kernel: 1)
        func shape(_ channels: Int) -> Shape {
            Shape(images: image.images, height: image.height, width: image.width, channels: channels)
        }
        let whole = shape(channels.reduce(0, +))
        let filters = zip(windows, channels).map { window, count in
            CaseInput.filter(outputs: count, inputs: image.channels, window.kernel)
        }
        var result = OpCase(
            "gradients of branches, \(image) to " + channels.map(String.init).joined(separator: " + "),
            "branch_gradients", settings: ["channels": channels.map(Double.init)],
            inputs: [.tensor(image)] + filters
                + [.filter(outputs: 9, inputs: whole.channels, last.kernel), .tensor(shape(9))],
            outputs: zip(windows, channels).flatMap { window, count in
                [.value(image), .value([window.kernel.area * image.channels * count])]
            }
        ) { graph, inputs in
            let dy = try graph.apply(
                .convolution2DInputGradient(.init(window: last, inputShape: whole)),
                to: [inputs[inputs.count - 1], inputs[inputs.count - 2]], name: "last")
            var first = 0
            let parts = try channels.map { count in
                defer { first += count }
                return try graph.apply(
                    .channelSlice(Op.ChannelSlice(first..<first + count)), to: dy, name: "concatenation")[0]
            }
            return try channels.indices.flatMap { index in
                try graph.apply(
                    .convolution2DInputGradient(.init(window: windows[index], inputShape: image)),
                    to: [parts[index], inputs[1 + index]], name: "branch\(index)")
                    + graph.apply(
                        .convolution2DFilterGradient(.init(window: windows[index], hasBias: false)),
                        to: [inputs[0], parts[index]], name: "branch\(index)")
            }
        }
        result.launches = 2 + 2 * channels.count
        result.isExactOnIntegers = true
        result.winogradTolerance = 2e-4
        return result
    }

    /// A slice, another gradient of the same value added, and the mask of its ReLU.
    private static func sliceSum(_ shape: Shape, _ channels: Range<Int>, masked: Bool) -> OpCase {
        let part = Shape(shape.extents.dropLast() + [channels.count])
        var result = OpCase(
            "channels \(channels) of \(shape) and addition\(masked ? ", ReLU" : "")", "slice_sum",
            settings: ["channels": [Double(channels.lowerBound), Double(channels.upperBound)]],
            inputs: [.tensor(shape), .tensor(part)] + (masked ? [.tensor(part, .integers)] : []),
            outputs: [.value(part)]
        ) { graph, inputs in
            let slice = try graph.apply(
                .channelSlice(Op.ChannelSlice(channels)), to: [inputs[0]], name: "slice")
            let sum = try graph.apply(.add(Op.Add()), to: slice + [inputs[1]], name: "add")
            return masked ? try graph.apply(.reluGradient, to: sum + [inputs[2]], name: "relu") : sum
        }
        result.isExactOnIntegers = true
        return result
    }

    /// A slice's gradient, another gradient of the same value added, and perhaps the mask of its ReLU.
    private static func pad(
        _ part: Shape, _ channels: Range<Int>, of count: Int, masked: Bool = false
    ) -> OpCase {
        let whole = Shape(part.extents.dropLast() + [count])
        var result = OpCase(
            "\(part) as channels \(channels) of \(count), and addition\(masked ? ", ReLU" : "")", "pad_sum",
            settings: ["channels": [Double(channels.lowerBound), Double(count - channels.upperBound)]],
            inputs: [.tensor(part), .tensor(whole)] + (masked ? [.tensor(whole, .integers)] : []),
            outputs: [.value(whole)]
        ) { graph, inputs in
            let pad = try graph.apply(
                .channelPad(Op.ChannelPad(channels, of: count)), to: [inputs[0]], name: "slice")
            let sum = try graph.apply(.add(Op.Add()), to: pad + [inputs[1]], name: "add")
            return masked ? try graph.apply(.reluGradient, to: sum + [inputs[2]], name: "relu") : sum
        }
        result.isExactOnIntegers = true
        return result
    }

    /// The gradients of slices that leave nothing out, or the last channels, added one after another.
    private static func joinedPads(_ pixels: [Int], _ channels: [Int], besides rest: Int = 0) -> OpCase {
        let count = channels.reduce(rest, +)
        let whole = Shape(pixels + [count])
        var result = OpCase(
            "gradients of slices, \(name(pixels, channels))\(rest == 0 ? "" : " of \(count)")", "joined_pads",
            settings: ["channels": [Double(rest)]], inputs: channels.map { .tensor(Shape(pixels + [$0])) },
            outputs: [.value(whole)]
        ) { graph, inputs in
            var first = 0
            var sum: ValueID?
            for (input, own) in zip(inputs, channels) {
                let op = Op.ChannelPad(first..<first + own, of: count)
                let pad = try graph.apply(.channelPad(op), to: [input], name: "slice")[0]
                sum = try sum.map { try graph.apply(.add(Op.Add()), to: [$0, pad], name: "add")[0] } ?? pad
                first += own
            }
            return [sum!]
        }
        // Those of which there are more than two are joined two at a time.
        result.launches = channels.count - 1 + (rest == 0 ? 0 : 1)
        result.isExactOnIntegers = true
        return result
    }

    private static func shuffle(_ shape: Shape, groups: Int) -> OpCase {
        var result = OpCase(
            "channel shuffle, \(shape) in \(groups) groups", "channel_shuffle",
            settings: ["groups": [Double(groups)]],
            inputs: [.tensor(shape)], outputs: [.value(shape)]
        ) { graph, inputs in
            try graph.apply(.channelShuffle(Op.ChannelShuffle(groups: groups)), to: inputs, name: "shuffle")
        }
        result.isExactOnIntegers = true
        return result
    }

    /// Convolutions with ReLUs side by side, of odd kernels from 1×1 on, and the gradients of their ReLUs
    /// from the whole's: what devices may write and read in place.
    private static func branches(of image: Shape, to channels: [Int]) -> OpCase {
        let windows = channels.indices.map { Window(kernel: Extent(2 * $0 + 1), padding: Extent($0)) }
        func shape(_ channels: Int) -> Shape {
            Shape(images: image.images, height: image.height, width: image.width, channels: channels)
        }
        let whole = shape(channels.reduce(0, +))
        var result = OpCase(
            "branches, \(image) to " + channels.map(String.init).joined(separator: " + "), "branches",
            settings: ["channels": channels.map(Double.init)],
            inputs: [.tensor(image)]
                + zip(windows, channels).map { .filter(outputs: $1, inputs: image.channels, $0.kernel) }
                + [.tensor(whole)],
            outputs: [.value(whole)] + channels.map { .value(shape($0)) }
        ) { graph, inputs in
            let branches = try channels.indices.map { index in
                let convolution = Op.Convolution2D(
                    window: windows[index], outputChannels: channels[index], hasBias: false)
                let y = try graph.apply(
                    .convolution2D(convolution), to: [inputs[0], inputs[1 + index]], name: "branch")
                return try graph.apply(.relu, to: y, name: "relu")[0]
            }
            var results = try graph.apply(.concatenation, to: branches, name: "concatenation")
            var first = 0
            for (branch, count) in zip(branches, channels) {
                let slice = Op.ChannelSlice(first..<first + count)
                let dy = try graph.apply(
                    .channelSlice(slice), to: inputs.suffix(1), name: "concatenation")
                results += try graph.apply(.reluGradient, to: dy + [branch], name: "relu")
                first += count
            }
            return results
        }
        // The gradients are masked and split as one.
        result.launches = channels.count + 3
        result.isExactOnIntegers = true
        return result
    }
}

/// Images, height and width, or images alone, and the inputs' channels: GoogLeNet's first Inception block,
/// the MNIST network's, two of DenseNet's layers, then odd ones.
private let concatenated: [(pixels: [Int], channels: [Int])] = [
    ([1, 28, 28], [64, 128, 32, 32]), ([2, 12, 12], [16, 24, 24, 24]), ([1, 14, 14], [96, 32]),
    ([3, 7, 7], [480, 32]), ([2, 5, 3], [7]), ([1, 1, 1], [1, 1, 1]), ([5, 4, 9], [3, 17, 1, 33]),
    ([2, 6, 6], [1, 64]), ([7], [10, 5]), ([3], [1, 100, 31]), ([2, 16, 16], [15, 16, 17]),
    ([1, 3, 41], [8, 4, 2, 1, 5, 9, 13]),
]
