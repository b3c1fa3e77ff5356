import ResinTensor

/// An image's bytes: those of a file, of a member of an archive, or in memory.
struct ImageBytes: ~Copyable {
    /// For messages.
    let name: String
    let byteCount: Int
    private let start: Int
    private let storage: Storage

    private enum Storage: ~Copyable {
        case file(ReadableFile)
        case memory([UInt8])
    }

    init(_ path: String) throws { self.init(try ReadableFile(path)) }

    init(_ file: consuming ReadableFile) {
        (name, start, byteCount) = (file.path, 0, file.byteCount)
        storage = .file(file)
    }

    init(_ file: consuming ReadableFile, name: String, at start: Int, byteCount: Int) {
        (self.name, self.start, self.byteCount) = (name, start, byteCount)
        storage = .file(file)
    }

    init(_ bytes: [UInt8], name: String) {
        (self.name, start, byteCount) = (name, 0, bytes.count)
        storage = .memory(bytes)
    }

    /// Fills `buffer`, which must lie within the image.
    borrowing func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        switch storage {
        case .file(let file): try file.read(into: buffer, at: start + offset)
        case .memory(let bytes):
            bytes[offset..<offset + buffer.count].withUnsafeBytes { buffer.copyMemory(from: $0) }
        }
    }
}

/// A few of an image's bytes at a time, for those who read its header.
struct ImageWindow: ~Copyable {
    let image: ImageBytes
    private var bytes: [UInt8] = []
    private var start = 0

    private static let length = 4096

    var byteCount: Int { image.byteCount }

    init(_ image: consuming ImageBytes) { self.image = image }

    /// Makes so many bytes from `place` on available.
    ///
    /// - Returns: false where the image ends before.
    mutating func holds(_ place: Int, _ count: Int) throws -> Bool {
        if place >= start, place + count <= start + bytes.count { return true }
        guard place >= 0, place + count <= byteCount else { return false }
        let length = min(max(count, Self.length), byteCount - place)
        bytes = try [UInt8](unsafeUninitializedCapacity: length) { buffer, filled in
            try image.read(into: UnsafeMutableRawBufferPointer(buffer), at: place)
            filled = length
        }
        start = place
        return true
    }

    /// A byte that is available.
    subscript(place: Int) -> UInt8 { bytes[place - start] }

    func bigEndian(_ place: Int, _ count: Int) -> Int {
        (place..<place + count).reduce(0) { $0 << 8 | Int(self[$1]) }
    }

    func littleEndian(_ place: Int, _ count: Int) -> Int {
        (place..<place + count).reversed().reduce(0) { $0 << 8 | Int(self[$1]) }
    }

    /// Whether these characters are there.
    mutating func holds(_ text: StaticString, at place: Int) throws -> Bool {
        guard try holds(place, text.utf8CodeUnitCount) else { return false }
        for index in 0..<text.utf8CodeUnitCount where self[place + index] != text.utf8Start[index] {
            return false
        }
        return true
    }
}
