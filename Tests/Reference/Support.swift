import ResinGraph
import ResinPlan
import ResinReference
import ResinTensor

/// A tensor written down in a test.
struct Literal {
    var type: TensorType
    var bytes: [UInt8]

    init(_ shape: Shape, _ values: [Float]) { self.init(shape, .float32, values) }
    init(_ shape: Shape, integers: [Int32]) { self.init(shape, .int32, integers) }
    init(_ shape: Shape, bytes: [UInt8]) { self.init(shape, .uint8, bytes) }

    private init<Element>(_ shape: Shape, _ elementType: ElementType, _ values: [Element]) {
        precondition(values.count == shape.count)
        type = TensorType(shape, elementType)
        bytes = values.withUnsafeBytes(Array.init)
    }
}

/// What one operator gave, and its inputs afterwards, for those that are updated in place.
struct Outcome {
    var outputs: [[Float]]
    var inputs: [[Float]]
}

/// Runs one operator on literals. The inputs lie in regions of their own, whatever they are in a network.
func run(
    _ op: Op, on literals: [Literal], _ uniforms: StepUniforms = StepUniforms(seed: 0, step: 1, imageCount: 1)
) throws -> Outcome {
    let executor = ReferenceExecutor()
    var graph = Graph()
    var inputs: [ValueID] = []
    for (index, literal) in literals.enumerated() {
        let region = Region.optimizerState(index)
        inputs.append(graph.addRegion(region, literal.type))
        executor.allocate(region, byteCount: literal.bytes.count)
        try executor.write(literal.bytes, to: region)
    }
    let outputs = try graph.apply(op, to: inputs, name: "tested")
    graph.results = outputs
    let executable = executor.prepare(executor.makePlan(graph))
    try executable.run(uniforms)
    return Outcome(outputs: try outputs.map(executable.read), inputs: try inputs.map(executable.read))
}

/// The first output of one operator.
func result(
    of op: Op, on literals: Literal...,
    step uniforms: StepUniforms = StepUniforms(seed: 0, step: 1, imageCount: 1)
) throws -> [Float] {
    try run(op, on: literals, uniforms).outputs[0]
}

/// A 3×3 image of one channel that holds 1 … 9.
let nine = Literal([1, 3, 3, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9])

/// Whether two lists agree to a few units in the last place.
func agree(_ one: [Float], _ other: [Float], within tolerance: Float = 1e-6) -> Bool {
    one.count == other.count && zip(one, other).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
}
