/// The content of a safetensors file: named tensors and text, as Hugging Face's format defines them
/// (https://github.com/huggingface/safetensors#format). Shapes and layouts are PyTorch's (OIHW); who keeps
/// weights otherwise converts before and after.
public struct Safetensors: Equatable, Sendable {
    public var entries: [Entry]
    /// `format` is `pt` in files that PyTorch's tools are to load.
    public var metadata: [String: String]
    /// What reading chose or passed over: sentences for the person who gave the file. They are not written.
    public internal(set) var notes: [String] = []

    public init(_ entries: [Entry] = [], metadata: [String: String] = [:]) {
        self.entries = entries
        self.metadata = metadata
    }

    /// The first tensor of that name.
    public subscript(name: String) -> Entry? { entries.first { $0.name == name } }

    /// One named tensor.
    public struct Entry: Equatable, Sendable {
        public let name: String
        /// Outermost extent first; empty for a scalar. Unlike a `Shape`'s, an extent may be 0.
        public let shape: [Int]
        public let contents: Contents

        /// `contents` holds as many elements as `shape` says.
        public init(_ name: String, shape: [Int], _ contents: Contents) {
            precondition(name != "__metadata__", "no tensor can have the metadata's name")
            precondition(
                shape.allSatisfy { $0 >= 0 } && shape.reduce(1, *) == contents.count,
                "\(name): \(contents.count) elements for shape \(shape)")
            self.name = name
            self.shape = shape
            self.contents = contents
        }

        public init(_ name: String, shape: [Int], values: [Float]) {
            self.init(name, shape: shape, .float32(values))
        }

        /// The elements as single precision, whatever the file's type; nothing is copied for `float32`.
        public var values: [Float] { contents.values }
    }

    /// Elements in the types that Resin keeps. Those that a file has besides become one of these
    /// when read.
    public enum Contents: Equatable, Sendable {
        case float32([Float])
        case int64([Int64])
        case int32([Int32])
        case uint8([UInt8])

        public var count: Int {
            switch self {
            case .float32(let elements): elements.count
            case .int64(let elements): elements.count
            case .int32(let elements): elements.count
            case .uint8(let elements): elements.count
            }
        }

        public var values: [Float] {
            switch self {
            case .float32(let elements): elements
            case .int64(let elements): elements.map { Float($0) }
            case .int32(let elements): elements.map { Float($0) }
            case .uint8(let elements): elements.map { Float($0) }
            }
        }

        var type: StoredType {
            switch self {
            case .float32: .float32
            case .int64: .int64
            case .int32: .int32
            case .uint8: .uint8
            }
        }

        /// The bytes as the file has them; every machine that Swift runs on is little-endian, as the format.
        func withUnsafeBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
            switch self {
            case .float32(let elements): try elements.withUnsafeBytes(body)
            case .int64(let elements): try elements.withUnsafeBytes(body)
            case .int32(let elements): try elements.withUnsafeBytes(body)
            case .uint8(let elements): try elements.withUnsafeBytes(body)
            }
        }
    }

    /// The element types that Resin reads, by the format's names and in the order in which the reference
    /// implementation stores them, which keeps every tensor aligned.
    enum StoredType: String, CaseIterable {
        case int64 = "I64"
        case float64 = "F64"
        case float32 = "F32"
        case int32 = "I32"
        case bfloat16 = "BF16"
        case float16 = "F16"
        case int16 = "I16"
        case int8 = "I8"
        case uint8 = "U8"
        case bool = "BOOL"

        var byteCount: Int {
            switch self {
            case .int64, .float64: 8
            case .float32, .int32: 4
            case .bfloat16, .float16, .int16: 2
            case .int8, .uint8, .bool: 1
            }
        }

        var rank: Int { Self.allCases.firstIndex(of: self)! }
    }
}
