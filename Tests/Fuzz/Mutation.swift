import ResinTensor

/// Random numbers of one mutant: all of it follows from its number.
struct Draws {
    private let random: Philox
    private let mutant: UInt32
    private var count: UInt32 = 0

    init(mutant: Int) {
        random = Philox(seed: 16, stream: .shuffling)
        self.mutant = UInt32(mutant)
    }

    /// Below `bound`, which is at least 1.
    mutating func integer(below bound: Int) -> Int {
        count += 1
        return Int((UInt64(random(Philox.Block(count, mutant, 0, 0)).x) * UInt64(bound)) >> 32)
    }

    mutating func element<Element>(of list: [Element]) -> Element { list[integer(below: list.count)] }
}

/// Values at and beyond the edges of what files may hold.
private let edgeNumbers = [
    "0", "-0", "1", "-1", "2", "3", "5", "9", "27", "0.5", "0.999", "1.0000001", "-1e-9", "1e-6", "1e-46",
    "1e-320", "1e38", "1e39", "-1e308", "1e400", "255", "256", "4096", "16384", "16385", "65536", "1048576",
    "1048577", "2147483647", "2147483648", "4294967294", "4294967296", "1000000", "1000001",
    "4611686018427387904", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "18446744073709551615", "nan", "inf",
]

private let edgeValues: [String] =
    edgeNumbers + [
        "NaN", "Infinity", "-Infinity", "nul", "null", "true", "false", "", "[]", "{}", "[0]", "[0,0]",
        "[-1,1]", "[16384,16384]", "[1,16384,16384]", "[1,4611686018427387904,4]", "[3,28,28]", "[1,1,1]",
        "[1e38]", "[null]", "[[]]", #"[""]"#, #""""#, #""\u0000""#, #""\ud800""#, #""nan""#, #""-inf""#,
        #""-1""#, #""0x7""#, #""1e999""#, #""7""#, #""9223372036854775807""#, #""4294967295""#, #""../..""#,
        #""sgd""#, #""adamw""#, #""cosine""#, #""step""#, #""skip""#, #""default""#, #""exact""#,
        #""mixed""#, #""float32""#, #""torchvision""#, #""conv""#, #""max""#, #""nin""#, #""resnet18""#,
        #""residual-mnist""#, #""vgg11""#, #""densenet""#, #""alexnet""#,
    ] + [
        String(repeating: "[", count: 2000), "\"" + String(repeating: "a", count: 70_000) + "\"",
        "[" + Array(repeating: "\"x\"", count: 20_000).joined(separator: ",") + "]",
        "[" + Array(repeating: "1", count: 20_000).joined(separator: ",") + "]",
    ]

/// A text that was JSON, changed in one to three places.
func mutated(json text: String, _ draws: inout Draws) throws -> [UInt8] {
    if draws.integer(below: 4) == 0 { return mutated(bytes: Array(text.utf8), &draws) }
    var tree = try JSONTree(text)
    for _ in 0..<draws.element(of: [1, 1, 1, 2, 3]) {
        let place = draws.integer(below: tree.count)
        let number = draws.element(of: edgeNumbers)
        let value = draws.element(of: edgeValues)
        switch draws.integer(below: 8) {
        case 0: tree = tree.changing(place) { _ in [] }
        case 1: tree = tree.changing(place) { [$0, $0] }
        case 2: tree = tree.changing(place) { _ in [.leaf(value)] }
        // Of the same kind: what is not refused by its type alone.
        default:
            tree = tree.changing(place) {
                [$0.isNumber ? .leaf(number) : $0.isText ? .leaf("\"\(number)\"") : .leaf(value)]
            }
        }
    }
    return Array(tree.text.utf8)
}

/// Bytes, changed, left out, put in or cut off.
func mutated(bytes: [UInt8], _ draws: inout Draws) -> [UInt8] {
    var bytes = bytes
    for _ in 0...draws.integer(below: 3) where !bytes.isEmpty {
        let place = draws.integer(below: bytes.count)
        switch draws.integer(below: 5) {
        case 0: bytes[place] ^= 1 << UInt8(draws.integer(below: 8))
        case 1: bytes[place] = UInt8(draws.integer(below: 256))
        case 2: bytes.removeSubrange(place..<min(place + 1 + draws.integer(below: 16), bytes.count))
        case 3: bytes.insert(contentsOf: draws.element(of: edgeValues).utf8, at: place)
        default: bytes.removeSubrange(place...)
        }
    }
    return bytes
}

/// Lines of JSON, of which one is changed, or some are dropped, doubled or exchanged.
func mutated(lines: [String], _ draws: inout Draws) throws -> [UInt8] {
    var lines = lines
    let place = draws.integer(below: lines.count)
    switch draws.integer(below: 6) {
    case 0: lines.remove(at: place)
    case 1: lines.insert(lines[place], at: draws.integer(below: lines.count + 1))
    case 2: lines.swapAt(place, draws.integer(below: lines.count))
    case 3: return mutated(bytes: Array(lines.map { $0 + "\n" }.joined().utf8), &draws)
    default: lines[place] = String(decoding: try mutated(json: lines[place], &draws), as: UTF8.self)
    }
    return Array(lines.map { $0 + "\n" }.joined().utf8)
}

/// A safetensors file, its header changed and made to fit again, or a few of its bytes.
func mutated(safetensors file: [UInt8], _ draws: inout Draws) throws -> [UInt8] {
    let length = file[0..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    var header = String(decoding: file[8..<8 + length], as: UTF8.self)
    let data = file[(8 + length)...]
    switch draws.integer(below: 8) {
    case 0: return mutated(bytes: file, &draws)
    case 1:
        // A few values of tensors.
        var data = Array(data)
        for _ in 0..<8 {
            let place = draws.integer(below: data.count)
            data[place] = draws.element(of: [0, 0x7F, 0x80, 0xFF, data[place] ^ 0x80])
        }
        return file[..<(8 + length)] + data
    default:
        header = String(decoding: try mutated(metadataOf: header, &draws), as: UTF8.self)
        var bytes = Array(header.utf8)
        while bytes.count % 8 != 0 { bytes.append(UInt8(ascii: " ")) }
        return withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { Array($0) } + bytes + data
    }
}

/// Mostly the metadata: a header has many tensors, which fail at their shapes.
private func mutated(metadataOf header: String, _ draws: inout Draws) throws -> [UInt8] {
    guard draws.integer(below: 4) > 0, case .object(let members) = try JSONTree(header),
        let metadata = members.first(where: { $0.name == "__metadata__" })
    else { return try mutated(json: header, &draws) }
    let changed = String(decoding: try mutated(json: metadata.value.text, &draws), as: UTF8.self)
    return Array(
        JSONTree.object(members.map { ($0.name, $0.name == metadata.name ? .leaf(changed) : $0.value) })
            .text.utf8)
}
