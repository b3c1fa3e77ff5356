import ResinTensor

/// What a safetensors file says about itself, checked against the specification and the file's size: after
/// `init` every tensor's bytes are there, and belong to no other tensor.
struct SafetensorsHeader {
    struct Tensor {
        var name: String
        var type: Safetensors.StoredType
        var shape: [Int]
        /// Place in the data that follow the header.
        var bytes: Range<Int>
    }

    /// In the order of their bytes.
    private(set) var tensors: [Tensor] = []
    private(set) var metadata: [String: String] = [:]
    /// Where the data begin in the file.
    let dataStart: Int

    /// The specification's limit.
    private static let byteLimit = 100_000_000

    init(of file: borrowing ReadableFile) throws {
        let path = file.path
        func fault(_ text: String) -> ResinError { ResinError(.badContent, "\(path) \(text)") }

        guard file.byteCount >= 8 else {
            throw fault("is torn: \(file.byteCount) bytes, where a safetensors file has 8 and a header")
        }
        let start = try file.elements(UInt8.self, count: min(9, file.byteCount), at: 0)
        if start.starts(with: Array("PK\u{3}\u{4}".utf8)) {
            throw fault(
                "is not a safetensors file but a zip, perhaps PyTorch's own format: in Python, "
                    + "safetensors.torch.save_file(torch.load(FILE), \"FILE.safetensors\") converts it")
        }
        let length = start[0..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= Self.byteLimit else {
            throw fault(
                "is not a safetensors file: it announces a header of \(length) bytes; at most "
                    + "\(Self.byteLimit) are allowed")
        }
        dataStart = 8 + Int(length)
        guard dataStart <= file.byteCount else {
            throw fault("is torn: its header takes \(dataStart) bytes and the file has \(file.byteCount)")
        }
        guard start.count == 9, length >= 2, start[8] == UInt8(ascii: "{") else {
            throw fault("is not a safetensors file: its header does not begin with {")
        }
        do {
            try parse(try file.elements(UInt8.self, count: Int(length), at: 8))
        } catch let flaw as HeaderFlaw {
            throw fault("has a damaged header: \(flaw.text)")
        }
        // An empty tensor shares its place with the next one and comes first.
        tensors.sort {
            ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound)
        }
        var end = 0
        for tensor in tensors {
            guard tensor.bytes.lowerBound == end else {
                let what = tensor.bytes.lowerBound < end ? "overlaps the tensor before it" : "leaves a hole"
                throw fault(
                    "has a damaged header: tensor \(tensor.name) \(what): expected it at byte \(end) of the "
                        + "data, found \(tensor.bytes.lowerBound)")
            }
            end = tensor.bytes.upperBound
        }
        // No overflow: every end is at most Int.max - dataStart, as `parse` checks.
        guard dataStart + end <= file.byteCount else {
            throw fault(
                "is torn: its tensors end at byte \(dataStart + end) and the file has \(file.byteCount); "
                    + "it was cut off while it was written or copied")
        }
        guard dataStart + end == file.byteCount else {
            throw fault("has \(file.byteCount - dataStart - end) bytes after its last tensor")
        }
    }

    private mutating func parse(_ text: [UInt8]) throws {
        var scanner = try HeaderScanner(text)
        var tensors: [Tensor] = []
        var metadata: [String: String] = [:]
        try scanner.object { scanner, name in
            if name == "__metadata__" {
                try scanner.object { scanner, key in metadata[key] = try scanner.string() }
            } else {
                tensors.append(try Self.tensor(name, &scanner, dataStart: dataStart))
            }
        }
        try scanner.end()
        self.tensors = tensors
        self.metadata = metadata
    }

    private static func tensor(
        _ name: String, _ scanner: inout HeaderScanner, dataStart: Int
    ) throws -> Tensor {
        func flaw(_ text: String) -> HeaderFlaw { HeaderFlaw("tensor \(name): \(text)") }

        var typeName: String?
        var shape: [Int]?
        var offsets: [Int]?
        try scanner.object { scanner, field in
            switch field {
            case "dtype": typeName = try scanner.string()
            case "shape": shape = try scanner.integers()
            case "data_offsets": offsets = try scanner.integers()
            // As the reference implementation: room for the format's future.
            default: try scanner.skipValue()
            }
        }
        guard let typeName, let shape, let offsets else {
            throw flaw("expected dtype, shape and data_offsets; one is missing")
        }
        guard let type = Safetensors.StoredType(rawValue: typeName) else {
            let known = Safetensors.StoredType.allCases.map(\.rawValue).joined(separator: ", ")
            throw flaw("its type \(typeName) is none that Resin reads (\(known)); convert it to F32")
        }
        guard offsets.count == 2, offsets[0] <= offsets[1], offsets[1] <= Int.max - dataStart else {
            throw flaw("data_offsets are not [begin, end] but \(offsets)")
        }
        var byteCount = type.byteCount
        for extent in shape {
            let (product, isOverflow) = byteCount.multipliedReportingOverflow(by: extent)
            guard !isOverflow else { throw flaw("shape \(shape) has more elements than can be counted") }
            byteCount = product
        }
        guard byteCount == offsets[1] - offsets[0] else {
            throw flaw(
                "expected \(byteCount) bytes for shape \(shape) of \(typeName), found "
                    + "\(offsets[1] - offsets[0])")
        }
        return Tensor(name: name, type: type, shape: shape, bytes: offsets[0]..<offsets[1])
    }
}
