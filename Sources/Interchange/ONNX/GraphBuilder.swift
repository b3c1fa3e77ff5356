import Foundation
import ResinProtobuf

/// A graph of ONNX that grows node by node, in the terms of one opset.
struct GraphBuilder {
    let opset: Int
    private(set) var graph = Onnx_GraphProto()
    private var names = Set<String>()

    init(opset: Int) { self.opset = opset }

    enum Attribute {
        case int(String, Int)
        case ints(String, [Int])
        case float(String, Float)
        case string(String, String)

        fileprivate var proto: Onnx_AttributeProto {
            var proto = Onnx_AttributeProto()
            switch self {
            case .int(let name, let value):
                (proto.name, proto.type, proto.i) = (name, .int, Int64(value))
            case .ints(let name, let values):
                (proto.name, proto.type, proto.ints) = (name, .ints, values.map(Int64.init))
            case .float(let name, let value):
                (proto.name, proto.type, proto.f) = (name, .float, value)
            case .string(let name, let value):
                (proto.name, proto.type, proto.s) = (name, .string, Data(value.utf8))
            }
            return proto
        }
    }

    /// Adds a node with one output.
    ///
    /// - Parameter name: of the node and its output, as far as no other has it already.
    /// - Returns: the output's name.
    mutating func add(
        _ type: String, _ inputs: [String], _ attributes: [Attribute] = [], name: String
    ) -> String {
        var node = Onnx_NodeProto()
        node.opType = type
        node.name = unused(name)
        node.input = inputs
        node.output = [node.name]
        node.attribute = attributes.map(\.proto)
        graph.node.append(node)
        return node.name
    }

    mutating func constant(_ values: [Float], shape: [Int], name: String) -> String {
        addInitializer(shape, .float, Self.littleEndian(values), name: name)
    }

    mutating func constant(_ values: [Int], name: String) -> String {
        addInitializer([values.count], .int64, Self.littleEndian(values.map(Int64.init)), name: name)
    }

    /// A number that stands beside tensors of every shape.
    mutating func constant(_ value: Float, name: String) -> String {
        constant([value], shape: [], name: name)
    }

    private mutating func addInitializer(
        _ shape: [Int], _ type: Onnx_TensorProto.DataType, _ data: Data, name: String
    ) -> String {
        var tensor = Onnx_TensorProto()
        tensor.name = unused(name)
        tensor.dims = shape.map(Int64.init)
        tensor.dataType = Int32(type.rawValue)
        tensor.rawData = data
        graph.initializer.append(tensor)
        return tensor.name
    }

    /// As ONNX has `raw_data`, whatever the processor's order.
    private static func littleEndian(_ values: [Float]) -> Data {
        littleEndian(values.map(\.bitPattern))
    }

    private static func littleEndian<Word: FixedWidthInteger>(_ values: [Word]) -> Data {
        values.map(\.littleEndian).withUnsafeBytes { Data($0) }
    }

    enum Dimension {
        case size(Int)
        /// Of any size.
        case named(String)
    }

    mutating func addInput(_ name: String, _ type: Onnx_TensorProto.DataType, _ shape: [Dimension]) {
        graph.input.append(Self.information(unused(name), type, shape))
    }

    mutating func addOutput(_ name: String, _ type: Onnx_TensorProto.DataType, _ shape: [Dimension]) {
        graph.output.append(Self.information(name, type, shape))
    }

    private static func information(
        _ name: String, _ type: Onnx_TensorProto.DataType, _ shape: [Dimension]
    ) -> Onnx_ValueInfoProto {
        var information = Onnx_ValueInfoProto()
        information.name = name
        information.type.tensorType.elemType = Int32(type.rawValue)
        information.type.tensorType.shape.dim = shape.map {
            var dimension = Onnx_TensorShapeProto.Dimension()
            switch $0 {
            case .size(let size): dimension.dimValue = Int64(size)
            case .named(let name): dimension.dimParam = name
            }
            return dimension
        }
        return information
    }

    /// The name itself, or with a number behind it.
    private mutating func unused(_ name: String) -> String {
        var candidate = name
        var number = 1
        while !names.insert(candidate).inserted {
            number += 1
            candidate = "\(name)_\(number)"
        }
        return candidate
    }
}
