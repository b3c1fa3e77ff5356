import ResinTensor

/// Images in folders: `train/CLASS/…` with `val`, `valid`, `validation` or `test` beside it, in any letter case, or
/// `CLASS/…` alone. Whatever lies below a class's folder belongs to it.
enum ImageFolder {
    /// The folders of parts, by their names.
    ///
    /// - Throws: `ResinError(.usage)` where two are of the same part.
    static func parts(in path: String) throws -> [ImageListing.Part: FolderEntries.Entry] {
        var parts: [ImageListing.Part: FolderEntries.Entry] = [:]
        for entry in try FolderEntries(path).folders {
            guard let part = ImageListing.Part(entry.text) else { continue }
            if let other = parts[part] {
                throw ResinError(
                    .usage,
                    "\(path): has the folders '\(other.text)' and '\(entry.text)', which mean the same; take one of "
                        + "them away.")
            }
            parts[part] = entry
        }
        return parts
    }

    static func divided(
        _ path: String, _ parts: [ImageListing.Part: FolderEntries.Entry]
    ) throws -> ImageListing.Found {
        var found = ImageListing.Found()
        let meter = LoadingMeter(.listing)
        for part in ImageListing.Part.allCases {
            guard let folder = parts[part] else { continue }
            found.partNames[part] = path + "/" + folder.text
            found.parts[part] = try classes(path, in: folder.name, meter, &found.leftOut)
        }
        found.settleParts(of: path)
        return found
    }

    /// Folders of classes alone.
    static func undivided(_ path: String) throws -> ImageListing.Found {
        var found = ImageListing.Found(splitsByItself: true)
        found.parts[.train] = try classes(path, in: [], LoadingMeter(.listing), &found.leftOut)
        return found
    }

    /// - Parameter part: relative to the root; empty for the root.
    private static func classes(
        _ root: String, in part: [UInt8], _ meter: LoadingMeter, _ leftOut: inout LeftOut
    ) throws -> [String: ImageNames] {
        let separator = UInt8(ascii: "/")
        let content = try FolderEntries(Array(root.utf8) + (part.isEmpty ? [] : [separator] + part))
        let prefix = part.isEmpty ? [] : part + [separator]
        for entry in content.entries {
            let path = String(decoding: prefix + entry.name, as: UTF8.self)
            if let kind = LeftOut.kind(ofName: entry.name[...]) {
                leftOut.add(kind, path)
            } else if !entry.isFolder {
                leftOut.add(
                    FolderWalk.isImage(entry.name[...])
                        ? "images of no class" : LeftOut.kind(ofFile: entry.name[...]), path)
            }
        }
        let folders = content.folders
        var walks = [FolderWalk?](repeating: nil, count: folders.count)
        try walks.withUnsafeMutableBufferPointer { walks in
            nonisolated(unsafe) let walks = walks
            try concurrently(folders.count) {
                let walk = try FolderWalk(root, prefix + folders[$0].name)
                walks[$0] = walk
                meter.add(walk.images.count)
            }
        }
        var classes: [String: ImageNames] = [:]
        for (folder, walk) in zip(folders, walks) {
            classes[folder.text] = walk!.images
            leftOut.add(walk!.leftOut)
        }
        return classes
    }

    /// Whether there are folders with images in them, at any depth.
    static func holdsClasses(_ path: String) throws -> Bool {
        try FolderEntries(path).folders.contains { try FolderWalk(path, $0.name).images.count > 0 }
    }
}
