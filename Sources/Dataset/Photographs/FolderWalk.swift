import Foundation
import ResinTensor

/// A folder's entries, as the file system has them.
struct FolderEntries {
    struct Entry {
        let name: [UInt8]
        let isFolder: Bool

        var text: String { String(decoding: name, as: UTF8.self) }
    }

    /// In the order of their names' bytes.
    private(set) var entries: [Entry] = []
    /// Device and number, which tell folders apart whatever their paths.
    let identity: Identity

    struct Identity: Hashable {
        let device, number: UInt64
    }

    /// - Throws: `ResinError(.missingFile)` where the folder cannot be read.
    init(_ path: [UInt8]) throws {
        let location = path.map { CChar(bitPattern: $0) } + [0]
        guard let folder = opendir(location) else {
            throw ResinError(
                .missingFile,
                "\(String(decoding: path, as: UTF8.self)): the folder cannot be read "
                    + "(\(String(cString: strerror(errno)))); check the permissions.")
        }
        defer { closedir(folder) }
        var status = stat()
        fstat(dirfd(folder), &status)
        identity = Identity(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in Array(bytes.prefix { $0 != 0 }) }
            if name == [UInt8(ascii: ".")] || name == Array("..".utf8) { continue }
            let isFolder: Bool
            switch Int32(entry.pointee.d_type) {
            case Int32(DT_DIR): isFolder = true
            case Int32(DT_LNK), Int32(DT_UNKNOWN): isFolder = Self.isFolder(path + [UInt8(ascii: "/")] + name)
            default: isFolder = false
            }
            entries.append(Entry(name: name, isFolder: isFolder))
        }
        entries.sort { $0.name.lexicographicallyPrecedes($1.name) }
    }

    init(_ path: String) throws { try self.init(Array(path.utf8)) }

    /// Of what a link leads to.
    private static func isFolder(_ path: [UInt8]) -> Bool {
        var status = stat()
        let location = path.map { CChar(bitPattern: $0) } + [0]
        return stat(location, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Folders that the user may mean.
    var folders: [Entry] { entries.filter { $0.isFolder && LeftOut.kind(ofName: $0.name[...]) == nil } }
}

/// All images in a folder and in those within it, by their names' endings. Links are followed; a folder that several ways
/// lead to is gone through once.
struct FolderWalk {
    private(set) var images = ImageNames()
    private(set) var leftOut = LeftOut()
    private let root: [UInt8]
    private var visited: Set<FolderEntries.Identity> = []

    /// - Parameters:
    ///   - root: what names are relative to.
    ///   - folder: relative to the root.
    init(_ root: String, _ folder: [UInt8]) throws {
        self.root = Array(root.utf8)
        try walk(folder)
        images = images.sorted()
    }

    private mutating func walk(_ folder: [UInt8]) throws {
        let separator = UInt8(ascii: "/")
        let content = try FolderEntries(root + [separator] + folder)
        guard visited.insert(content.identity).inserted else {
            leftOut.add("links to folders that are read already", String(decoding: folder, as: UTF8.self))
            return
        }
        for entry in content.entries {
            let path = folder + [separator] + entry.name
            if let kind = LeftOut.kind(ofName: entry.name[...]) {
                leftOut.add(kind, String(decoding: path, as: UTF8.self))
            } else if entry.isFolder {
                try walk(path)
            } else if Self.isImage(entry.name[...]) {
                images.names.append(path)
            } else {
                leftOut.add(LeftOut.kind(ofFile: entry.name[...]), String(decoding: path, as: UTF8.self))
            }
        }
    }

    static func isImage(_ name: ArraySlice<UInt8>) -> Bool {
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return false }
        let ending = name[(dot + 1)...]
        guard (3...4).contains(ending.count) else { return false }
        return ImageHeader.endings.contains(String(decoding: ending, as: UTF8.self).lowercased())
    }
}
