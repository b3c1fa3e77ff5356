import ResinTensor

extension Op {
    /// factor · x, element by element; the gradient is the same of dy.
    public struct Scale: Operator {
        public var factor: Float

        public init(by factor: Float) { self.factor = factor }

        package var summary: String { "scaling by \(factor)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let gradient = try backward.apply(.scale(self), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }

        package var inPlaceInputs: [Int] { [0] }
        package var keepsFeaturesInPlace: Bool { true }
    }

    /// a + b, of the same shape: the residual connection, and the sum of a value's gradients. A
    /// gradient's operand is a third input.
    public struct Add: StoringOperator {
        public var epilogue: Epilogue

        public init(epilogue: Epilogue = .none) { self.epilogue = epilogue }

        package var op: Op { .add(self) }
        package var summary: String { "addition" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            guard inputs[0].shape == inputs[1].shape else {
                throw ShapeError("it cannot add \(inputs[0].shape) and \(inputs[1].shape)")
            }
            return [inputs[0]]
        }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            for index in 0...1 where backward.wantsGradient(ofInput: index) {
                backward.setGradient(ofInput: index, to: backward.outputGradient)
            }
        }

        package var inPlaceInputs: [Int] { [0, 1] }
        package var keepsFeaturesInPlace: Bool { true }
        package var asEpilogue: Epilogue? { .sum(then: epilogue) }

        package func epilogue(followedBy next: Epilogue) -> Epilogue? {
            epilogue == .none && !next.adds ? next : nil
        }
    }

    /// Zeroes each element with the given probability and scales the others by 1 / (1 − probability)
    /// (Srivastava et al., JMLR 2014). Which ones follows from seed, step, `node` and the element's index
    /// alone, so the gradient, the same operator on dy, needs no mask from the forward pass. A gradient's operand is
    /// a second input.
    public struct Dropout: TakesActivationGradient {
        public var probability: Float
        /// Tells the network's dropout layers apart.
        public var node: UInt32
        /// `.none` or a gradient.
        public var epilogue: Epilogue

        public init(probability: Float, node: UInt32, epilogue: Epilogue = .none) {
            precondition(probability >= 0 && probability < 1, "dropout's probability lies in 0 ..< 1")
            self.probability = probability
            self.node = node
            self.epilogue = epilogue
        }

        /// An element is dropped when its random word is below this: probability · 2³², exact for what a
        /// `Float` holds.
        package var threshold: UInt32 { UInt32(probability * 0x1p32) }

        package var op: Op { .dropout(self) }
        package var summary: String { "dropout \(probability)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        package func differentiate(_ backward: inout BackwardPass) throws {
            precondition(epilogue == .none, "fusion comes after differentiation")
            let gradient = try backward.apply(.dropout(self), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }

        package var inPlaceInputs: [Int] { [0] }
        package var keepsFeaturesInPlace: Bool { true }
    }

    /// The same elements seen as `[N, H·W·C]`; costs nothing.
    package struct Flatten: Operator {
        package init() {}

        package var summary: String { "flatten" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            let shape = inputs[0].shape
            return [TensorType([shape.images, shape.count / shape.images], inputs[0].elementType)]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost { Cost() }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let op = Unflatten(shape: backward.shape(ofInput: 0))
            let gradient = try backward.apply(.unflatten(op), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }

        package var isView: Bool { true }
    }

    /// The same elements seen in another shape; costs nothing.
    public struct Unflatten: Operator {
        public var shape: Shape

        public init(shape: Shape) { self.shape = shape }

        package var summary: String { "unflatten to \(shape)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] {
            guard inputs[0].shape.count == shape.count else {
                throw ShapeError("\(inputs[0].shape) does not have the elements of \(shape)")
            }
            return [TensorType(shape, inputs[0].elementType)]
        }

        package func cost(inputs: [TensorType], outputs: [TensorType]) -> Cost { Cost() }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let op = Unflatten(shape: backward.shape(ofInput: 0))
            let gradient = try backward.apply(.unflatten(op), to: [backward.outputGradient])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }

        package var isView: Bool { true }
    }
}
