import ResinTensor

extension Safetensors {
    /// Reads and checks a whole file. F16, BF16 and F64 become `float32`; I64, I32 and U8 stay.
    ///
    /// Throws `ResinError(.missingFile)` where it cannot be opened and `.badContent`, naming file and tensor,
    /// where it is not what the format's specification asks for. A file cut off is called torn.
    public init(contentsOf path: String) throws {
        let file = try ReadableFile(path)
        let header = try SafetensorsHeader(of: file)
        let entries = try header.tensors.map { tensor in
            Entry(tensor.name, shape: tensor.shape, try tensor.contents(in: file, from: header.dataStart))
        }
        self.init(entries, metadata: header.metadata)
    }

    /// The metadata alone. The file is checked as by reading it, all but the values, which are not loaded.
    public static func metadata(of path: String) throws -> [String: String] {
        try SafetensorsHeader(of: try ReadableFile(path)).metadata
    }
}

extension SafetensorsHeader.Tensor {
    fileprivate func contents(
        in file: borrowing ReadableFile, from dataStart: Int
    ) throws -> Safetensors.Contents {
        let count = bytes.count / type.byteCount
        let offset = dataStart + bytes.lowerBound
        switch type {
        case .float32: return .float32(try file.elements(Float.self, count: count, at: offset))
        case .int64: return .int64(try file.elements(Int64.self, count: count, at: offset))
        case .int32: return .int32(try file.elements(Int32.self, count: count, at: offset))
        case .uint8: return .uint8(try file.elements(UInt8.self, count: count, at: offset))
        case .float64:
            return .float32(try file.elements(Double.self, count: count, at: offset).map { Float($0) })
        case .float16:
            let words = try file.elements(UInt16.self, count: count, at: offset)
            return .float32(words.map { Float(Float16(bitPattern: $0)) })
        case .bfloat16:
            let words = try file.elements(UInt16.self, count: count, at: offset)
            return .float32(words.map { Float(bitPattern: UInt32($0) << 16) })
        }
    }
}
