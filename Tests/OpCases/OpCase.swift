import ResinGraph
import ResinPlan
import ResinTensor

/// One configuration of an operator, from which every check of it is derived: its shape, PyTorch's result,
/// OpenCL against the reference, exact integers, the simulator run and the micro-benchmark.
package struct OpCase: Sendable, CustomStringConvertible {
    /// Unique; the goldens are found by it.
    package var name: String
    /// The function of `make_goldens.py` that computes the same.
    package var operation: String
    /// What that function has to know besides the inputs.
    package var settings: [String: [Double]] = [:]
    package var inputs: [CaseInput]
    package var outputs: [CaseOutput]
    /// Largest error, relative to the largest absolute value of the exact output.
    package var tolerance: Float = 1e-5
    /// Whether integers as data make every output exact on every executor.
    package var isExactOnIntegers = false
    /// The steps that are run before the outputs are read.
    package var steps: [StepUniforms]
    /// Number of nodes that are left to launch when the plan has fused what can be fused.
    package var launches = 1
    /// Applies the operator to the inputs, and returns the values of the `.value` outputs.
    package var build: @Sendable (inout Graph, [ValueID]) throws -> [ValueID]

    package init(
        _ name: String, _ operation: String, settings: [String: [Double]] = [:], inputs: [CaseInput],
        outputs: [CaseOutput], steps: [StepUniforms] = [StepUniforms(seed: 1, step: 1, imageCount: 1)],
        build: @escaping @Sendable (inout Graph, [ValueID]) throws -> [ValueID]
    ) {
        self.name = name
        self.operation = operation
        self.settings = settings
        self.inputs = inputs
        self.outputs = outputs
        self.steps = steps
        self.build = build
    }

    package var description: String { name }

    /// The same with integers of −3 … 3 where numbers of −1 ..< 1 were.
    package var onIntegers: OpCase {
        var result = self
        result.name += ", integers"
        for index in inputs.indices where inputs[index].data == .uniform {
            result.inputs[index].data = .integers
        }
        return result
    }
}

/// A tensor that a case reads.
package struct CaseInput: Sendable {
    package enum Place: Sendable {
        /// Any shape of floats: a parameter vector, seen through `Op.Unflatten`.
        case tensor(Shape)
        /// A parameter as a layer has it: a filter, a dense layer's weights, a vector.
        case parameter(ParameterLayout)
        /// A running statistic of so many channels.
        case statistic(Int)
        case region(Region, TensorType)
        /// The gradient of the parameter of that index. It is no input of a node, so it comes last.
        case gradient(ofParameter: Int, count: Int)
    }

    package var place: Place
    package var data: CaseData

    /// As PyTorch sees it: NHWC for images, but outputs × inputs × height × width for filters.
    package var shape: [Int] {
        switch place {
        case .tensor(let shape): shape.extents
        case .parameter(let layout): layout.externalShape
        case .statistic(let count), .gradient(_, let count): [count]
        case .region(_, let type): type.shape.extents
        }
    }

    package static func tensor(_ shape: Shape, _ data: CaseData = .uniform) -> CaseInput {
        CaseInput(place: .tensor(shape), data: data)
    }

    package static func filter(outputs: Int, inputs: Int, _ kernel: Extent) -> CaseInput {
        let layout = ParameterLayout.filter(
            outputs: outputs, inputs: inputs, height: kernel.height, width: kernel.width)
        return CaseInput(place: .parameter(layout), data: .uniform)
    }

    package static func vector(_ count: Int, _ data: CaseData = .uniform) -> CaseInput {
        CaseInput(place: .parameter(.vector(count)), data: data)
    }

    package static func statistic(_ count: Int, _ data: CaseData) -> CaseInput {
        CaseInput(place: .statistic(count), data: data)
    }

    package static func region(_ region: Region, _ type: TensorType, _ data: CaseData) -> CaseInput {
        CaseInput(place: .region(region, type), data: data)
    }
}

/// A tensor that is compared, with the shape that it must have, written by hand in the case.
package struct CaseOutput: Sendable {
    package enum Place: Sendable {
        /// The next of the values that `OpCase.build` returns.
        case value
        /// Part of something that outlives the step, by index.
        case parameter(Int)
        case statistic(Int)
        case optimizerState(Int, ofParameter: Int)
        /// A whole region, of float32 or int32.
        case region(Region, ElementType)
    }

    package var place: Place
    package var shape: Shape

    package static func value(_ shape: Shape) -> CaseOutput { CaseOutput(place: .value, shape: shape) }
}

extension StepUniforms {
    /// One step, with all rows of the batch real images unless told otherwise.
    package static func single(images: Int, firstImage: Int = 0, seed: UInt64 = 1, step: Int = 1) -> [Self] {
        [StepUniforms(seed: seed, step: step, firstImage: firstImage, imageCount: images)]
    }
}
