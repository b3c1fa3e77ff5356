import Foundation
import ResinTensor

/// A table of images, `path,label[,label…]` a line (RFC 4180): with or without a header, quotes, a byte order mark, and either
/// end of a line. Paths are relative to the table's folder, and lead to nothing outside it. A header names the columns that are
/// labels: `label`, or several such as `label1` and `label2`; without one, all columns behind the path are. Where a line has
/// several labels, others may have fewer, or none.
enum ImageTable {
    static func read(_ path: String) throws -> (root: String, found: ImageListing.Found) {
        let folder = URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent().path
        let file = try ReadableFile(path)
        var bytes = try file.elements(UInt8.self, count: file.byteCount, at: 0)[...]
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
        var images: [[String]: ImageNames] = [:]
        var columns: Columns?
        var firstWithout: Int?
        var records = TableRecords(bytes, path: path)
        while let (line, fields) = try records.next() {
            if columns == nil {
                let isHeader = Columns.isHeader(fields, folder)
                columns = isHeader ? try Columns(header: fields, path) : Columns()
                if isHeader { continue }
            }
            let columns = columns!
            guard fields.count > max(columns.path, columns.labels?.min() ?? 1) else {
                throw ResinError(
                    .badContent,
                    "\(path): line \(line): a path and a label are expected, separated by a comma; found "
                        + "'\(String(decoding: Array(fields.joined(separator: [0x2C])), as: UTF8.self))'.")
            }
            let labels = fields.indices.filter { columns.isLabel($0) }
                .map { String(decoding: fields[$0], as: UTF8.self).trimmingCharacters(in: .whitespaces) }
                .filter { !$0.isEmpty }
            if labels.isEmpty { firstWithout = firstWithout ?? line }
            guard let name = relative(fields[columns.path], to: folder) else {
                throw ResinError(
                    .badContent,
                    "\(path): line \(line): '\(String(decoding: fields[columns.path], as: UTF8.self))' is no path in "
                        + "the table's folder, \(folder); paths are relative to it.")
            }
            images[Set(labels).sorted(), default: ImageNames()].names.append(name)
        }
        let haveSeveral = images.keys.contains { $0.count > 1 }
        if let firstWithout, !haveSeveral {
            throw ResinError(
                .badContent, "\(path): line \(firstWithout): has no label; give one, or take it away.")
        }
        guard !images.isEmpty else {
            throw ResinError(
                .badContent, "\(path): lists no images; a line for each is expected, its path and its label.")
        }
        var found = ImageListing.Found(splitsByItself: true, ordersNumbers: true)
        let named = images.map { labels, images in
            // With their lengths, two lists of labels never have the same name.
            let name = haveSeveral ? labels.map { "\($0.utf8.count) \($0)" }.joined() : labels[0]
            return (name: name, labels: labels, images: images.sorted())
        }
        found.parts[.train] = Dictionary(uniqueKeysWithValues: named.map { ($0.name, $0.images) })
        if haveSeveral {
            found.sets = Dictionary(uniqueKeysWithValues: named.map { ($0.name, $0.labels) })
        }
        found.partNames[.train] = path
        if let unread = columns?.unread, !unread.isEmpty {
            found.notes.append("\(path): columns that are not read: \(unread.joined(separator: ", "))")
        }
        return (folder, found)
    }

    private struct Columns {
        var path = 0
        /// Those that a header names, or from the second on.
        var labels: Set<Int>?
        /// Names of the others.
        var unread: [String] = []

        private static let pathNames: Set = [
            "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img",
            "name",
        ]
        private static let labelNames: Set = [
            "label", "class", "category", "target", "class_name", "label_name",
        ]

        /// Whether the first line begins with neither an image's name nor a file's.
        static func isHeader(_ fields: [[UInt8]], _ folder: String) -> Bool {
            if FolderWalk.isImage(fields[0][...]) { return false }
            guard let name = relative(fields[0], to: folder) else { return false }
            return !FileManager.default.fileExists(
                atPath: folder + "/" + String(decoding: name, as: UTF8.self))
        }

        init() {}

        func isLabel(_ column: Int) -> Bool { labels?.contains(column) ?? (column > 0) }

        /// "label" of "label2" and "label_2".
        private static func stem(_ word: String) -> Substring {
            var stem = word[...]
            while stem.last?.isNumber == true { stem.removeLast() }
            return stem.last == "_" ? stem.dropLast() : stem
        }

        init(header fields: [[UInt8]], _ path: String) throws {
            let names = fields.map {
                String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespaces)
            }
            let words = names.map { $0.lowercased() }
            var labels: Set = [1]
            if let path = words.firstIndex(where: Self.pathNames.contains),
                let label = words.firstIndex(where: { Self.labelNames.contains(String(Self.stem($0))) })
            {
                self.path = path
                labels = Set(words.indices.filter { Self.stem(words[$0]) == Self.stem(words[label]) })
            } else if names.count != 2 {
                throw ResinError(
                    .badContent,
                    "\(path): line 1: has the columns \(names.joined(separator: ", ")); one called 'path' and one "
                        + "called 'label' are expected.")
            }
            unread = names.indices.filter { $0 != self.path && !labels.contains($0) }.map { names[$0] }
            self.labels = labels
        }
    }

    /// A path without its detours.
    ///
    /// - Returns: nil where it leads out of the folder, or nowhere.
    static func relative(_ path: [UInt8], to folder: String) -> [UInt8]? {
        var path = path[...]
        let prefix = Array((folder + "/").utf8)
        if path.starts(with: prefix) { path = path.dropFirst(prefix.count) }
        let separator = UInt8(ascii: "/")
        guard path.first != separator, !path.contains(0) else { return nil }
        var parts: [ArraySlice<UInt8>] = []
        for part in path.split(separator: separator) where part != [UInt8(ascii: ".")] {
            if part.elementsEqual("..".utf8) {
                guard parts.popLast() != nil else { return nil }
            } else {
                parts.append(part)
            }
        }
        return parts.isEmpty ? nil : Array(parts.joined(separator: [separator]))
    }
}

/// A table's lines that are not empty, each as its fields.
struct TableRecords {
    private let bytes: ArraySlice<UInt8>
    private let path: String
    private var place: Int
    private var line = 1

    init(_ bytes: ArraySlice<UInt8>, path: String) {
        self.bytes = bytes
        self.path = path
        place = bytes.startIndex
    }

    /// - Throws: `ResinError(.badContent)` where a quote is not closed.
    mutating func next() throws -> (line: Int, fields: [[UInt8]])? {
        while place < bytes.endIndex {
            let start = line
            let fields = try record()
            if fields.contains(where: { !$0.isEmpty }) { return (start, fields) }
        }
        return nil
    }

    private mutating func record() throws -> [[UInt8]] {
        let (quote, comma) = (UInt8(ascii: "\""), UInt8(ascii: ","))
        let (carriageReturn, lineFeed) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
        var fields: [[UInt8]] = [[]]
        var isQuoted = false
        let start = line
        while place < bytes.endIndex {
            let byte = bytes[place]
            place += 1
            if byte == lineFeed { line += 1 }
            if isQuoted {
                guard byte == quote else {
                    fields[fields.count - 1].append(byte)
                    continue
                }
                if place < bytes.endIndex, bytes[place] == quote {
                    fields[fields.count - 1].append(quote)
                    place += 1
                } else {
                    isQuoted = false
                }
            } else if byte == quote, fields[fields.count - 1].isEmpty {
                isQuoted = true
            } else if byte == comma {
                fields.append([])
            } else if byte == lineFeed {
                return fields
            } else if byte == carriageReturn {
                // Alone it ends a line, too.
                if place < bytes.endIndex, bytes[place] == lineFeed { continue }
                line += 1
                return fields
            } else {
                fields[fields.count - 1].append(byte)
            }
        }
        guard !isQuoted else {
            throw ResinError(.badContent, "\(path): line \(start): a quote is not closed before the end.")
        }
        return fields
    }
}
