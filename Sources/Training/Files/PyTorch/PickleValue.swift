/// What a pickle's operations make. Containers are places in the interpreter's lists: a value is small, one
/// that holds itself leaks nothing, and nothing recurses however deep they are nested.
enum PickleValue {
    case truth(Bool)
    case integer(Int)
    case text(String)
    case tuple(Int)
    case list(Int)
    case dictionary(Int)
    case name(PickleName)
    case storage(Int)
    case tensor(Int)
    /// What weights are not made of: None, fractions, bytes, sets, a trainer's options.
    case other

    /// For messages.
    var kind: String {
        switch self {
        case .truth, .integer, .other: "a single value"
        case .text: "a text"
        case .tuple: "a tuple"
        case .list: "a list"
        case .dictionary: "a dictionary"
        case .name: "a class"
        case .storage: "a storage"
        case .tensor: "a single tensor"
        }
    }
}

/// What Python would look up and call. These are all that are known, and none is called: what the call would
/// give is read off its arguments.
enum PickleName {
    case orderedDictionary
    case tensor
    case parameter
    case size
    case storage(Safetensors.StoredType)
    /// What it makes is passed over.
    case other

    /// - Parameter name: dotted, as Python 3 has it.
    init?(_ name: String) {
        guard let known = Self.known[name] else { return nil }
        self = known
    }

    private static let known: [String: PickleName] = {
        var names: [String: PickleName] = [
            "collections.OrderedDict": .orderedDictionary, "torch.Size": .size,
            "torch._utils._rebuild_tensor": .tensor, "torch._utils._rebuild_tensor_v2": .tensor,
            "torch._utils._rebuild_parameter": .parameter,
            "torch._utils._rebuild_parameter_with_state": .parameter,
            "torch.storage.UntypedStorage": .storage(.uint8),
        ]
        for (name, type) in storageTypes { names["torch.\(name)Storage"] = .storage(type) }
        for name in passedOver { names[name] = .other }
        return names
    }()

    private static let storageTypes: [(String, Safetensors.StoredType)] = [
        ("Float", .float32), ("Half", .float16), ("BFloat16", .bfloat16), ("Double", .float64),
        ("Long", .int64), ("Int", .int32), ("Short", .int16), ("Char", .int8), ("Byte", .uint8),
        ("Bool", .bool),
    ]

    /// What trainers keep beside the weights: options, schedules, best values, random states.
    private static let passedOver =
        [
            "argparse.Namespace", "collections.Counter", "collections.defaultdict", "_codecs.encode",
            "builtins.set", "builtins.frozenset", "builtins.bytearray", "builtins.complex", "builtins.dict",
            "builtins.list", "builtins.int", "builtins.float", "pathlib.PosixPath", "pathlib.WindowsPath",
            "numpy.dtype", "numpy.ndarray", "torch.device", "torch.serialization._get_layout",
        ]
        + ["core", "_core"].flatMap {
            ["numpy.\($0).multiarray.scalar", "numpy.\($0).multiarray._reconstruct"]
        }
        + [
            "float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool",
        ].map { "torch.\($0)" }
}

/// A storage that a pickle names; its bytes lie elsewhere in the file.
struct PickledStorage {
    var key: String
    var type: Safetensors.StoredType
    /// Elements of the whole.
    var count: Int
    /// Those of them that are meant: the files of the first PyTorch name parts of storages.
    var elements: Range<Int>
}

/// A tensor as a pickle has it. Shape and strides are places among the tuples: nothing of it is checked
/// before somebody wants the tensor.
struct PickledTensor {
    var storage: Int
    var offset: Int
    var shape: Int
    var strides: Int
}

/// What is wrong with a pickle; the reader adds the file's name.
enum PickleFault: Error {
    /// It goes on behind the bytes that there are.
    case cut
    case damaged(String)
    /// A name, or an operation, that weights do not need.
    case foreign(String)
}
