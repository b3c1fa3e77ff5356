import ResinGraph
import ResinPlan
import ResinTensor

/// One configuration of an operator, from which every check of it is derived: its shape, PyTorch's result,
/// OpenCL against the reference, exact integers, and `resin devices --check --operators`.
package struct OpCase: Sendable, CustomStringConvertible {
    /// Unique; the goldens are found by it.
    package var name: String
    /// The function of `make_goldens.py` that computes the same.
    package var operation: String
    /// What that function has to know besides the inputs.
    package var settings: [String: [Double]] = [:]
    package var inputs: [CaseInput]
    package var outputs: [CaseOutput]
    /// Whether `resin devices --check --operators` runs it too: an edge of each kind (counts that no vector,
    /// tile or work-group divides, one pixel, one channel, rows that hold no image), and a few as large as
    /// real layers, so that the kernels for large work run.
    package var isChecked = false
    /// Largest error of direct sums in float32, relative to the largest absolute value of the exact output.
    package var tolerance: Float = 1e-5
    /// The same of minimal filtering, whose sums are of other sums; 2e-5 is oneDNN's bound.
    package var winogradTolerance: Float = 2e-5
    /// How often a value is rounded on its way to an output in mixed precision.
    package var roundings = 1
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

    /// Whose list a case stands in; by name what `resin devices --check --operators` calls it.
    package enum Family: String, CaseIterable, Sendable {
        case convolution
        case groupedConvolution = "grouped convolution"
        case pooling
        case batchNorm = "batch norm"
        case loss = "softmax cross-entropy"
        case binaryLoss = "binary cross-entropy"
        case elementwise = "element-wise"
        case norms = "layer and group norm"
        case upsampling
        case scaling = "channel scaling"
        case concatenation, input, photographs, optimizers, metrics

        package var cases: [OpCase] {
            switch self {
            case .convolution: OpCase.convolution2D
            case .groupedConvolution: OpCase.groupedConvolution2D
            case .pooling: OpCase.pooling2D
            case .batchNorm: OpCase.batchNorm
            case .loss: OpCase.loss
            case .binaryLoss: OpCase.binaryLoss
            case .elementwise: OpCase.elementwise
            case .norms: OpCase.layerNorm + OpCase.groupNorm + OpCase.localResponseNorm
            case .upsampling: OpCase.upsampling
            case .scaling: OpCase.channelScaling + OpCase.sharedSlopes + OpCase.stochasticDepth
            case .concatenation: OpCase.concatenation
            case .input: OpCase.input
            case .photographs: OpCase.photographs
            case .optimizers: OpCase.optimizers + OpCase.movingAverages
            case .metrics: OpCase.metrics + OpCase.shards
            }
        }
    }

    /// Every case there is.
    package static let all = Family.allCases.flatMap(\.cases)

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

extension OpCase: Checkable {}

/// What a list says `checked` of: see `OpCase.isChecked`.
protocol Checkable {
    var isChecked: Bool { get set }
}

extension Checkable {
    var checked: Self { checked(if: true) }

    func checked(if isChecked: Bool) -> Self {
        var result = self
        result.isChecked = isChecked
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
        /// `Region.samples` with these rows.
        case samples(Region.Split, [ImageSample])
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
        case .samples(_, let samples): TensorType.samples(samples.count).shape.extents
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

    package static func samples(_ samples: [ImageSample]) -> CaseInput {
        let words = samples.flatMap { sample in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: ImageSample.wordCount) { words in
                sample.write(to: words)
                return Array(words)
            }
        }
        return CaseInput(place: .samples(.train, samples), data: .words(words))
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
