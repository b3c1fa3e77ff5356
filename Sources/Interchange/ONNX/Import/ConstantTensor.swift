import Foundation
import ResinProtobuf

/// Why a part of a model cannot be taken; who knows the node and the file adds them.
struct ModelFlaw: Error {
    var text: String
    init(_ text: String) { self.text = text }
}

/// A tensor of an ONNX graph that does not depend on the images.
struct ConstantTensor: Equatable, Sendable {
    enum Elements: Equatable, Sendable {
        /// Of any floating-point type.
        case floats([Float])
        /// Of any whole-number type, and truth values.
        case ints([Int])
    }

    private(set) var shape: [Int]
    private(set) var elements: Elements

    /// Stands for the number of images, which is open, in shapes that a model computes.
    static let batch = Int.min
    /// What a model may have computed before it runs; its weights may be more.
    static let largestComputed = 1 << 22

    /// - Precondition: as many elements as the shape says.
    init(_ elements: Elements, shape: [Int]) {
        self.shape = shape
        self.elements = elements
        precondition(shape.reduce(1, *) == count)
    }

    init(_ values: [Int]) { self.init(.ints(values), shape: [values.count]) }
    init(_ value: Float) { self.init(.floats([value]), shape: []) }

    var count: Int {
        switch elements {
        case .floats(let values): values.count
        case .ints(let values): values.count
        }
    }

    /// - Throws: `ModelFlaw` where an element is the number of images.
    func floats() throws -> [Float] {
        switch elements {
        case .floats(let values): return values
        case .ints(let values):
            guard !values.contains(Self.batch) else {
                throw ModelFlaw("it computes with the number of images, which is open")
            }
            return values.map { Float($0) }
        }
    }

    func ints() throws -> [Int] {
        switch elements {
        case .ints(let values): return values
        case .floats(let values):
            return try values.map {
                guard let value = Int(exactly: $0.rounded(.towardZero)) else {
                    throw ModelFlaw("\($0) is no whole number of 64 bits")
                }
                return value
            }
        }
    }

    /// The same elements under another shape.
    ///
    /// - Parameter target: as ONNX's Reshape has it: 0 for the dimension that is there, −1 for what is left.
    func reshaped(_ target: [Int]) throws -> ConstantTensor {
        var sizes = target
        for index in sizes.indices where sizes[index] == 0 && index < shape.count {
            sizes[index] = shape[index]
        }
        if let open = sizes.firstIndex(of: -1) {
            sizes[open] = 1
            let (known, isTooMuch) = Self.product(sizes)
            guard !isTooMuch, known > 0, count % known == 0 else { throw misfit(target) }
            sizes[open] = count / known
        }
        let (product, isTooMuch) = Self.product(sizes)
        guard !isTooMuch, product == count else { throw misfit(target) }
        return ConstantTensor(elements, shape: sizes)
    }

    private func misfit(_ target: [Int]) -> ModelFlaw {
        ModelFlaw("a constant of shape \(shape) cannot have shape \(target)")
    }

    /// Of sizes, none of them negative; whether it, or what it would be without the zeros, is beyond what an Int holds:
    /// then parts of the shape are no numbers to compute with.
    static func product(_ sizes: [Int]) -> (Int, isTooMuch: Bool) {
        var product = 1
        for size in sizes {
            let (value, overflows) = product.multipliedReportingOverflow(by: max(size, 1))
            if overflows || size < 0 { return (0, true) }
            product = value
        }
        return (sizes.contains(0) ? 0 : product, false)
    }

    /// Element i of the result is element `source(i)` of this one.
    func gathered(shape: [Int], _ source: (Int) -> Int) -> ConstantTensor {
        let indices = 0..<shape.reduce(1, *)
        switch elements {
        case .floats(let values):
            return ConstantTensor(.floats(indices.map { values[source($0)] }), shape: shape)
        case .ints(let values):
            return ConstantTensor(.ints(indices.map { values[source($0)] }), shape: shape)
        }
    }

    /// - Parameter order: a permutation of the dimensions.
    func transposed(_ order: [Int]) throws -> ConstantTensor {
        guard order.sorted() == Array(shape.indices) else {
            throw ModelFlaw("\(order) is no order of the dimensions of \(shape)")
        }
        let strides = Self.strides(shape)
        let turned = order.map { shape[$0] }
        let turnedStrides = Self.strides(turned)
        return gathered(shape: turned) { index in
            var source = 0
            for (place, dimension) in order.enumerated() {
                source += index / turnedStrides[place] % turned[place] * strides[dimension]
            }
            return source
        }
    }

    static func strides(_ shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for index in shape.indices.dropLast().reversed() {
            strides[index] = strides[index + 1] * max(shape[index + 1], 1)
        }
        return strides
    }

    // MARK: From a file

    /// - Parameter external: the bytes of a tensor that lies in another file.
    /// - Throws: `ModelFlaw` for types that are not numbers, and where elements are missing.
    init(
        _ tensor: Onnx_TensorProto,
        external: (_ location: String, _ offset: Int, _ length: Int?) throws -> Data
    ) throws {
        let dimensions = tensor.dims.map { Int(clamping: $0) }
        let (count, isTooMuch) = Self.product(dimensions)
        guard !isTooMuch else { throw ModelFlaw("tensor '\(tensor.name)' has shape \(dimensions)") }
        var raw: Data? = tensor.hasRawData ? tensor.rawData : nil
        if tensor.dataLocation == .external {
            let entries = Dictionary(
                tensor.externalData.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
            func number(_ key: String) throws -> Int? {
                try entries[key].map {
                    guard let value = Int($0), value >= 0 else {
                        throw ModelFlaw("tensor '\(tensor.name)': the \(key) of its data is '\($0)'")
                    }
                    return value
                }
            }
            guard let location = entries["location"] else {
                throw ModelFlaw("tensor '\(tensor.name)' lies in another file, which is not named")
            }
            raw = try external(location, try number("offset") ?? 0, try number("length"))
        }
        func wrongCount(_ found: Int) -> ModelFlaw {
            ModelFlaw("tensor '\(tensor.name)' of shape \(dimensions) has \(found) elements, not \(count)")
        }
        func check<Element>(_ values: [Element]) throws -> [Element] {
            guard values.count == count else { throw wrongCount(values.count) }
            return values
        }
        /// The elements as they lie in a file, little-endian.
        func words<Word: FixedWidthInteger>(_ type: Word.Type, else other: () -> [Word]) throws -> [Word] {
            guard let raw else { return try check(other()) }
            let size = MemoryLayout<Word>.size
            guard raw.count % size == 0, raw.count / size == count else { throw wrongCount(raw.count / size) }
            return [Word](unsafeUninitializedCapacity: count) { buffer, filled in
                raw.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
                filled = count
            }.map(Word.init(littleEndian:))
        }
        func ints<Word: FixedWidthInteger>(_ type: Word.Type) throws -> Elements {
            .ints(
                try words(type) { tensor.int32Data.map { Word(truncatingIfNeeded: $0) } }.map {
                    Int(clamping: $0)
                })
        }
        switch Onnx_TensorProto.DataType(rawValue: Int(tensor.dataType)) {
        case .float:
            let bits = try words(UInt32.self) { tensor.floatData.map(\.bitPattern) }
            elements = .floats(bits.map(Float.init(bitPattern:)))
        case .double:
            let bits = try words(UInt64.self) { tensor.doubleData.map(\.bitPattern) }
            elements = .floats(bits.map { Float(Double(bitPattern: $0)) })
        case .float16:
            let bits = try words(UInt16.self) { tensor.int32Data.map { UInt16(truncatingIfNeeded: $0) } }
            elements = .floats(bits.map { Float(Float16(bitPattern: $0)) })
        case .bfloat16:
            let bits = try words(UInt16.self) { tensor.int32Data.map { UInt16(truncatingIfNeeded: $0) } }
            elements = .floats(bits.map { Float(bitPattern: UInt32($0) << 16) })
        case .int64: elements = .ints(try words(Int64.self) { tensor.int64Data }.map { Int($0) })
        case .uint64: elements = .ints(try words(UInt64.self) { tensor.uint64Data }.map { Int(clamping: $0) })
        case .uint32:
            elements = .ints(
                try words(UInt32.self) { tensor.uint64Data.map { UInt32(truncatingIfNeeded: $0) } }.map {
                    Int($0)
                })
        case .int32: elements = try ints(Int32.self)
        case .int16: elements = try ints(Int16.self)
        case .uint16: elements = try ints(UInt16.self)
        case .int8: elements = try ints(Int8.self)
        case .uint8, .bool: elements = try ints(UInt8.self)
        default:
            throw ModelFlaw("tensor '\(tensor.name)' is of type \(tensor.dataType), which is no number here")
        }
        shape = dimensions
    }
}
