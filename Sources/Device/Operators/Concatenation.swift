import ResinGraph
import ResinKernels
import ResinPlan
import ResinTensor

extension Op.Concatenation: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let output = lowering.node.outputs[0]
        var first = 0
        for input in lowering.node.inputs {
            let count = lowering.graph.shape(of: input).channels
            // Others were written where they belong.
            if lowering.plan.channelViews[input] == nil {
                lowering.copyChannels(0..<count, of: input, to: output, from: first)
            }
            first += count
        }
    }
}

extension Op.ChannelSlice: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        let node = lowering.node
        lowering.copyChannels(
            channels, of: node.inputs[0], to: node.outputs[0], from: 0, then: epilogue)
    }
}

extension Op.ChannelSplit: DeviceOperator {
    /// Four of them a launch; nothing where they are read where they lie.
    func lower(_ lowering: inout Lowering) {
        let (node, traits) = (lowering.node, lowering.traits)
        if lowering.plan.channelViews[node.outputs[0]] != nil { return }
        let shape = lowering.inputShape(0)
        var geometry = SplitGeometry()
        (geometry.pixels, geometry.channels) = (Int32(shape.pixels), Int32(shape.channels))
        for part in stride(from: 0, to: counts.count, by: 4) {
            let counts = counts[part...].prefix(4)
            let chunk =
                traits.kind == .cpu
                ? max(1, traits.chunkVectors * traits.lanes / counts.reduce(0, +)) : 1
            geometry.chunk = Int32(chunk)
            let padded = counts.map { Int32($0) } + Array(repeating: 0, count: 4 - counts.count)
            (geometry.firstCount, geometry.secondCount) = (padded[0], padded[1])
            (geometry.thirdCount, geometry.fourthCount) = (padded[2], padded[3])
            let vectors = counts.reduce(0) { $0 + divide($1, by: traits.lanes) }
            let outputs = node.outputs[part...].prefix(4).map(Launch.Argument.value)
            lowering.launch(
                "split_channels", in: .channels,
                global: [traits.kind == .cpu ? 1 : vectors, divide(shape.pixels, by: chunk)],
                [lowering.input(0)] + outputs + Array(repeating: .zeros, count: 4 - outputs.count)
                    + [.geometry(geometry)])
            geometry.first += padded.reduce(0, +)
        }
    }
}

extension Op.ChannelPad: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachPixelsChannels(
            "pad_channels",
            [
                lowering.input(0), lowering.addend(of: epilogue), lowering.operand(of: epilogue),
                lowering.output(0),
            ], [.int(channels.count), .int(channels.lowerBound), .int(count), .int(Int(epilogue.code))])
    }
}

extension Op.ChannelShuffle: DeviceOperator {
    func lower(_ lowering: inout Lowering) {
        lowering.eachPixelsChannels(
            "shuffle_channels", [lowering.input(0), lowering.output(0)],
            [.int(lowering.outputShape(0).channels), .int(groups)])
    }
}

extension Lowering {
    /// Launches a kernel of channels.cl over the output's pixels.
    fileprivate mutating func eachPixelsChannels(
        _ kernel: String, _ arguments: [Argument], _ constants: [Argument]
    ) {
        let shape = outputShape(0)
        let chunk = traits.kind == .cpu ? max(1, traits.chunkVectors * traits.lanes / shape.channels) : 1
        launch(
            kernel, in: .channels, global: [traits.channelWorkers(shape), divide(shape.pixels, by: chunk)],
            arguments + [.int(shape.pixels)] + constants + [.int(chunk)])
    }

    fileprivate mutating func copyChannels(
        _ channels: Range<Int>, of source: ValueID, to target: ValueID, from first: Int,
        then epilogue: Epilogue = .none
    ) {
        let (from, to) = (graph.shape(of: source), graph.shape(of: target))
        let workers = traits.kind == .cpu ? 1 : divide(channels.count, by: traits.lanes)
        let chunk =
            traits.kind == .cpu ? max(1, traits.chunkVectors * traits.lanes / channels.count) : 1
        // What is added lies as the slice does.
        let operandLayout = epilogue.readsOperand ? pixelLayout(of: node.inputs.last!) : (stride: 0, first: 0)
        launch(
            "copy_channels", in: .channels, global: [workers, divide(from.pixels, by: chunk)],
            [
                .value(source), addend(of: epilogue), operand(of: epilogue), .value(target),
                .int(from.pixels),
                .int(channels.count), .int(from.channels),
                .int(channels.lowerBound), .int(to.channels), .int(first),
                .int(Int(epilogue.code)), .int(operandLayout.stride), .int(operandLayout.first),
                .int(chunk),
            ])
    }
}
