import Foundation
import ResinProtobuf

extension ModelReader {
    /// What a node gives that depends on no image; nil where it does depend.
    func constantResult() throws -> ConstantTensor? {
        let node = node!
        if node.type == "Constant" { return try constantAttribute(node) }
        if node.type == "Shape" { return try shape(node) }
        var inputs: [ConstantTensor] = []
        for name in node.inputs where !name.isEmpty {
            guard case .constant(let constant)? = values[name] else { return nil }
            inputs.append(constant)
        }
        guard let first = inputs.first else { return nil }
        switch node.type {
        case "Identity": return first
        case "Cast": return try cast(first, to: try node.int("to", default: 1))
        case "Reshape": return try first.reshaped(try second(inputs).ints())
        case "Flatten":
            let axis = try node.int("axis", default: 1)
            guard (0...first.shape.count).contains(axis) else { throw ModelFlaw("there is no axis \(axis)") }
            return try first.reshaped([
                first.shape[..<axis].reduce(1, *), first.shape[axis...].reduce(1, *),
            ])
        case "Transpose":
            return try first.transposed(try node.ints("perm") ?? first.shape.indices.reversed())
        case "Unsqueeze":
            let axes = try axes(node, inputs) ?? []
            let rank = first.shape.count + axes.count
            let places = Set(try axes.map { try index($0, rank) })
            var rest = first.shape.makeIterator()
            return try first.reshaped((0..<rank).map { places.contains($0) ? 1 : rest.next() ?? 1 })
        case "Squeeze":
            let rank = first.shape.count
            let places = try axes(node, inputs)?.map { try index($0, rank) }
            let dropped = Set(places ?? first.shape.indices.filter { first.shape[$0] == 1 })
            return try first.reshaped(
                first.shape.indices.filter { !dropped.contains($0) }.map { first.shape[$0] })
        case "Concat": return try concatenated(inputs, axis: try node.int("axis", default: 0))
        case "Gather": return try gathered(first, try second(inputs), axis: try node.int("axis", default: 0))
        case "Slice": return try sliced(first, inputs, node)
        case "ConstantOfShape": return try filled(try first.ints(), node)
        case "Add": return try elementwise(inputs, +, &+)
        case "Sub": return try elementwise(inputs, -, &-)
        case "Mul": return try elementwise(inputs, *, &*)
        case "Div": return try elementwise(inputs, /) { $1 == 0 || $0 == .min ? 0 : $0 / $1 }
        case "Floor":
            return ConstantTensor(.floats(try first.floats().map { $0.rounded(.down) }), shape: first.shape)
        case "Ceil":
            return ConstantTensor(.floats(try first.floats().map { $0.rounded(.up) }), shape: first.shape)
        case "Sqrt":
            return ConstantTensor(.floats(try first.floats().map { $0.squareRoot() }), shape: first.shape)
        case "Neg": return ConstantTensor(.floats(try first.floats().map { -$0 }), shape: first.shape)
        default: throw ModelFlaw("of constants alone \(node.type) is not known")
        }
    }

    private func constantAttribute(_ node: ModelNode) throws -> ConstantTensor {
        if let tensor = try node.tensor("value") {
            return try ConstantTensor(tensor) { _, _, _ in
                throw ModelFlaw("a constant of a node cannot lie in another file")
            }
        }
        if let value = try node.float("value_float") { return ConstantTensor(value) }
        if let value = try node.int("value_int") { return ConstantTensor(.ints([value]), shape: []) }
        if let values = try node.floats("value_floats") {
            return ConstantTensor(.floats(values), shape: [values.count])
        }
        if let values = try node.ints("value_ints") { return ConstantTensor(values) }
        throw ModelFlaw(
            "it holds no number; known are value, value_float, value_int, value_floats and value_ints")
    }

    /// Of a value that depends on the images, with `ConstantTensor.batch` for their number.
    private func shape(_ node: ModelNode) throws -> ConstantTensor {
        let sizes: [Int] =
            switch try value(0) {
            case .constant(let constant): constant.shape
            case .activation(let activation): try unpadded(activation).arrangement.sizes
            case .erf, .normal: throw ModelFlaw("Erf is known as a part of GELU alone")
            }
        let first = try clamped(try node.int("start", default: 0), sizes.count)
        let end = try clamped(try node.int("end", default: sizes.count), sizes.count)
        return ConstantTensor(Array(sizes[first..<max(first, end)]))
    }

    private func clamped(_ place: Int, _ count: Int) throws -> Int {
        min(max(place < 0 ? place &+ count : place, 0), count)
    }

    private func second(_ inputs: [ConstantTensor]) throws -> ConstantTensor {
        guard inputs.count > 1 else { throw ModelFlaw("its second input is not there") }
        return inputs[1]
    }

    /// They became an input with opset 13.
    private func axes(_ node: ModelNode, _ inputs: [ConstantTensor]) throws -> [Int]? {
        try node.ints("axes") ?? (inputs.count > 1 ? inputs[1].ints() : nil)
    }

    private func index(_ axis: Int, _ rank: Int) throws -> Int {
        guard (-rank..<rank).contains(axis) else { throw ModelFlaw("there is no axis \(axis) among \(rank)") }
        return axis < 0 ? axis + rank : axis
    }

    /// To a floating-point type, a whole one, or truth values: how wide it is counts for nothing here.
    private func cast(_ tensor: ConstantTensor, to type: Int) throws -> ConstantTensor {
        switch Onnx_TensorProto.DataType(rawValue: type) {
        case .float, .double, .float16, .bfloat16:
            ConstantTensor(.floats(try tensor.floats()), shape: tensor.shape)
        case .int64, .int32, .int16, .int8, .uint64, .uint32, .uint16, .uint8:
            ConstantTensor(.ints(try tensor.ints()), shape: tensor.shape)
        case .bool: ConstantTensor(.ints(try tensor.floats().map { $0 == 0 ? 0 : 1 }), shape: tensor.shape)
        default: throw ModelFlaw("its type \(type) is not known")
        }
    }

    private func check(_ shape: [Int]) throws {
        let (count, isTooMuch) = ConstantTensor.product(shape)
        guard !isTooMuch, count <= ConstantTensor.largestComputed else {
            throw ModelFlaw(
                "it computes a constant of shape \(shape); at most \(ConstantTensor.largestComputed) elements are known"
            )
        }
    }

    private func concatenated(_ tensors: [ConstantTensor], axis: Int) throws -> ConstantTensor {
        let shape = tensors[0].shape
        let axis = try index(axis, shape.count)
        var result = shape
        result[axis] = 0
        for tensor in tensors {
            guard tensor.shape.count == shape.count,
                shape.indices.allSatisfy({ $0 == axis || tensor.shape[$0] == shape[$0] })
            else { throw ModelFlaw("its inputs of shapes \(tensors.map(\.shape)) do not fit each other") }
            result[axis] += tensor.shape[axis]
        }
        try check(result)
        let outer = shape[..<axis].reduce(1, *)
        let rows = tensors.map { $0.count / max(outer, 1) }
        if tensors.allSatisfy({ if case .ints = $0.elements { true } else { false } }) {
            let all = try tensors.map { try $0.ints() }
            return ConstantTensor(.ints(Self.interleaved(all, rows, outer)), shape: result)
        }
        let all = try tensors.map { try $0.floats() }
        return ConstantTensor(.floats(Self.interleaved(all, rows, outer)), shape: result)
    }

    private static func interleaved<Element>(_ all: [[Element]], _ rows: [Int], _ outer: Int) -> [Element] {
        (0..<outer).flatMap { row in
            zip(all, rows).flatMap { values, length in values[row * length..<(row + 1) * length] }
        }
    }

    private func gathered(_ tensor: ConstantTensor, _ indices: ConstantTensor, axis: Int) throws
        -> ConstantTensor
    {
        let axis = try index(axis, tensor.shape.count)
        let size = tensor.shape[axis]
        let places = try indices.ints().map { place in
            guard place != ConstantTensor.batch, (-size..<size).contains(place) else {
                throw ModelFlaw("there is no element \(place) among \(size)")
            }
            return place < 0 ? place + size : place
        }
        let shape = Array(tensor.shape[..<axis]) + indices.shape + Array(tensor.shape[(axis + 1)...])
        try check(shape)
        let inner = tensor.shape[(axis + 1)...].reduce(1, *)
        return tensor.gathered(shape: shape) { element in
            let (row, rest) = (element / inner / places.count, element / inner % places.count)
            return (row * size + places[rest]) * inner + element % inner
        }
    }

    /// Along one axis or several; its settings became inputs with opset 10.
    private func sliced(_ tensor: ConstantTensor, _ inputs: [ConstantTensor], _ node: ModelNode) throws
        -> ConstantTensor
    {
        func setting(_ name: String, _ index: Int) throws -> [Int]? {
            try node.ints(name) ?? (inputs.indices.contains(index) ? inputs[index].ints() : nil)
        }
        guard let starts = try setting("starts", 1), let ends = try setting("ends", 2),
            starts.count == ends.count
        else {
            throw ModelFlaw("its starts and ends do not fit each other")
        }
        let axes = try setting("axes", 3) ?? Array(starts.indices)
        let steps = try setting("steps", 4) ?? starts.map { _ in 1 }
        guard axes.count == starts.count, steps.count == starts.count, steps.allSatisfy({ $0 > 0 }) else {
            throw ModelFlaw("its axes and steps do not fit its starts, or a step is below 1")
        }
        var result = tensor
        for (place, axis) in axes.enumerated() {
            let axis = try index(axis, result.shape.count)
            let size = result.shape[axis]
            let first = try clamped(starts[place], size)
            let end = max(first, try clamped(ends[place], size))
            var shape = result.shape
            shape[axis] = first == end ? 0 : (end - first - 1) / steps[place] + 1
            let inner = shape[(axis + 1)...].reduce(1, *)
            let count = shape[axis]
            result = result.gathered(shape: shape) { element in
                let (row, column) = (element / inner / count, element / inner % count)
                return (row * size + first + column * steps[place]) * inner + element % inner
            }
        }
        return result
    }

    private func filled(_ shape: [Int], _ node: ModelNode) throws -> ConstantTensor {
        try check(shape)
        let count = shape.reduce(1, *)
        guard let tensor = try node.tensor("value") else {
            return ConstantTensor(.floats([Float](repeating: 0, count: count)), shape: shape)
        }
        let value = try ConstantTensor(tensor) { _, _, _ in throw ModelFlaw("its value lies in another file")
        }
        guard value.count == 1 else { throw ModelFlaw("its value has \(value.count) elements, not one") }
        return value.gathered(shape: shape) { _ in 0 }
    }

    /// With NumPy's broadcasting.
    private func elementwise(
        _ inputs: [ConstantTensor], _ float: (Float, Float) -> Float, _ int: (Int, Int) -> Int
    ) throws -> ConstantTensor {
        let (one, other) = (inputs[0], try second(inputs))
        let rank = max(one.shape.count, other.shape.count)
        func padded(_ shape: [Int]) -> [Int] { [Int](repeating: 1, count: rank - shape.count) + shape }
        let (left, right) = (padded(one.shape), padded(other.shape))
        let shape = try zip(left, right).map { a, b in
            guard a == b || a == 1 || b == 1 else {
                throw ModelFlaw("its inputs of shapes \(one.shape) and \(other.shape) do not fit each other")
            }
            return a == 1 ? b : a
        }
        try check(shape)
        let strides = ConstantTensor.strides(shape)
        func place(_ element: Int, _ own: [Int], _ ownStrides: [Int]) -> Int {
            var place = 0
            for axis in 0..<rank where own[axis] > 1 {
                place += element / strides[axis] % shape[axis] * ownStrides[axis]
            }
            return place
        }
        let (leftStrides, rightStrides) = (ConstantTensor.strides(left), ConstantTensor.strides(right))
        let elements = 0..<shape.reduce(1, *)
        if case .ints(let a) = one.elements, case .ints(let b) = other.elements {
            return ConstantTensor(
                .ints(
                    try elements.map {
                        let (x, y) = (a[place($0, left, leftStrides)], b[place($0, right, rightStrides)])
                        guard x != ConstantTensor.batch, y != ConstantTensor.batch else {
                            throw ModelFlaw("it computes with the number of images, which is open")
                        }
                        return int(x, y)
                    }), shape: shape)
        }
        let (a, b) = (try one.floats(), try other.floats())
        return ConstantTensor(
            .floats(
                elements.map { float(a[place($0, left, leftStrides)], b[place($0, right, rightStrides)]) }),
            shape: shape)
    }
}
