import ResinGraph
import ResinPlan
import ResinTensor

/// Memory of one value or region, freed with its last reference.
final class Memory {
    let pointer: UnsafeMutableRawPointer
    let byteCount: Int

    /// - Parameter byte: what every byte holds at first. All ones make a float NaN, so an element that an
    ///   operator forgets to write shows.
    init(byteCount: Int, filledWith byte: UInt8) {
        pointer = .allocate(byteCount: max(byteCount, 1), alignment: 64)
        pointer.initializeMemory(as: UInt8.self, repeating: byte, count: byteCount)
        self.byteCount = byteCount
    }

    deinit { pointer.deallocate() }
}

/// A value's type and memory during one node.
struct Operand {
    let type: TensorType
    private let pointer: UnsafeMutableRawPointer

    init(_ type: TensorType, at pointer: UnsafeMutableRawPointer) {
        self.type = type
        self.pointer = pointer
    }

    var shape: Shape { type.shape }
    var floats: UnsafeMutableBufferPointer<Float> { elements(.float32) }
    var integers: UnsafeMutableBufferPointer<Int32> { elements(.int32) }
    var bytes: UnsafeMutableBufferPointer<UInt8> { elements(.uint8) }

    /// The bits of a type of 16 bits.
    private var halves: UnsafeMutableBufferPointer<UInt16> {
        precondition(type.elementType.isHalf)
        return elements(type.elementType)
    }

    private func elements<Element>(_ expected: ElementType) -> UnsafeMutableBufferPointer<Element> {
        precondition(type.elementType == expected, "a value of \(type.elementType), not \(expected)")
        return UnsafeMutableBufferPointer(
            start: pointer.assumingMemoryBound(to: Element.self), count: shape.count)
    }

    func copyBytes(from other: Operand) {
        precondition(type.byteCount == other.type.byteCount)
        pointer.copyMemory(from: other.pointer, byteCount: type.byteCount)
    }

    /// All elements as `Float`, for whoever reads a result.
    var asFloats: [Float] {
        switch type.elementType {
        case .float32: Array(floats)
        case .bfloat16, .float16: halves.map(type.elementType.float(bits:))
        case .int32: integers.map { Float($0) }
        case .uint8: bytes.map { Float($0) }
        }
    }
}

extension Operand {
    /// The floats that an operator works on: of a type of 16 bits a copy, in memory that is added to `scratch`.
    func inFloats(_ scratch: inout [Memory]) -> Operand {
        type.elementType.isHalf ? floatCopy(of: halves.map(type.elementType.float(bits:)), &scratch) : self
    }

    /// A copy, rounded to a type of 16 bits.
    func rounded(to type: ElementType, _ scratch: inout [Memory]) -> Operand {
        floatCopy(of: floats.map(type.rounded), &scratch)
    }

    private func floatCopy(of values: [Float], _ scratch: inout [Memory]) -> Operand {
        let memory = Memory(byteCount: 4 * shape.count, filledWith: 0xFF)
        scratch.append(memory)
        let copy = Operand(TensorType(shape), at: memory.pointer)
        _ = copy.floats.update(fromContentsOf: values)
        return copy
    }

    /// Stores what an operator left in `inFloats`.
    func round(_ result: Operand) {
        guard type.elementType.isHalf else { return }
        for (index, value) in result.floats.enumerated() { halves[index] = type.elementType.bits(of: value) }
    }
}

/// What an operator is called with: its node's values in memory, and the numbers of the step.
struct Invocation {
    let inputs: [Operand]
    let outputs: [Operand]
    let uniforms: StepUniforms
}

/// What an epilogue reads beside the element.
struct EpilogueOperands {
    /// What is added.
    var addend: UnsafeMutableBufferPointer<Float>?
    /// An activation gradient's.
    var operand: UnsafeMutableBufferPointer<Float>?
}

extension Epilogue {
    /// The value to store at `index`.
    @inline(__always)
    func callAsFunction(_ value: Double, _ operands: EpilogueOperands, _ index: Int) -> Float {
        let value = adds ? value + Double(operands.addend![index]) : value
        return switch last {
        case .none, .sum: Float(value)
        case .activation(let activation): Float(activation.value(value))
        case .activationGradient(let activation):
            Float(activation.gradient(value, Double(operands.operand![index])))
        }
    }

    /// Those of a node with this epilogue.
    func operands(of inputs: [Operand]) -> EpilogueOperands {
        EpilogueOperands(
            addend: adds ? inputs[inputs.count - operandCount].floats : nil,
            operand: readsOperand ? inputs.last!.floats : nil)
    }
}
