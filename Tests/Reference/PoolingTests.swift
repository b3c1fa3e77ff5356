import ResinGraph
import ResinTensor
import Testing

@Suite struct PoolingTests {
    let corners = Literal([1, 2, 2, 1], [4, 8, 12, 16])
    /// Over a 2×2 image, each of its windows sees one pixel.
    let overhanging = Window(kernel: 2, stride: 2, padding: 1)

    func maxPool(_ window: Window) -> Op { .maxPool2D(Op.MaxPool2D(window: window, givesIndices: true)) }

    @Test("Max pooling gives each window's largest value and its place")
    func maxPool() throws {
        #expect(
            try run(maxPool(Window(kernel: 2)), on: [nine]).outputs == [[5, 6, 8, 9], [3, 3, 3, 3]])
    }

    @Test("Without a gradient, max pooling gives no places")
    func maxPoolWithoutIndices() throws {
        let op = Op.maxPool2D(Op.MaxPool2D(window: Window(kernel: 2), givesIndices: false))
        #expect(try run(op, on: [nine]).outputs == [[5, 6, 8, 9]])
    }

    @Test("Of equal values the first wins, and not a number wins over all")
    func maxPoolTies() throws {
        let equal = Literal([1, 2, 2, 1], [7, 7, 7, 7])
        #expect(try run(maxPool(Window(kernel: 2)), on: [equal]).outputs == [[7], [0]])
        let outcome = try run(maxPool(Window(kernel: 2)), on: [Literal([1, 2, 2, 1], [1, .nan, 9, 2])])
        #expect(outcome.outputs[0][0].isNaN && outcome.outputs[1] == [1])
    }

    @Test("Padding never wins, not even over negative values")
    func maxPoolPadding() throws {
        let negative = Literal([1, 2, 2, 1], [-1, -2, -3, -4])
        #expect(try run(maxPool(overhanging), on: [negative]).outputs == [[-1, -2, -3, -4], [3, 2, 1, 0]])
    }

    @Test("Channels are pooled apart")
    func maxPoolChannels() throws {
        let image = Literal([1, 1, 2, 2], [1, 20, 2, 10])
        let window = Window(kernel: Extent(1, 2))
        #expect(try run(maxPool(window), on: [image]).outputs == [[2, 20], [1, 0]])
    }

    @Test("Max pooling's gradient goes to the places that won, summed, and through the ReLU's mask")
    func maxPoolGradient() throws {
        func gradient(_ epilogue: Epilogue) -> Op {
            .maxPool2DGradient(
                Op.MaxPool2DGradient(
                    window: Window(kernel: 2), inputShape: [1, 3, 3, 1], epilogue: epilogue))
        }
        let dy = Literal([1, 2, 2, 1], [1, 2, 3, 4])
        let lowerRight = Literal([1, 2, 2, 1], bytes: [3, 3, 3, 3])
        #expect(try result(of: gradient(.none), on: dy, lowerRight) == [0, 0, 0, 0, 1, 2, 0, 3, 4])
        let centre = Literal([1, 2, 2, 1], bytes: [3, 2, 1, 0])
        #expect(try result(of: gradient(.none), on: dy, centre) == [0, 0, 0, 0, 10, 0, 0, 0, 0])
        let pooled = Literal([1, 2, 2, 1], [1, 0, 1, 1])
        #expect(
            try result(of: gradient(.reluMask), on: dy, lowerRight, pooled) == [0, 0, 0, 0, 1, 0, 0, 3, 4])
    }

    @Test("Average pooling gives each window's mean")
    func averagePool() throws {
        let op = Op.averagePool2D(Op.AveragePool2D(window: Window(kernel: 2)))
        #expect(try result(of: op, on: nine) == [3, 4, 6, 7])
    }

    @Test("At the edge, average pooling divides by the whole window or by what lies on the image")
    func averagePoolPadding() throws {
        for (countsPadding, means) in [(true, [1, 2, 3, 4] as [Float]), (false, [4, 8, 12, 16])] {
            let op = Op.AveragePool2D(window: overhanging, countsPadding: countsPadding)
            #expect(try result(of: .averagePool2D(op), on: corners) == means)
            let gradient = Op.AveragePool2DGradient(forward: op, inputShape: [1, 2, 2, 1])
            #expect(try result(of: .averagePool2DGradient(gradient), on: corners) == means)
        }
    }

    @Test("Average pooling's gradient is spread evenly")
    func averagePoolGradient() throws {
        let op = Op.AveragePool2DGradient(
            forward: Op.AveragePool2D(window: Window(kernel: 2)), inputShape: [1, 3, 3, 1])
        #expect(
            try result(of: .averagePool2DGradient(op), on: corners) == [1, 3, 2, 4, 10, 6, 3, 7, 4])
    }

    @Test("Global average pooling gives each channel's mean over the image")
    func globalAveragePool() throws {
        let image = Literal([1, 2, 2, 2], [1, 10, 2, 20, 3, 30, 6, 60])
        #expect(try result(of: .globalAveragePool, on: image) == [3, 30])
    }

    @Test("Its gradient is spread over the image")
    func globalAveragePoolGradient() throws {
        let op = Op.globalAveragePoolGradient(Op.GlobalAveragePoolGradient(extent: Extent(2)))
        #expect(
            try result(of: op, on: Literal([2, 2], [4, 8, 12, 16]))
                == [1, 2, 1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4, 3, 4])
    }
}
