/// What was found beside images and is not read: how much of every kind, with an example.
struct LeftOut: Sendable {
    private var kinds: [String: (count: Int, example: String)] = [:]

    /// What other programs leave in folders, in lower case; hidden files are left out anyhow.
    private static let droppings: Set = [
        "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle", "@tmp", "$recycle.bin",
        "system volume information", "lost+found", "picasa.ini", "icon\r",
    ]

    /// Whether a name alone says that what has it is not the user's data.
    ///
    /// - Returns: the kind.
    static func kind(ofName name: ArraySlice<UInt8>) -> String? {
        // Most names are of images, and no text has to be made of them.
        if name.first == UInt8(ascii: ".") { return "hidden" }
        guard name.count <= 25 else { return nil }
        let text = String(decoding: name, as: UTF8.self)
        return droppings.contains(text.lowercased()) ? text : nil
    }

    /// By the ending of a file's name.
    static func kind(ofFile name: ArraySlice<UInt8>) -> String {
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return "without an ending" }
        return String(decoding: name[dot...], as: UTF8.self).lowercased()
    }

    mutating func add(_ kind: String, _ path: String) { add(kind, 1, path) }

    private mutating func add(_ kind: String, _ count: Int, _ path: String) {
        let known = kinds[kind]
        kinds[kind] = ((known?.count ?? 0) + count, known?.example ?? path)
    }

    /// What comes after it in the order of names.
    mutating func add(_ other: LeftOut) {
        for (kind, found) in other.kinds { add(kind, found.count, found.example) }
    }

    var count: Int { kinds.values.reduce(0) { $0 + $1.count } }

    /// Kinds, the most frequent first.
    var counts: [(kind: String, count: Int, example: String)] {
        kinds.map { ($0.key, $0.value.count, $0.value.example) }
            .sorted { ($1.count, $0.kind) < ($0.count, $1.kind) }
    }

    private static let longestList = 10

    /// "left out 3 files or folders: 2 .txt, such as train/cat/readme.txt; 1 hidden, such as train/.cache"
    var sentence: String? {
        if kinds.isEmpty { return nil }
        let counts = counts
        let shown = counts.prefix(Self.longestList).map {
            "\($0.count.grouped) \($0.kind), such as \($0.example)"
        }
        let rest = counts.dropFirst(Self.longestList).reduce(0) { $0 + $1.count }
        return "left out \(count.grouped) file\(count == 1 ? "" : "s") or folder\(count == 1 ? "" : "s"): "
            + shown.joined(separator: "; ") + (rest > 0 ? "; \(rest.grouped) of other kinds" : "")
    }
}
