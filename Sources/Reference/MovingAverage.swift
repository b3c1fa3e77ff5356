import ResinGraph
import ResinTensor

extension Op.MovingAverage: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let (averages, values) = (invocation.inputs[0].floats, invocation.inputs[1].floats)
        concurrently(averages.count, inRangesOf: elementwiseRange) { range in
            for index in range {
                switch action {
                case .update(let decay):
                    let share = invocation.uniforms.step == 1 ? 1 : Float(1 - decay)
                    averages[index] =
                        share == 1
                        ? values[index] : averages[index] + share * (values[index] - averages[index])
                case .exchange: (averages[index], values[index]) = (values[index], averages[index])
                }
            }
        }
    }
}
