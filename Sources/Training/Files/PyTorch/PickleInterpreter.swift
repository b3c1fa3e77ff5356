/// Runs pickles (https://docs.python.org/3/library/pickletools.html) as `torch.save` writes them, protocols 2
/// to 5, over values that are only looked at: no name in one is looked up, nothing is called. Operations and
/// names that are not known are refused.
struct PickleInterpreter {
    private let bytes: [UInt8]
    private var position = 0
    private var stack: [PickleValue] = []
    /// How high the stack was where each open list of values began.
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]

    private(set) var tuples: [[PickleValue]] = []
    private(set) var lists: [[PickleValue]] = []
    /// In the order in which they were set; of equal keys the last one counts.
    private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
    private(set) var storages: [PickledStorage] = []
    private(set) var tensors: [PickledTensor] = []

    /// Each takes a hundred bytes or so, which bounds the memory; a checkpoint of a thousand tensors has
    /// 50,000.
    private var operationsLeft = 4_000_000

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Where the next pickle, or what follows the last, begins.
    var end: Int { position }

    /// The value of the pickle that begins here.
    ///
    /// - Throws: `PickleFault`.
    mutating func next() throws -> PickleValue {
        (stack, marks, memo) = ([], [], [:])
        while true {
            try charge(1)
            let code = Unicode.Scalar(try byte())
            if code == "." { return try pop() }
            try run(code)
        }
    }

    private mutating func run(_ code: Unicode.Scalar) throws {
        switch code {
        // Protocol and frames say nothing that is needed.
        case "\u{80}": _ = try byte()
        case "\u{95}": _ = try take(8)

        case "N": push(.other)
        case "\u{88}": push(.truth(true))
        case "\u{89}": push(.truth(false))
        case "J": push(.integer(Int(Int32(truncatingIfNeeded: try unsigned(4)))))
        case "K": push(.integer(try count(1)))
        case "M": push(.integer(try count(2)))
        case "\u{8A}": push(try long(count(1)))
        case "\u{8B}": push(try long(count(4)))
        case "G":
            _ = try take(8)
            push(.other)
        case "X", "T": push(.text(try text(count(4))))
        case "\u{8C}", "U": push(.text(try text(count(1))))
        case "\u{8D}": push(.text(try text(count(8))))
        // Bytes.
        case "C": try passOver(count(1))
        case "B": try passOver(count(4))
        case "\u{8E}", "\u{96}": try passOver(count(8))

        case "(": marks.append(stack.count)
        case "0": _ = try pop()
        case "1": _ = try popToMark()
        case "2": push(try top())
        case "h": try recall(count(1))
        case "j": try recall(count(4))
        case "q": try memo[count(1)] = top()
        case "r": try memo[count(4)] = top()
        case "\u{94}": try memo[memo.count] = top()

        case ")": pushTuple([])
        case "\u{85}": try pushTuple(ofLast: 1)
        case "\u{86}": try pushTuple(ofLast: 2)
        case "\u{87}": try pushTuple(ofLast: 3)
        case "t": pushTuple(try popToMark())
        case "]": pushList([])
        case "l": pushList(try popToMark())
        case "a": try append([pop()])
        case "e": try append(popToMark())
        case "}": pushDictionary()
        case "d":
            let items = try popToMark()
            pushDictionary()
            try set(items)
        case "s":
            let value = try pop()
            try set([pop(), value])
        case "u": try set(popToMark())
        // Sets.
        case "\u{8F}": push(.other)
        case "\u{90}":
            _ = try popToMark()
            _ = try top()
        case "\u{91}":
            _ = try popToMark()
            push(.other)

        case "c": push(.name(try name(module: line(), line())))
        case "\u{93}":
            guard case .text(let name) = try pop(), case .text(let module) = try pop() else {
                throw PickleFault.damaged("a name that is no text")
            }
            push(.name(try self.name(module: module, name)))
        case "R", "\u{81}": try call()
        case "b": try build()
        case "Q": try persist()
        default:
            throw PickleFault.foreign(
                "the operation 0x\(String(code.value, radix: 16)) at byte \(position - 1) of its pickle")
        }
    }

    // MARK: Bytes

    private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count <= bytes.count - position else { throw PickleFault.cut }
        defer { position += count }
        return bytes[position..<position + count]
    }

    private mutating func byte() throws -> UInt8 {
        guard position < bytes.count else { throw PickleFault.cut }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func unsigned(_ width: Int) throws -> UInt64 { try take(width).littleEndian }

    /// A length or a place.
    private mutating func count(_ width: Int) throws -> Int {
        let value = try unsigned(width)
        guard let count = Int(exactly: value) else {
            throw PickleFault.damaged("a length of \(value) at byte \(position - width)")
        }
        return count
    }

    private mutating func text(_ count: Int) throws -> String {
        String(decoding: try take(count), as: UTF8.self)
    }

    private mutating func passOver(_ count: Int) throws {
        _ = try take(count)
        push(.other)
    }

    private mutating func line() throws -> String {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else { throw PickleFault.cut }
        defer { position = end + 1 }
        return try text(end - position)
    }

    /// An integer of so many bytes, its sign in the last; none here needs more than eight.
    private mutating func long(_ count: Int) throws -> PickleValue {
        let bytes = try take(count)
        guard count <= 8 else { return .other }
        let unused = 64 - 8 * count
        return .integer(count == 0 ? 0 : Int(Int64(bitPattern: bytes.littleEndian << unused) >> unused))
    }

    // MARK: The stack

    private mutating func charge(_ count: Int) throws {
        operationsLeft -= count
        guard operationsLeft >= 0 else {
            throw PickleFault.damaged("it has more values than any checkpoint")
        }
    }

    private mutating func push(_ value: PickleValue) { stack.append(value) }

    private mutating func pop() throws -> PickleValue {
        let value = try top()
        stack.removeLast()
        return value
    }

    private func top() throws -> PickleValue {
        guard stack.count > marks.last ?? 0 else {
            throw PickleFault.damaged("a value is missing before byte \(position)")
        }
        return stack.last!
    }

    private mutating func popToMark() throws -> [PickleValue] {
        guard let mark = marks.popLast() else {
            throw PickleFault.damaged("a list of values ends at byte \(position), but began nowhere")
        }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private mutating func recall(_ place: Int) throws {
        guard let value = memo[place] else {
            throw PickleFault.damaged("value \(place) is asked for at byte \(position), but was not kept")
        }
        push(value)
    }

    // MARK: Containers

    private mutating func pushTuple(_ items: [PickleValue]) {
        tuples.append(items)
        push(.tuple(tuples.count - 1))
    }

    private mutating func pushTuple(ofLast count: Int) throws {
        var items: [PickleValue] = []
        for _ in 0..<count { items.append(try pop()) }
        pushTuple(items.reversed())
    }

    private mutating func pushList(_ items: [PickleValue]) {
        lists.append(items)
        push(.list(lists.count - 1))
    }

    private mutating func pushDictionary() {
        dictionaries.append([])
        push(.dictionary(dictionaries.count - 1))
    }

    private mutating func append(_ items: [PickleValue]) throws {
        switch try top() {
        case .list(let place): lists[place] += items
        case .other: break
        case let target: throw PickleFault.damaged("values are appended to \(target.kind)")
        }
    }

    /// - Parameter items: keys and values in turn.
    private mutating func set(_ items: [PickleValue]) throws {
        guard items.count % 2 == 0 else {
            throw PickleFault.damaged("a key without a value before byte \(position)")
        }
        switch try top() {
        case .dictionary(let place):
            for index in stride(from: 0, to: items.count, by: 2) {
                dictionaries[place].append((items[index], items[index + 1]))
            }
        case .other: break
        case let target: throw PickleFault.damaged("keys are set in \(target.kind)")
        }
    }

    // MARK: Names

    private func name(module: String, _ name: String) throws -> PickleName {
        // Python 2's, which protocol 2 keeps.
        let full = (module == "__builtin__" ? "builtins" : module) + "." + name
        guard let known = PickleName(full) else {
            throw PickleFault.foreign("'\(full.prefix(100))'")
        }
        return known
    }

    private mutating func call() throws {
        guard case .tuple(let place) = try pop(), case .name(let name) = try pop() else {
            throw PickleFault.damaged("a call without a name or arguments before byte \(position)")
        }
        let arguments = tuples[place]
        switch (name, arguments.first) {
        case (.other, _): push(.other)
        case (.orderedDictionary, nil): pushDictionary()
        // Python 2's: a list of pairs, each a list.
        case (.orderedDictionary, .list(let pairs)):
            try charge(lists[pairs].count)
            pushDictionary()
            try set(
                lists[pairs].flatMap { pair in
                    guard case .list(let items) = pair, lists[items].count == 2 else {
                        throw PickleFault.damaged("a dictionary of something else than pairs")
                    }
                    return lists[items]
                })
        case (.size, .tuple(let sizes)): push(.tuple(sizes))
        case (.parameter, .tensor(let tensor)): push(.tensor(tensor))
        case (.tensor, .storage(let storage)): try rebuildTensor(of: storage, arguments)
        default: throw Self.wrongArguments(before: position)
        }
    }

    /// - Parameter arguments: storage, offset, shape, strides, and what only training needs.
    private mutating func rebuildTensor(of storage: Int, _ arguments: [PickleValue]) throws {
        guard arguments.count >= 4, case .integer(let offset) = arguments[1],
            case .tuple(let shape) = arguments[2], case .tuple(let strides) = arguments[3]
        else { throw Self.wrongArguments(before: position) }
        tensors.append(PickledTensor(storage: storage, offset: offset, shape: shape, strides: strides))
        push(.tensor(tensors.count - 1))
    }

    private static func wrongArguments(before position: Int) -> PickleFault {
        .damaged("a call before byte \(position) has other arguments than it takes")
    }

    /// Attributes of what was made: a `state_dict`'s `_metadata`, a trainer's options.
    private mutating func build() throws {
        _ = try pop()
        switch try top() {
        case .dictionary, .other: break
        case let target: throw PickleFault.damaged("\(target.kind) is given attributes")
        }
    }

    /// `("storage", type, key, location, count)`, and in the legacy form the part that is meant.
    private mutating func persist() throws {
        guard case .tuple(let place) = try pop(), tuples[place].count >= 5,
            case .text("storage") = tuples[place][0], case .name(.storage(let type)) = tuples[place][1],
            case .text(let key) = tuples[place][2], case .integer(let count) = tuples[place][4], count >= 0,
            key.utf8.count <= 100
        else { throw PickleFault.damaged("something outside of it is named that is no storage") }
        var elements = 0..<count
        if tuples[place].count > 5, case .tuple(let view) = tuples[place][5] {
            guard tuples[view].count == 3, case .integer(let first) = tuples[view][1],
                case .integer(let length) = tuples[view][2], first >= 0, length >= 0, first <= count,
                length <= count - first
            else { throw PickleFault.damaged("a part of storage \(key) that is not in it") }
            elements = first..<first + length
        }
        storages.append(PickledStorage(key: key, type: type, count: count, elements: elements))
        push(.storage(storages.count - 1))
    }
}

extension Collection where Element == UInt8 {
    /// The number that up to eight bytes are, the lowest first.
    var littleEndian: UInt64 { reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}
