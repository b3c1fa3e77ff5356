import ResinTensor

extension Safetensors {
    /// Reads and checks a whole file. F16, BF16 and F64 become `float32`, I16 and I8 `int32`, BOOL `uint8`;
    /// I64, I32 and U8 stay.
    ///
    /// Throws `ResinError(.missingFile)` where it cannot be opened and `.badContent`, naming file and tensor,
    /// where it is not what the format's specification asks for. A file cut off is called torn.
    public init(contentsOf path: String) throws {
        try self.init(ReadableFile(path))
    }

    /// Reads weights from a safetensors file or one of PyTorch's (`.pth`, `.pt`), recognised by its first
    /// bytes.
    ///
    /// PyTorch's files are what `torch.save` writes of a `state_dict`, or of a training checkpoint that has
    /// one; nothing that they name is run. `notes` says what was taken and what was passed over. Tensors are
    /// as in `init(contentsOf:)`; metadata are empty.
    ///
    /// - Throws: `ResinError`: `.missingFile` where it cannot be opened; `.badContent` where it is damaged,
    ///   has no weights, or holds what is neither a tensor nor in a dictionary: the message has the line that
    ///   converts it.
    public init(weightsOf path: String) throws {
        let file = try ReadableFile(path)
        if let form = PyTorchFile.Form(try file.prefix(32)) {
            self = try PyTorchFile(file, form).weights(in: file)
        } else {
            try self.init(file)
        }
    }

    private init(_ file: borrowing ReadableFile) throws {
        let header = try SafetensorsHeader(of: file)
        self.init(metadata: header.metadata)
        for tensor in header.tensors {
            let contents = try Contents(
                tensor.type, count: tensor.bytes.count / tensor.type.byteCount, in: file,
                at: header.dataStart + tensor.bytes.lowerBound)
            entries.append(Entry(tensor.name, shape: tensor.shape, contents))
        }
    }

    /// The metadata alone. The file is checked as by reading it, all but the values, which are not loaded.
    public static func metadata(of path: String) throws -> [String: String] {
        try SafetensorsHeader(of: try ReadableFile(path)).metadata
    }
}

extension Safetensors.Contents {
    /// Elements of a file, from a byte of it on.
    init(
        _ type: Safetensors.StoredType, count: Int, in file: borrowing ReadableFile, at offset: Int
    ) throws {
        switch type {
        case .float32: self = .float32(try file.elements(Float.self, count: count, at: offset))
        case .int64: self = .int64(try file.elements(Int64.self, count: count, at: offset))
        case .int32: self = .int32(try file.elements(Int32.self, count: count, at: offset))
        case .uint8, .bool: self = .uint8(try file.elements(UInt8.self, count: count, at: offset))
        case .int16:
            self = .int32(try file.elements(Int16.self, count: count, at: offset).map { Int32($0) })
        case .int8: self = .int32(try file.elements(Int8.self, count: count, at: offset).map { Int32($0) })
        case .float64:
            self = .float32(try file.elements(Double.self, count: count, at: offset).map { Float($0) })
        case .float16:
            let words = try file.elements(UInt16.self, count: count, at: offset)
            self = .float32(words.map { Float(Float16(bitPattern: $0)) })
        case .bfloat16:
            let words = try file.elements(UInt16.self, count: count, at: offset)
            self = .float32(words.map { Float(bitPattern: UInt32($0) << 16) })
        }
    }
}
