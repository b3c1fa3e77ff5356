import Foundation
import ResinNetworks
import ResinProtobuf
import ResinTensor
import ResinTraining
import SwiftProtobuf

/// A file of ONNX, decoded, and the files beside it that it names.
struct ModelFile: Sendable {
    let path: String
    let model: Onnx_ModelProto
    private(set) var notes: [String] = []

    /// - Throws: `ResinError`: `.missingFile`, `.badContent` where it is no model.
    init(_ path: String) throws {
        self.path = path
        let bytes = try JSONText.bytes(of: path, limit: Int(Int32.max))
        do {
            model = try Onnx_ModelProto(serializedBytes: bytes)
        } catch {
            throw ResinError(
                .badContent,
                "\(path) is not an ONNX model, or is damaged: it does not decode; take another copy of it")
        }
        guard model.hasGraph, !model.graph.node.isEmpty else {
            throw fault(
                "is not an ONNX model, or is damaged: it has no graph with nodes; take another copy of it")
        }
        guard model.graph.sparseInitializer.isEmpty else {
            throw fault("has sparse tensors, which are not known; export it with dense ones")
        }
    }

    func fault(_ text: String) -> ResinError { ResinError(.badContent, "\(path): \(text)") }

    /// The version of ONNX's own operators.
    func opset() throws -> Int {
        let versions = model.opsetImport.filter { $0.domain.isEmpty || $0.domain == "ai.onnx" }.map(\.version)
        guard let version = versions.first else { throw fault("does not say of which opset it is") }
        guard let opset = Int(exactly: version), ONNXImport.opsets.contains(opset) else {
            throw fault(
                "is of opset \(version); known are \(ONNXImport.opsets.lowerBound) to \(ONNXImport.opsets.upperBound): export "
                    + "it with one of them, in PyTorch with opset_version=17, or convert it with onnx.version_converter"
            )
        }
        return opset
    }

    /// - Throws: `ResinError(.badContent)` with every operator that is not known.
    func checkOperators(opset: Int) throws {
        var unknown: [(type: String, node: String, count: Int)] = []
        for (index, proto) in model.graph.node.enumerated() {
            let node = ModelNode(proto, index: index)
            if ModelReader.operators.contains(node.type) { continue }
            if let place = unknown.firstIndex(where: { $0.type == node.type }) {
                unknown[place].count += 1
            } else {
                unknown.append((node.type, node.name, 1))
            }
        }
        if unknown.isEmpty { return }
        let list = unknown.map { type, node, count in
            let near =
                type.nearest(among: ModelReader.operators.sorted()).map { ", the nearest known is \($0)" }
                ?? ""
            return "\(type) (node '\(node)'\(count > 1 ? " and \(count - 1) more" : "")\(near))"
        }
        throw fault("operators of opset \(opset) that are not known: " + list.joined(separator: "; "))
    }

    /// The images that an input is, in either order, and how many where that is fixed.
    ///
    /// - Parameter wanted: replaces height and width, and says what the model leaves open.
    func images(
        _ input: Onnx_ValueInfoProto, _ wanted: ImageShape?
    ) throws -> (shape: ImageShape, activation: ModelReader.Activation, count: Int?) {
        let type = input.type.tensorType
        guard type.elemType == Int32(Onnx_TensorProto.DataType.float.rawValue) else {
            throw fault("its input '\(input.name)' is of type \(type.elemType); known is float32, type 1")
        }
        let sizes = type.shape.dim.map { $0.dimValue > 0 ? Int(clamping: $0.dimValue) : nil }
        guard sizes.count == 4 else {
            throw fault(
                "its input '\(input.name)' has \(sizes.count) dimensions; expected are images [N, C, H, W]")
        }
        func isFew(_ size: Int?) -> Bool { size.map { $0 <= 4 } ?? false }
        let isChannelsLast = !isFew(sizes[1]) && isFew(sizes[3])
        let own = isChannelsLast ? [sizes[3], sizes[1], sizes[2]] : [sizes[1], sizes[2], sizes[3]]
        if let channels = own[0], let wanted, wanted.channels != channels {
            throw ResinError(
                .usage, "\(path) takes images of \(channels) channels, not of \(wanted.channels); see --input"
            )
        }
        let known = zip(own, [wanted?.channels, wanted?.height, wanted?.width]).map { $1 ?? $0 }
        guard let channels = known[0], let height = known[1], let width = known[2] else {
            throw ResinError(
                .usage,
                "\(path) leaves the size of its images open; say it with --input, such as --input "
                    + "\(known[0] ?? 3)x\(known[1] ?? 224)x\(known[2] ?? 224)")
        }
        guard ImageShape.isWithinLimits([channels, height, width]) else {
            throw fault("its images are of \(channels)×\(height)×\(width); that is too much")
        }
        let shape = ModelReader.ValueShape.image(channels: channels, height: height, width: width)
        var activation = ModelReader.Activation(number: 0, shape: shape, arrangement: shape.arrangement)
        if isChannelsLast { activation.arrangement = try! shape.arrangement.transposed([0, 2, 3, 1]) }
        return (ImageShape(channels: channels, height: height, width: width), activation, sizes[0])
    }

    /// Bytes of a file beside the model's, and how many the whole file has.
    ///
    /// - Throws: `ModelFlaw` where the file would lie elsewhere, is not there, or is shorter.
    func external(_ location: String, _ offset: Int, _ length: Int?) throws -> (Data, size: Int) {
        let parts = location.split(separator: "/", omittingEmptySubsequences: false)
        guard !location.hasPrefix("/"), !parts.contains(".."), !parts.contains("") else {
            throw ModelFlaw(
                "its weights are said to lie in '\(location)'; only files in the model's own folder are read")
        }
        let folder = (path as NSString).deletingLastPathComponent
        let file = (folder as NSString).appendingPathComponent(location)
        // A link could lead out of the folder.
        let kind = try? FileManager.default.attributesOfItem(atPath: file)[.type] as? FileAttributeType
        guard kind == .typeRegular, let handle = FileHandle(forReadingAtPath: file) else {
            throw ModelFlaw(
                "its weights lie in \(file), which is not a file that can be read; put it beside the model")
        }
        defer { try? handle.close() }
        guard let size = try? Int(clamping: handle.seekToEnd()), offset <= size else {
            throw ModelFlaw("\(file) is too short for the weights that are said to lie there")
        }
        let count = length ?? size - offset
        guard count <= size - offset, (try? handle.seek(toOffset: UInt64(offset))) != nil,
            let data = try? handle.read(upToCount: count) ?? Data(), data.count == count
        else { throw ModelFlaw("\(file) is too short for the weights that are said to lie there") }
        return (data, size)
    }
}
