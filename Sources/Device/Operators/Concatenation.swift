import ResinGraph
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
            channels, of: node.inputs[0], to: node.outputs[0], from: 0,
            operand: epilogue.readsOperand ? node.inputs[1] : nil)
    }
}

extension Lowering {
    fileprivate mutating func copyChannels(
        _ channels: Range<Int>, of source: ValueID, to target: ValueID, from first: Int,
        operand: ValueID? = nil
    ) {
        let (from, to) = (graph.shape(of: source), graph.shape(of: target))
        let workers = traits.kind == .cpu ? 1 : divide(channels.count, by: traits.lanes)
        let chunk =
            traits.kind == .cpu ? max(1, traits.chunkVectors * traits.lanes / channels.count) : 1
        let operandLayout = operand.map(pixelLayout(of:)) ?? (stride: 0, first: 0)
        launch(
            "copy_channels", in: .channels, global: [workers, divide(from.pixels, by: chunk)],
            [
                .value(source), operand.map(Argument.value) ?? .zeros, .value(target), .int(from.pixels),
                .int(channels.count), .int(from.channels),
                .int(channels.lowerBound), .int(to.channels), .int(first),
                .int(operand == nil ? 0 : 1), .int(operandLayout.stride), .int(operandLayout.first),
                .int(chunk),
            ])
    }
}
