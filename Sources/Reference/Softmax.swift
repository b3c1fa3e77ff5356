import ResinGraph
import ResinTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Op.Softmax: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let x = invocation.inputs[0].floats
        let y = invocation.outputs[0].floats
        concurrently(shape.pixels) { pixel in
            let own = pixel * shape.channels..<(pixel + 1) * shape.channels
            let largest = own.reduce(-Double.infinity) { max($0, Double(x[$1])) }
            let sum = own.reduce(0) { $0 + exp(Double(x[$1]) - largest) }
            for index in own { y[index] = Float(exp(Double(x[index]) - largest) / sum) }
        }
    }
}

extension Op.SoftmaxGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let shape = invocation.inputs[0].shape
        let dy = invocation.inputs[0].floats
        let y = invocation.inputs[1].floats
        let dx = invocation.outputs[0].floats
        concurrently(shape.pixels) { pixel in
            let own = pixel * shape.channels..<(pixel + 1) * shape.channels
            let sum = own.reduce(0) { $0 + Double(dy[$1]) * Double(y[$1]) }
            for index in own { dx[index] = Float(Double(y[index]) * (Double(dy[index]) - sum)) }
        }
    }
}
