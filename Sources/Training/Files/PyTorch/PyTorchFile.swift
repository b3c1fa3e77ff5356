import ResinTensor

/// What `torch.save` wrote: a pickle, in which tensors are views of storages, and where the storages' bytes
/// lie.
struct PyTorchFile {
    /// How the two lie in the file.
    enum Form {
        /// Records of a zip that is not compressed: `data.pkl`, `data/0`, `data/1`, …; PyTorch's form from
        /// 1.6 on.
        case zip
        /// Pickles one after another (a number that marks the form, its version, the machine, the value, the
        /// storages' keys), then the storages, each behind its count of elements.
        case legacy
        /// A pickle that is neither.
        case otherPickle

        /// - Parameter start: a file's first bytes, 32 where it has so many.
        /// - Returns: nil where it is none of these.
        init?(_ start: [UInt8]) {
            if start.starts(with: "PK\u{3}\u{4}".utf8) || start.starts(with: "PK\u{5}\u{6}".utf8) {
                self = .zip
                return
            }
            // A safetensors file may begin with the same two bytes, which are a length there.
            guard start.count > 9, start[0] == 0x80, (2...5).contains(start[1]),
                start[8] != UInt8(ascii: "{")
            else { return nil }
            let isMarked = start.indices.contains { start[$0...].starts(with: Self.legacyMark) }
            self = isMarked ? .legacy : .otherPickle
        }

        /// 0x1950a86a20f9469cfc6c.
        private static let legacyMark: [UInt8] = [
            0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19,
        ]
    }

    let path: String
    private(set) var objects: PickleInterpreter
    private(set) var root: PickleValue
    /// Where a storage's bytes are, by its key.
    private(set) var places: [String: Range<Int>]

    private static let pickleByteLimit = 100_000_000

    /// Checks all but the tensors, which are checked as they are read.
    ///
    /// - Throws: `ResinError(.badContent)` that names the file, what it holds that weights do not need, and
    ///   what Python converts it by.
    init(_ file: borrowing ReadableFile, _ form: Form) throws {
        do {
            switch form {
            case .zip: self = try Self(zip: file)
            case .legacy: self = try Self(legacy: file)
            case .otherPickle:
                throw ResinError(
                    .badContent,
                    "\(file.path) is a pickle, but not one of PyTorch's; expected what torch.save writes, or "
                        + "safetensors")
            }
        } catch let fault as PickleFault {
            switch fault {
            case .cut:
                throw ResinError(
                    .badContent,
                    "\(file.path) is torn: its pickle does not end in it; fetch or copy it again")
            case .damaged(let text):
                throw ResinError(
                    .badContent, "\(file.path) has a damaged pickle: \(text); fetch or copy it again")
            case .foreign(let name):
                throw Self.refusal(
                    of: file.path,
                    "holds \(name), and Resin reads tensors in dictionaries and runs nothing in files"
                )
            }
        }
    }

    private init(zip file: borrowing ReadableFile) throws {
        let records = try ZipDirectory(of: file).records
        let pickles = records.keys.filter { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }
        guard pickles.count == 1 else {
            throw ResinError(
                .badContent,
                "\(file.path) is a zip, but not one of torch.save: expected one record data.pkl, found "
                    + "\(pickles.count)")
        }
        let prefix = pickles[0].dropLast("data.pkl".count)
        guard records[prefix + "constants.pkl"] == nil else {
            throw Self.refusal(of: file.path, "is a TorchScript archive, a program with its weights")
        }
        // TorchScript compresses its code.
        if let name = records.filter({ !$0.value.isPlain }).keys.min() {
            throw Self.refusal(
                of: file.path, "has a record \(name.prefix(100)) that is compressed or encrypted")
        }
        if let order = records[prefix + "byteorder"]?.bytes {
            let text = try file.elements(UInt8.self, count: min(order.count, 16), at: order.lowerBound)
            guard text.elementsEqual("little".utf8) else { throw Self.bigEndian(file.path) }
        }
        let pickle = records[pickles[0]]!.bytes
        guard pickle.count <= Self.pickleByteLimit else {
            throw PickleFault.damaged("it has \(pickle.count) bytes, of \(Self.pickleByteLimit) at most")
        }
        path = file.path
        objects = PickleInterpreter(
            try file.elements(UInt8.self, count: pickle.count, at: pickle.lowerBound))
        root = try objects.next()
        places = [:]
        for (name, record) in records where name.hasPrefix(prefix + "data/") {
            places[String(name.dropFirst(prefix.count + "data/".count))] = record.bytes
        }
    }

    private init(legacy file: borrowing ReadableFile) throws {
        // Nothing says how long the pickles are; those of networks are short.
        var limit = 1 << 20
        while true {
            do {
                self = try Self(legacy: file, picklesWithin: limit)
                return
            } catch PickleFault.cut where limit < min(file.byteCount, Self.pickleByteLimit) {
                limit *= 8
            }
        }
    }

    private init(legacy file: borrowing ReadableFile, picklesWithin limit: Int) throws {
        path = file.path
        objects = PickleInterpreter(try file.prefix(min(limit, Self.pickleByteLimit)))
        // The mark.
        _ = try objects.next()
        guard case .integer(1001) = try objects.next() else {
            throw PickleFault.damaged("the version of its form is not 1001")
        }
        guard case .dictionary(let machine) = try objects.next() else {
            throw PickleFault.damaged("it does not say which machine wrote it")
        }
        if case .truth(false)? = objects.value(of: "little_endian", in: machine) {
            throw Self.bigEndian(file.path)
        }
        root = try objects.next()
        guard case .list(let keys) = try objects.next() else {
            throw PickleFault.damaged("its storages are not listed")
        }
        places = [:]
        let storages = Dictionary(objects.storages.map { ($0.key, $0) }) { first, _ in first }
        var place = objects.end
        for key in objects.lists[keys] {
            guard case .text(let key) = key, let storage = storages[key], places[key] == nil else {
                throw PickleFault.damaged(
                    "its list of storages names one twice, or one that it does not have")
            }
            guard place <= file.byteCount - 8 else { throw Self.torn(file.path, key) }
            let count = try file.elements(Int.self, count: 1, at: place)[0]
            let byteCount = storage.type.byteCount(of: count)
            guard count == storage.count, let byteCount, byteCount <= file.byteCount - place - 8 else {
                throw Self.torn(file.path, key)
            }
            places[key] = place + 8..<place + 8 + byteCount
            place += 8 + byteCount
        }
    }

    private static func torn(_ path: String, _ key: String) -> ResinError {
        ResinError(
            .badContent, "\(path) is torn: storage \(key.prefix(100)) is not whole; fetch or copy it again")
    }

    private static func bigEndian(_ path: String) -> ResinError {
        refusal(of: path, "has its numbers in big-endian order; Resin reads little-endian ones")
    }

    /// Refuses what Python can read, and says how.
    static func refusal(of path: String, _ reason: String) -> ResinError {
        let quoted = [path, path + ".safetensors"].map {
            "'" + $0.replacing("'", with: #"'\''"#) + "'"
        }
        return ResinError(
            .badContent,
            "\(path) \(reason). If you trust its maker, Python takes its weights out, and runs what it says:",
            lines: "\n  python3 -c '\(conversion)' \(quoted[0]) \(quoted[1])")
    }

    /// Of a `state_dict`, a trainer's checkpoint, a whole module or a TorchScript archive.
    private static let conversion = """
        import sys, torch, safetensors.torch as s; \
        c = torch.load(sys.argv[1], map_location="cpu", weights_only=False); \
        c = next((c[k] for k in ("model_ema", "state_dict", "model") if isinstance(c, dict) and k in c), \
        c); \
        c = c if isinstance(c, dict) else c.state_dict(); \
        s.save_file({k: v.detach().contiguous().clone() for k, v in c.items() if torch.is_tensor(v)}, \
        sys.argv[2])
        """
}

extension PickleInterpreter {
    /// What the last setting of the key was.
    func value(of key: String, in dictionary: Int) -> PickleValue? {
        dictionaries[dictionary].last { if case .text(key) = $0.key { true } else { false } }?.value
    }
}

extension Safetensors.StoredType {
    /// Nil where that is more than can be counted, or the count is negative.
    func byteCount(of count: Int) -> Int? {
        let (product, isOverflow) = count.multipliedReportingOverflow(by: byteCount)
        return isOverflow || count < 0 ? nil : product
    }
}
