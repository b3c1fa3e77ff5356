/// Files as `torch.save` writes them, and such as it never would.
public enum PyTorchBytes {
    /// A `state_dict` of float32 tensors.
    ///
    /// - Parameter key: under which it lies in a trainer's checkpoint; nil for none.
    public static func stateDictionary(
        _ tensors: [(name: String, shape: [Int], values: [Float])], under key: String? = nil
    ) -> [UInt8] {
        let weights = dictionary(
            tensors.enumerated().map { place, entry in
                let strides = entry.shape.indices.map { entry.shape[($0 + 1)...].reduce(1, *) }
                return (
                    entry.name,
                    tensor(
                        of: storage("\(place)", count: entry.values.count), shape: entry.shape,
                        strides: strides)
                )
            })
        return file(
            key.map { dictionary([("epoch", integer(3)), ($0, weights)]) } ?? weights,
            storages: tensors.map { $0.values.withUnsafeBytes { Array($0) } })
    }

    /// A zip with a pickle of this value.
    ///
    /// - Parameter isWide: whether sizes and places have 64 bits.
    public static func file(
        _ value: [UInt8], storages: [[UInt8]] = [], byteOrder: String = "little", isWide: Bool = false
    ) -> [UInt8] {
        zip(
            [("archive/data.pkl", pickle(value)), ("archive/byteorder", Array(byteOrder.utf8))]
                + storages.enumerated().map { ("archive/data/\($0)", $1) }, isWide: isWide)
    }

    /// The form before zips.
    public static func legacy(_ value: [UInt8], storages: [(key: String, bytes: [UInt8])] = []) -> [UInt8] {
        let mark: [UInt8] = [0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
        let parts = [
            mark, integer(1001), dictionary([("little_endian", [0x88])]), value,
            Array("](".utf8) + storages.flatMap { text($0.key) } + Array("e".utf8),
        ]
        return parts.flatMap(pickle) + storages.flatMap { bytes($0.bytes.count / 4, 8) + $0.bytes }
    }

    // MARK: Pickles

    public static func pickle(_ value: [UInt8]) -> [UInt8] { [0x80, 2] + value + Array(".".utf8) }

    public static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + bytes(value, 8) }

    public static func text(_ text: String) -> [UInt8] {
        Array("X".utf8) + bytes(text.utf8.count, 4) + Array(text.utf8)
    }

    public static func tuple(_ items: [UInt8]...) -> [UInt8] {
        Array("(".utf8) + items.flatMap { $0 } + Array("t".utf8)
    }

    public static func dictionary(_ items: [(String, [UInt8])]) -> [UInt8] {
        Array("}(".utf8) + items.flatMap { text($0) + $1 } + Array("u".utf8)
    }

    public static func name(_ module: String, _ name: String) -> [UInt8] {
        Array("c\(module)\n\(name)\n".utf8)
    }

    public static func storage(_ key: String, count: Int, type: String = "Float") -> [UInt8] {
        tuple(text("storage"), name("torch", type + "Storage"), text(key), text("cpu"), integer(count))
            + Array("Q".utf8)
    }

    public static func tensor(
        of storage: [UInt8], offset: Int = 0, shape: [Int], strides: [Int]
    ) -> [UInt8] {
        name("torch._utils", "_rebuild_tensor_v2")
            + tuple(
                storage, integer(offset), integers(shape), integers(strides), [0x89],
                name("collections", "OrderedDict") + Array(")R".utf8)) + Array("R".utf8)
    }

    private static func integers(_ values: [Int]) -> [UInt8] {
        Array("(".utf8) + values.flatMap(integer) + Array("t".utf8)
    }

    // MARK: Zips

    /// Records that are not compressed.
    public static func zip(_ records: [(name: String, bytes: [UInt8])], isWide: Bool = false) -> [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for (name, content) in records {
            let start = file.count
            // Version, flags, method, time, checksum.
            let fields = bytes(45, 2) + [UInt8](repeating: 0, count: 12)
            let size = bytes(isWide ? 0xFFFF_FFFF : content.count, 4)
            let extra =
                isWide
                ? bytes(1, 2) + bytes(24, 2) + bytes(content.count, 8) + bytes(content.count, 8)
                    + bytes(start, 8) : []
            let lengths = bytes(name.utf8.count, 2) + bytes(extra.count, 2)
            file += Array("PK\u{3}\u{4}".utf8) + fields + size + size + lengths
            file += Array(name.utf8) + extra + content
            directory += Array("PK\u{1}\u{2}".utf8) + bytes(45, 2) + fields + size + size + lengths
            directory += [UInt8](repeating: 0, count: 10) + bytes(isWide ? 0xFFFF_FFFF : start, 4)
            directory += Array(name.utf8) + extra
        }
        let start = file.count
        file += directory
        if isWide {
            let end = file.count
            file += Array("PK\u{6}\u{6}".utf8) + bytes(44, 8) + bytes(45, 2) + bytes(45, 2) + bytes(0, 8)
            file += bytes(records.count, 8) + bytes(records.count, 8)
            file += bytes(directory.count, 8) + bytes(start, 8)
            file += Array("PK\u{6}\u{7}".utf8) + bytes(0, 4) + bytes(end, 8) + bytes(1, 4)
        }
        file += Array("PK\u{5}\u{6}".utf8) + bytes(0, 4)
        file += bytes(isWide ? 0xFFFF : records.count, 2) + bytes(isWide ? 0xFFFF : records.count, 2)
        file += bytes(isWide ? 0xFFFF_FFFF : directory.count, 4) + bytes(isWide ? 0xFFFF_FFFF : start, 4)
        return file + bytes(0, 2)
    }

    /// Lowest first.
    private static func bytes(_ value: Int, _ width: Int) -> [UInt8] {
        (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
