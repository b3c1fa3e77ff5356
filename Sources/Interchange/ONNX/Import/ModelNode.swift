import Foundation
import ResinGraph
import ResinProtobuf

/// A node of an ONNX model, whose attributes have the types that are asked for.
struct ModelNode {
    let type: String
    let name: String
    let inputs: [String]
    let outputs: [String]
    private let attributes: [String: Onnx_AttributeProto]

    init(_ node: Onnx_NodeProto, index: Int) {
        type = node.domain.isEmpty || node.domain == "ai.onnx" ? node.opType : "\(node.domain).\(node.opType)"
        name = node.name.isEmpty ? "\(node.opType)_\(index)" : node.name
        inputs = node.input
        outputs = node.output
        attributes = Dictionary(node.attribute.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The name of an input that may be left out.
    func input(_ index: Int) -> String? {
        inputs.indices.contains(index) && !inputs[index].isEmpty ? inputs[index] : nil
    }

    private func attribute(_ name: String, _ type: Onnx_AttributeProto.AttributeType) throws
        -> Onnx_AttributeProto?
    {
        guard let attribute = attributes[name] else { return nil }
        // Files of the first versions do not say the type.
        guard attribute.type == type || attribute.type == .undefined else {
            throw ModelFlaw("its attribute '\(name)' is of type \(attribute.type), not \(type)")
        }
        return attribute
    }

    func has(_ name: String) -> Bool { attributes[name] != nil }

    func int(_ name: String) throws -> Int? { try attribute(name, .int).map { Int($0.i) } }
    func int(_ name: String, default value: Int) throws -> Int { try int(name) ?? value }
    func float(_ name: String) throws -> Float? { try attribute(name, .float)?.f }
    func float(_ name: String, default value: Float) throws -> Float { try float(name) ?? value }
    func ints(_ name: String) throws -> [Int]? { try attribute(name, .ints)?.ints.map { Int($0) } }
    func floats(_ name: String) throws -> [Float]? { try attribute(name, .floats)?.floats }
    func tensor(_ name: String) throws -> Onnx_TensorProto? { try attribute(name, .tensor)?.t }

    func string(_ name: String, default value: String) throws -> String {
        try attribute(name, .string).map { String(decoding: $0.s, as: UTF8.self) } ?? value
    }

    /// - Throws: `ModelFlaw` where an attribute has another value than the one that is known.
    func require(_ name: String, _ value: Int) throws {
        let found = try int(name, default: value)
        guard found == value else { throw ModelFlaw("its \(name) is \(found); known is \(value) alone") }
    }

    // MARK: Windows

    /// Largest kernel, stride, padding and dilation.
    private static let largest = 1 << 16

    /// The window of a convolution or a pooling over an image.
    ///
    /// - Parameters:
    ///   - kernel: where the node need not say it.
    ///   - image: height and width, for padding that follows from them.
    ///   - padding: zeros that stand around the image already.
    func window(kernel: [Int]? = nil, image: Extent, padding added: Padding = Padding()) throws -> Window {
        let kernel = try extent("kernel_shape", kernel)
        let stride = try extent("strides", [1, 1])
        let dilation = try extent("dilations", [1, 1])
        let pads = try ints("pads") ?? [0, 0, 0, 0]
        guard pads.count == 4, pads.allSatisfy({ (0...Self.largest).contains($0) }) else {
            throw ModelFlaw("its pads are \(pads); expected are 4 of 0 or more: this is for images alone")
        }
        var window = Window(kernel: kernel, stride: stride, dilation: dilation)
        window.padding = Padding(
            top: pads[0] + added.top, left: pads[1] + added.left, bottom: pads[2] + added.bottom,
            right: pads[3] + added.right)
        let mode = try string("auto_pad", default: "NOTSET")
        switch mode {
        case "NOTSET": break
        case "VALID": window.padding = added
        case "SAME_UPPER", "SAME_LOWER":
            guard added == Padding() else { throw ModelFlaw("it pads as \(mode) what is padded already") }
            func sides(_ axis: KeyPath<Extent, Int>) -> (before: Int, after: Int) {
                let (size, step) = (image[keyPath: axis], stride[keyPath: axis])
                let covered = ((size + step - 1) / step - 1) * step + window.extent[keyPath: axis]
                let total = max(covered - size, 0)
                let less = total / 2
                return mode == "SAME_UPPER" ? (less, total - less) : (total - less, less)
            }
            let (rows, columns) = (sides(\.height), sides(\.width))
            window.padding = Padding(
                top: rows.before, left: columns.before, bottom: rows.after, right: columns.after)
        default:
            throw ModelFlaw("its auto_pad is '\(mode)'; known are NOTSET, VALID, SAME_UPPER and SAME_LOWER")
        }
        return window
    }

    private func extent(_ name: String, _ usual: [Int]?) throws -> Extent {
        guard let values = try ints(name) ?? usual, values.count == 2,
            values.allSatisfy({ (1...Self.largest).contains($0) })
        else {
            throw ModelFlaw(
                "its \(name) is \((try ints(name)).map { "\($0)" } ?? "not there"); expected are 2 numbers above 0: this is "
                    + "for images alone")
        }
        return Extent(values[0], values[1])
    }
}
