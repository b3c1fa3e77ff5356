import ResinGraph
import ResinTensor
import Testing

@Suite struct ConvolutionTests {
    /// A 2×2 filter that adds the upper left and the lower right pixel.
    let diagonal = Literal([4], [1, 0, 0, 1])

    func convolution(
        _ window: Window, to channels: Int = 1, hasBias: Bool = false, _ epilogue: Epilogue = .none
    ) -> Op {
        .convolution2D(
            Op.Convolution2D(window: window, outputChannels: channels, hasBias: hasBias, epilogue: epilogue))
    }

    @Test("A filter slides over the image")
    func forward() throws {
        #expect(try result(of: convolution(Window(kernel: 2)), on: nine, diagonal) == [6, 8, 12, 14])
    }

    @Test("The bias is added, and the ReLU comes last")
    func biasAndReLU() throws {
        let biased = convolution(Window(kernel: 2), hasBias: true)
        let rectified = convolution(Window(kernel: 2), hasBias: true, .relu)
        let bias = Literal([1], [-13])
        #expect(try result(of: biased, on: nine, diagonal, bias) == [-7, -5, -1, 1])
        #expect(try result(of: rectified, on: nine, diagonal, bias) == [0, 0, 0, 1])
    }

    @Test("Padding adds zeros around the image, and the stride skips windows")
    func strideAndPadding() throws {
        let ones = Literal([9], Array(repeating: 1, count: 9))
        let op = convolution(Window(kernel: 3, stride: 2, padding: 1))
        #expect(try result(of: op, on: nine, ones) == [12, 16, 24, 28])
    }

    @Test("Height and width have settings of their own")
    func oblong() throws {
        let window = Window(kernel: Extent(1, 2), stride: Extent(2, 1), padding: Extent(0, 1))
        let filter = Literal([2], [1, 10])
        #expect(
            try result(of: convolution(window), on: nine, filter)
                == [10, 21, 32, 3, 70, 87, 98, 9])
    }

    @Test("Each side has a padding of its own")
    func paddings() throws {
        let ones = Literal([4], [1, 1, 1, 1])
        let window = Window(kernel: Extent(2), padding: Padding(top: 1, right: 1))
        #expect(try result(of: convolution(window), on: nine, ones) == [3, 5, 3, 12, 16, 9, 24, 28, 15])
    }

    @Test("Dilation spreads the window, and only its places count")
    func dilation() throws {
        // 1 · corner above on the left + 10 · below on the right, two pixels apart.
        let filter = Literal([4], [1, 0, 0, 10])
        #expect(try result(of: convolution(Window(kernel: 2, dilation: 2)), on: nine, filter) == [91])
        let padded = Window(kernel: 2, padding: 1, dilation: 2)
        #expect(try result(of: convolution(padded), on: nine, filter) == [50, 60, 0, 80, 91, 2, 0, 4, 5])
    }

    @Test("Every output channel mixes all input channels")
    func channels() throws {
        let image = Literal([2, 1, 1, 2], [1, 2, 3, 4])
        // Rows are input channels, columns output channels.
        let filter = Literal([4], [1, 10, 100, 1000])
        let op = convolution(Window(kernel: 1), to: 2)
        #expect(try result(of: op, on: image, filter) == [201, 2010, 403, 4030])
    }

    @Test("A filter in a file's order does what it does in PyTorch")
    func filterOrder() throws {
        let layout = ParameterLayout.filter(outputs: 2, inputs: 1, height: 1, width: 2)
        let filter = layout.deviceOrder([1, 2, 3, 4])
        #expect(filter == [1, 3, 2, 4])
        let op = convolution(Window(kernel: Extent(1, 2)), to: 2)
        #expect(try result(of: op, on: Literal([1, 1, 2, 1], [10, 1]), Literal([4], filter)) == [12, 34])
    }

    @Test("Over images × features it is the dense layer")
    func dense() throws {
        let features = Literal([2, 2], [1, 2, 3, 4])
        let filter = Literal([6], [1, 0, 1, 0, 1, 1])
        #expect(
            try result(of: convolution(Window(kernel: 1), to: 3), on: features, filter) == [1, 2, 3, 3, 4, 7])
    }

    @Test("Of one pixel the one tap on it is left, where the window does not step over it")
    func onlyTap() {
        func tap(_ window: Window) -> Int? {
            let pixel: [Shape] = [[1, 1, 1, 1]]
            let op = Op.Convolution2D(window: window, outputChannels: 1, hasBias: false)
            guard
                case .convolution2D(let taken)? = op.takingOnlyTap(
                    inputs: pixel, outputs: pixel, alignment: 4)
            else { return nil }
            return taken.tap?.index
        }
        #expect(tap(Window(kernel: 3, padding: 1)) == 4)
        #expect(tap(Window(kernel: 3, padding: 2, dilation: 2)) == 4)
        #expect(tap(Window(kernel: Extent(3), padding: Padding(left: 2, bottom: 2))) == 2)
        #expect(tap(Window(kernel: 2, padding: 1, dilation: 2)) == nil)
        #expect(tap(Window(kernel: 3, stride: 10, padding: 3)) == nil)
    }

    func grouped(_ window: Window, _ groups: Int, to channels: Int) -> Op {
        .groupedConvolution2D(
            Op.GroupedConvolution2D(window: window, groups: groups, outputChannels: channels, hasBias: false))
    }

    @Test("A group's outputs see its own inputs alone")
    func groups() throws {
        let image = Literal([1, 1, 1, 4], [1, 2, 3, 4])
        // Rows are a group's inputs; of the columns two are of the first group and two of the second.
        let filter = Literal([8], [1, 10, 1, 10, 100, 1000, 100, 1000])
        #expect(
            try result(of: grouped(Window(kernel: 1), 2, to: 4), on: image, filter) == [201, 2010, 403, 4030])
    }

    @Test("A depthwise convolution has a filter for each channel, or several")
    func depthwise() throws {
        let image = Literal([1, 1, 2, 2], [1, 2, 3, 4])
        let sum = grouped(Window(kernel: Extent(1, 2)), 2, to: 2)
        #expect(try result(of: sum, on: image, Literal([4], [1, 10, 100, 1000])) == [301, 4020])
        let multiplied = grouped(Window(kernel: 1), 2, to: 4)
        #expect(
            try result(of: multiplied, on: image, Literal([4], [1, 10, 100, 1000]))
                == [1, 10, 200, 2000, 3, 30, 400, 4000])
    }

    @Test("The gradients stay within their groups")
    func groupGradients() throws {
        let filter = Literal([8], [1, 10, 1, 10, 100, 1000, 100, 1000])
        let dy = Literal([1, 1, 1, 4], [1, 2, 3, 4])
        let input = Op.groupedConvolution2DInputGradient(
            Op.GroupedConvolution2DInputGradient(
                window: Window(kernel: 1), groups: 2, inputShape: [1, 1, 1, 4]))
        #expect(try result(of: input, on: dy, filter) == [21, 2100, 43, 4300])
        let weights = Op.groupedConvolution2DFilterGradient(
            Op.GroupedConvolution2DFilterGradient(window: Window(kernel: 1), groups: 2, hasBias: true))
        let x = Literal([1, 1, 1, 4], [1, 10, 100, 1000])
        #expect(
            try run(weights, on: [x, dy]).outputs == [[1, 2, 300, 400, 10, 20, 3000, 4000], [1, 2, 3, 4]])
    }

    @Test("Channels that groups do not divide are refused")
    func indivisible() {
        for (channels, outputs) in [(3, 4), (4, 3)] {
            let types = [TensorType([1, 2, 2, channels]), TensorType([8])]
            let op = Op.GroupedConvolution2D(
                window: Window(kernel: 1), groups: 2, outputChannels: outputs, hasBias: false)
            let error = #expect(throws: ShapeError.self) { try op.outputTypes(for: types) }
            #expect(error?.message.contains("multiple of its 2 groups") == true)
        }
    }

    func inputGradient(_ window: Window, _ shape: Shape = [1, 3, 3, 1], _ epilogue: Epilogue = .none) -> Op {
        .convolution2DInputGradient(
            Op.Convolution2DInputGradient(window: window, inputShape: shape, epilogue: epilogue))
    }

    @Test("The input's gradient brings each output's gradient back to the pixels it saw")
    func inputGradient() throws {
        let dy = Literal([1, 2, 2, 1], [1, 2, 3, 4])
        #expect(
            try result(of: inputGradient(Window(kernel: 2)), on: dy, diagonal) == [1, 2, 0, 3, 5, 2, 0, 3, 4])
    }

    @Test("The input's gradient leaves zeros between strides, and counts windows that overlap")
    func inputGradientStride() throws {
        let dy = Literal([1, 2, 2, 1], [1, 2, 3, 4])
        let skipping = inputGradient(Window(kernel: 1, stride: 2))
        #expect(try result(of: skipping, on: dy, Literal([1], [5])) == [5, 0, 10, 0, 0, 0, 15, 0, 20])
        let ones = Literal([1, 2, 2, 1], [1, 1, 1, 1])
        let overlapping = inputGradient(Window(kernel: 3, stride: 2, padding: 1))
        let filter = Literal([9], Array(repeating: 1, count: 9))
        #expect(try result(of: overlapping, on: ones, filter) == [1, 2, 1, 2, 4, 2, 1, 2, 1])
    }

    @Test("The input's gradient goes through the filter transposed, and through the ReLU's mask")
    func inputGradientChannels() throws {
        let dy = Literal([1, 1, 1, 2], [1, 2])
        let filter = Literal([4], [1, 10, 100, 1000])
        #expect(
            try result(of: inputGradient(Window(kernel: 1), [1, 1, 1, 2]), on: dy, filter) == [21, 2100])
        let masked = inputGradient(Window(kernel: 1), [1, 1, 1, 2], .reluMask)
        #expect(try result(of: masked, on: dy, filter, Literal([1, 1, 1, 2], [0, 3])) == [0, 2100])
    }

    @Test("The filter's gradient sums image times gradient over all positions; the bias's, the gradient")
    func filterGradient() throws {
        let op = Op.convolution2DFilterGradient(
            Op.Convolution2DFilterGradient(window: Window(kernel: 2), hasBias: true))
        let outcome = try run(op, on: [nine, Literal([1, 2, 2, 1], [1, 0, 0, 1])])
        #expect(outcome.outputs == [[6, 8, 12, 14], [2]])
    }

    @Test("The filter's gradient sees zeros in the padding and skips by the stride")
    func filterGradientStride() throws {
        let window = Window(kernel: 3, stride: 2, padding: 1)
        let op = Op.convolution2DFilterGradient(
            Op.Convolution2DFilterGradient(window: window, hasBias: false))
        let dy = Literal([1, 2, 2, 1], [1, 0, 0, 0])
        #expect(try result(of: op, on: nine, dy) == [0, 0, 0, 0, 1, 2, 0, 4, 5])
    }

    @Test("The filter's gradient has inputs as rows and outputs as columns, and sums over the batch")
    func filterGradientChannels() throws {
        let op = Op.convolution2DFilterGradient(
            Op.Convolution2DFilterGradient(window: Window(kernel: 1), hasBias: true))
        let x = Literal([2, 1, 1, 2], [1, 2, 3, 4])
        let dy = Literal([2, 1, 1, 2], [10, 100, 1, 1])
        #expect(try run(op, on: [x, dy]).outputs == [[13, 103, 24, 204], [11, 101]])
    }
}
