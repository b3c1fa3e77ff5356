import ResinGraph
import ResinTensor

extension Op.Concatenation: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let result = invocation.outputs[0].shape
        let y = invocation.outputs[0].floats
        var first = 0
        for input in invocation.inputs {
            let x = input.floats
            let channels = input.shape.channels
            for pixel in 0..<result.pixels {
                for c in 0..<channels { y[pixel * result.channels + first + c] = x[pixel * channels + c] }
            }
            first += channels
        }
    }
}

extension Op.ChannelSlice: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let y = invocation.outputs[0].floats
        for pixel in 0..<image.pixels {
            for c in 0..<channels.count {
                let at = pixel * channels.count + c
                let value = x[pixel * image.channels + channels.lowerBound + c]
                y[at] = epilogue(Double(value), operands, at)
            }
        }
    }
}

extension Op.ChannelSplit: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let image = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        var first = 0
        for (output, count) in zip(invocation.outputs, counts) {
            let y = output.floats
            for pixel in 0..<image.pixels {
                for c in 0..<count { y[pixel * count + c] = x[pixel * image.channels + first + c] }
            }
            first += count
        }
    }
}

extension Op.ChannelPad: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let part = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let operands = epilogue.operands(of: invocation.inputs)
        let y = invocation.outputs[0].floats
        for pixel in 0..<part.pixels {
            for c in 0..<count {
                let value =
                    channels.contains(c) ? x[pixel * part.channels + c - channels.lowerBound] : 0
                y[pixel * count + c] = epilogue(Double(value), operands, pixel * count + c)
            }
        }
    }
}

extension Op.ChannelShuffle: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        let size = shape.channels / groups
        for pixel in 0..<shape.pixels {
            for c in 0..<shape.channels {
                y[pixel * shape.channels + c] = x[pixel * shape.channels + c % groups * size + c / groups]
            }
        }
    }
}
