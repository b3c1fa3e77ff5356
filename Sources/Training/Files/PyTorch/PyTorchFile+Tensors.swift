import ResinTensor

extension PyTorchFile {
    /// Most dimensions of a tensor; those of networks have four.
    private static let mostDimensions = 8

    /// Reads a tensor as its shape says, however it lies in its storage.
    ///
    /// - Parameter bytesLeft: what may be read yet: tensors share storages, and a small file could name one
    ///   often.
    /// - Throws: `ResinError(.badContent)` that names file and tensor.
    func entry(
        _ name: String, _ tensor: PickledTensor, in file: borrowing ReadableFile, bytesLeft: inout Int
    ) throws -> Safetensors.Entry {
        func flaw(_ text: String) -> ResinError {
            ResinError(.badContent, "\(path): tensor '\(name)' \(text)")
        }

        let storage = objects.storages[tensor.storage]
        guard let bytes = places[storage.key] else {
            throw flaw("is of storage \(storage.key), which is not in the file; it is incomplete")
        }
        guard storage.type.byteCount(of: storage.count) == bytes.count else {
            throw flaw(
                "is of a storage of \(storage.count) elements of \(storage.type.rawValue), but "
                    + "\(bytes.count) bytes are there; the file is damaged")
        }
        guard name != "__metadata__" else { throw flaw("has a name that safetensors keeps for itself") }
        guard let shape = integers(tensor.shape), let strides = integers(tensor.strides),
            shape.count == strides.count, shape.count <= Self.mostDimensions,
            shape.allSatisfy({ $0 >= 0 }), let count = shape.checkedProduct
        else {
            throw flaw("has no shape and strides of as many integers from 0 on; the file is damaged")
        }
        if count == 0 {
            return Safetensors.Entry(name, shape: shape, try .init(storage.type, count: 0, in: file, at: 0))
        }
        // An axis of one element may have any stride.
        let axes = zip(shape, strides).filter { $0.0 > 1 }.map { (extent: $0.0, stride: $0.1) }
        guard let span = axes.checkedSpan, tensor.offset >= 0, tensor.offset <= storage.elements.count,
            span <= storage.elements.count - tensor.offset
        else {
            throw flaw(
                "of shape \(shape) and strides \(strides) begins or ends outside of its storage's "
                    + "\(storage.elements.count) elements; the file is damaged")
        }
        guard count <= span else {
            throw Self.refusal(
                of: path,
                "has a tensor '\(name)' of shape \(shape) that repeats \(span) elements, expected all of its "
                    + "own")
        }
        // No overflow: the storage's bytes are there.
        bytesLeft -= span * storage.type.byteCount
        guard bytesLeft >= 0 else {
            throw Self.refusal(
                of: path, "has tensors that share their bytes so often that they are many times the file")
        }
        let first = storage.elements.lowerBound + tensor.offset
        let contents = try Safetensors.Contents(
            storage.type, count: span, in: file, at: bytes.lowerBound + first * storage.type.byteCount)
        return Safetensors.Entry(
            name, shape: shape, count == span && axes.isRowMajor ? contents : contents.gathered(axes, count))
    }

    private func integers(_ tuple: Int) -> [Int]? {
        guard objects.tuples[tuple].count <= Self.mostDimensions else { return nil }
        var integers: [Int] = []
        for value in objects.tuples[tuple] {
            guard case .integer(let integer) = value else { return nil }
            integers.append(integer)
        }
        return integers
    }
}

/// How many elements, each so many elements of the storage behind the one before.
private typealias Axis = (extent: Int, stride: Int)

extension [Int] {
    /// Nil where it cannot be counted.
    fileprivate var checkedProduct: Int? {
        var product = 1
        for factor in self {
            let (longer, isOverflow) = product.multipliedReportingOverflow(by: factor)
            if isOverflow { return nil }
            product = longer
        }
        return product
    }
}

extension [Axis] {
    /// Elements of the storage from a tensor's first to its last; nil where they cannot be counted, or a
    /// stride is negative, which PyTorch has none of.
    fileprivate var checkedSpan: Int? {
        var span = 1
        for axis in self {
            let (way, isOverflow) = axis.stride.multipliedReportingOverflow(by: axis.extent - 1)
            let (longer, isTooLong) = span.addingReportingOverflow(way)
            guard axis.stride >= 0, !isOverflow, !isTooLong else { return nil }
            span = longer
        }
        return span
    }

    fileprivate var isRowMajor: Bool {
        var expected = 1
        for axis in reversed() {
            guard axis.stride == expected else { return false }
            expected *= axis.extent
        }
        return true
    }
}

extension Safetensors.Contents {
    fileprivate func gathered(_ axes: [Axis], _ count: Int) -> Self {
        switch self {
        case .float32(let elements): .float32(elements.gathered(axes, count))
        case .int64(let elements): .int64(elements.gathered(axes, count))
        case .int32(let elements): .int32(elements.gathered(axes, count))
        case .uint8(let elements): .uint8(elements.gathered(axes, count))
        }
    }
}

extension Array {
    /// In the axes' order, the last one's elements beside each other.
    fileprivate func gathered(_ axes: [Axis], _ count: Int) -> [Element] {
        var result: [Element] = []
        result.reserveCapacity(count)
        let (rows, row) = (axes.dropLast(), axes.last!)
        var indices = [Int](repeating: 0, count: rows.count)
        var start = 0
        while result.count < count {
            for index in 0..<row.extent { result.append(self[start + index * row.stride]) }
            for (axis, place) in zip(rows, rows.indices).reversed() {
                indices[place] += 1
                start += axis.stride
                if indices[place] < axis.extent { break }
                start -= axis.extent * axis.stride
                indices[place] = 0
            }
        }
        return result
    }
}
