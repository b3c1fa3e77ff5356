import Foundation
import ResinFixtures
import ResinTensor
import ResinTraining
import Testing

@Suite("PyTorch's files")
struct PyTorchFileTests {
    let folder: Folder
    var path: String { folder / "x.pth" }

    init() throws { folder = try Folder() }

    static func golden(_ name: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().path + "/Goldens/" + name
    }

    private func read(_ bytes: [UInt8]) throws -> Safetensors {
        try Data(bytes).write(to: URL(filePath: path))
        return try Safetensors(weightsOf: path)
    }

    /// Of the error that names the file; reading must fail.
    private func message(_ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(filePath: path))
        return Self.message(path)
    }

    private static func message(_ path: String) -> String {
        do {
            let file = try Safetensors(weightsOf: path)
            return "none, \(file.entries.count) tensors"
        } catch let error as ResinError {
            return error.kind == .badContent && error.message.contains(path)
                ? error.message : "\(error.kind): \(error.message)"
        } catch { return "another error: \(error)" }
    }

    private typealias Bytes = PyTorchBytes

    private func raw(_ operations: String, _ more: UInt8...) -> [UInt8] { Array(operations.utf8) + more }

    // MARK: What torch.save writes

    @Test(
        "What torch.save writes has the tensors of the safetensors file of the same",
        arguments: [
            ("plain.pth", "weights"), ("protocol4.pth", "weights"), ("protocol5.pth", "weights"),
            ("legacy.pth", "weights"), ("legacy4.pth", "weights"), ("parameters.pth", "weights"),
            ("trainer.pth", "weights"), ("nested.pth", "weights"), ("ema.pth", "weights"),
            ("mixed.pth", "weights"), ("types.pth", "types"), ("types-legacy.pth", "types"),
            ("strided.pth", "strided"), ("strided-legacy.pth", "strided"),
        ])
    func goldens(name: String, expected: String) throws {
        let file = try Safetensors(weightsOf: Self.golden(name))
        let expected = try Safetensors(contentsOf: Self.golden(expected + ".safetensors"))
        let prefix = name == "ema.pth" ? "module." : ""
        #expect(file.entries.count == expected.entries.count)
        for entry in expected.entries {
            let found = try #require(file[prefix + entry.name])
            #expect(found.shape == entry.shape && found.contents == entry.contents, "\(entry.name)")
        }
        #expect(file.metadata.isEmpty)
    }

    @Test("The safetensors file of every type says what the values are")
    func types() throws {
        let file = try Safetensors(weightsOf: Self.golden("types.safetensors"))
        #expect(file == (try Safetensors(contentsOf: Self.golden("types.safetensors"))))
        #expect(file["half"]?.values == [0.5, -65504, Float(Float16(6e-8))])
        #expect(file["brain"]?.values == [1, -3.140625])
        #expect(file["double"] == .init("double", shape: [2, 1], values: [0.1, Float(1e-40 as Double)]))
        #expect(file["long"]?.contents == .int64([-1, 1 << 62]))
        #expect(file["int"]?.contents == .int32([-7]))
        #expect(file["short"]?.contents == .int32([-300]))
        #expect(file["char"]?.contents == .int32([-128, 127]))
        #expect(file["byte"]?.contents == .uint8([0, 255]))
        #expect(file["bool"]?.contents == .uint8([1, 0]))
    }

    @Test("What was chosen of a checkpoint and what was passed over is said")
    func notes() throws {
        func notes(_ name: String) throws -> [String] {
            try Safetensors(weightsOf: Self.golden(name)).notes.map {
                $0.replacing(Self.golden(name), with: "FILE")
            }
        }
        #expect(try notes("plain.pth").isEmpty)
        #expect(try notes("trainer.pth") == ["FILE is a trainer's checkpoint: its 'model' is taken"])
        #expect(
            try notes("ema.pth") == [
                "FILE is a trainer's checkpoint: its 'model_ema' is taken, before 'model'"
            ])
        #expect(
            try notes("nested.pth") == [
                "FILE is a trainer's checkpoint: its 'ema.module' is taken, before 'state_dict'"
            ])
        #expect(
            try notes("mixed.pth") == ["FILE: 'epoch', 'arch', a single value, no tensors, are passed over"])
    }

    @Test("The keys are taken in the order that docs/weights.md has")
    func keys() throws {
        let keys = ["state_dict_ema", "model_ema", "ema", "state_dict", "model_state_dict", "model", "net"]
        let all = keys + ["module"]
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let page = try String(contentsOf: root.appending(path: "docs/weights.md"), encoding: .utf8)
        #expect(page.contains(all.map { "`\($0)`" }.joined(separator: ", ")))
        let storage = Bytes.storage("0", count: 1)
        func weights(_ name: String) -> [UInt8] {
            Bytes.dictionary([(name, Bytes.tensor(of: storage, shape: [], strides: []))])
        }
        for place in all.indices {
            let items = all[place...].reversed().map { ($0, weights("of \($0)")) }
            let file = try read(
                Bytes.file(
                    Bytes.dictionary([("best", Bytes.tensor(of: storage, shape: [1], strides: [1]))] + items),
                    storages: [[0, 0, 0x80, 0x3F]]))
            #expect(file.entries == [.init("of \(all[place])", shape: [], values: [1])])
        }
    }

    // MARK: What is refused

    @Test(
        "A file that names anything else is refused with the line that converts it, and nothing is run",
        arguments: [
            ("system.pth", "holds 'posix.system'"), ("system-legacy.pth", "holds 'posix.system'"),
            ("module.pth", "holds 'torch.nn.modules.linear.Linear'"),
            ("script.pt", "is a TorchScript archive"),
            ("expanded.pth", "has a tensor 'mask' of shape [1000] that repeats 1 elements"),
        ])
    func refused(name: String, reason: String) throws {
        let message = Self.message(Self.golden(name))
        #expect(message.contains("\(Self.golden(name)) \(reason)"), "\(message)")
        #expect(
            message.contains("\n  python3 -c 'import sys, torch, safetensors.torch as s; ")
                && message.hasSuffix(
                    "sys.argv[2])' '\(Self.golden(name))' '\(Self.golden(name)).safetensors'"),
            "\(message)")
        #expect(!FileManager.default.fileExists(atPath: "/tmp/resin-ran-this"))
    }

    @Test("A file cut off anywhere is refused", arguments: ["plain.pth", "legacy.pth", "protocol4.pth"])
    func torn(name: String) throws {
        let whole = try Data(contentsOf: URL(filePath: Self.golden(name)))
        // Behind the bytes that tell the form.
        for count in stride(from: 20, to: whole.count, by: 7) {
            try whole.prefix(count).write(to: URL(filePath: path))
            let message = Self.message(path)
            #expect(message.contains("torn"), "\(count) bytes: \(message)")
        }
    }

    @Test("Any byte can be wrong without a crash", arguments: ["plain.pth", "legacy.pth"])
    func noise(name: String) throws {
        let whole = try Data(contentsOf: URL(filePath: Self.golden(name)))
        var words = Philox(seed: 2, stream: .glyphs)
        words.key.y = 0
        for place in 0..<whole.count {
            var file = whole
            file[place] = UInt8(truncatingIfNeeded: words(.init(UInt32(place), 0, 0, 0)).x)
            try file.write(to: URL(filePath: path))
            #expect(!Self.message(path).contains("another error"))
        }
    }

    @Test("What a pickle of these operations must not say is refused with the reason")
    func pickles() throws {
        let storage = Bytes.storage("0", count: 4)
        func tensor(_ offset: Int, _ shape: [Int], _ strides: [Int], of storage: [UInt8]) -> [UInt8] {
            Bytes.dictionary([
                ("w", Bytes.tensor(of: storage, offset: offset, shape: shape, strides: strides))
            ])
        }
        let huge = Int.max
        let outside = "begins or ends outside of its storage's 4 elements"
        let shapeless = "has no shape and strides"
        let cases: [([UInt8], String)] = [
            (tensor(0, [5], [1], of: storage), outside), (tensor(1, [2, 2], [2, 1], of: storage), outside),
            (tensor(-1, [2], [1], of: storage), outside), (tensor(huge, [2], [1], of: storage), outside),
            (tensor(0, [2, 2], [huge, 1], of: storage), outside),
            (tensor(3, [2], [-1], of: storage), outside),
            (tensor(0, [huge, huge, 0], [1, 1, 1], of: storage), shapeless),
            (tensor(0, [-1], [1], of: storage), shapeless), (tensor(0, [1], [], of: storage), shapeless),
            (tensor(0, [1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1], of: storage), shapeless),
            (tensor(0, [2, 2], [0, 1], of: storage), "repeats 2 elements"),
            (tensor(0, [1], [1], of: Bytes.storage("7", count: 4)), "is of storage 7, which is not in"),
            (tensor(0, [1], [1], of: Bytes.storage("0", count: 5)), "5 elements of F32, but 16 bytes"),
            (tensor(0, [1], [1], of: Bytes.storage("0", count: huge)), "but 16 bytes"),
            (tensor(0, [1], [1], of: Bytes.storage("0", count: -4)), "that is no storage"),
            (tensor(0, [1], [1], of: Bytes.storage("0", count: 4, type: "ComplexFloat")), "ComplexFloat"),
            (
                Bytes.dictionary([("__metadata__", Bytes.tensor(of: storage, shape: [4], strides: [1]))]),
                "keeps for itself"
            ),
            (
                Bytes.dictionary([
                    (
                        String(repeating: "n", count: 1001),
                        Bytes.tensor(of: storage, shape: [4], strides: [1])
                    )
                ]), "has 1001 bytes"
            ),
            (Bytes.tensor(of: storage, shape: [4], strides: [1]), "holds a single tensor"),
            (Bytes.text("weights"), "holds a text"),
            (Bytes.tuple(Bytes.dictionary([])), "holds a tuple"),
            (Bytes.dictionary([]), "found nothing"),
            (Bytes.dictionary([("epoch", Bytes.integer(1))]), "found 'epoch'"),
            (Bytes.name("torch.storage", "_load_from_bytes"), "'torch.storage._load_from_bytes'"),
            (Bytes.name("__builtin__", "eval"), "'builtins.eval'"),
            (Bytes.text("posix") + Bytes.text("system") + raw("", 0x93), "'posix.system'"),
            (raw("I1\n"), "the operation 0x49"), (raw("(i"), "the operation 0x69"),
            (raw("a"), "a value is missing"), (raw("t"), "but began nowhere"),
            (raw("(a"), "a value is missing"), (raw("}(Nu"), "a key without a value"),
            (raw("h\u{7}"), "value 7 is asked for"), (raw("NR"), "without a name or arguments"),
            (raw(")NR"), "without a name or arguments"), (raw("]b"), "a value is missing"),
            (raw("])b"), "a list is given attributes"), (raw(")Na"), "are appended to a tuple"),
            (raw("]NNs"), "keys are set in a list"), (raw("", 0x93), "a value is missing"),
            (raw("NN", 0x93), "a name that is no text"), (raw("NQ"), "that is no storage"),
            (Bytes.name("torch._utils", "_rebuild_tensor_v2") + raw(")R"), "has other arguments"),
            (Bytes.name("torch", "FloatStorage") + raw(")R"), "has other arguments"),
            (raw("X", 255, 255, 255, 255), "is torn"), (raw("c"), "is torn"),
            (raw("", 0x8D, 255, 255, 255, 255, 255, 255, 255, 255), "a length of 18446744073709551615"),
        ]
        for (value, reason) in cases {
            let zipped = try message(Bytes.file(value, storages: [[UInt8](repeating: 0, count: 16)]))
            #expect(zipped.contains(reason), "\(zipped)")
            // The same in the legacy form; there the first storage's own count is compared before.
            let legacy = try message(
                Bytes.legacy(value, storages: [("0", [UInt8](repeating: 0, count: 16))]))
            #expect(legacy.hasPrefix("\(path)") && !legacy.contains("none"), "\(legacy)")
        }
    }

    @Test("Python 2's ordered dictionaries and parts of storages are understood")
    func old() throws {
        let view = Bytes.tuple(
            Bytes.text("storage"), Bytes.name("torch", "FloatStorage"), Bytes.text("0"), Bytes.text("cpu"),
            Bytes.integer(4), Bytes.tuple(Bytes.text("1"), Bytes.integer(1), Bytes.integer(2)))
        let tensor = Bytes.tensor(of: view + Array("Q".utf8), shape: [2], strides: [1])
        let pair = Array("](".utf8) + Array("U\u{1}w".utf8) + tensor + Array("e".utf8)
        let value =
            Bytes.name("collections", "OrderedDict") + Array("(](".utf8) + pair + Array("etR".utf8)
        let bytes = [Float(1), 2, 3, 4].withUnsafeBytes { Array($0) }
        let file = try read(Bytes.legacy(value, storages: [("0", bytes)]))
        #expect(file.entries == [.init("w", shape: [2], values: [2, 3])])
    }

    @Test("Nesting, cycles and repetition neither overflow the stack nor take memory or time")
    func amplification() throws {
        // Lists in lists; a dictionary in itself, asked for under every key that is known.
        let deep = [UInt8](repeating: UInt8(ascii: "]"), count: 1_000_000)
        let nested = deep + [UInt8](repeating: UInt8(ascii: "a"), count: 999_999)
        #expect(try message(Bytes.file(nested)).contains("holds a list"))
        let cycle = Array("}q\u{0}(".utf8) + Bytes.text("model") + Array("h\u{0}u".utf8)
        #expect(try message(Bytes.file(cycle)).contains("found 'model'"))
        let many = [UInt8](repeating: UInt8(ascii: ")"), count: 4_000_001)
        #expect(try message(Bytes.file(many)).contains("more values than any checkpoint"))
        let names = (0...20_000).flatMap { Bytes.text("w\($0)") + raw("h\u{0}") }
        let small = Bytes.tensor(of: Bytes.storage("0", count: 1), shape: [1], strides: [1])
        #expect(
            try message(Bytes.file(small + raw("q\u{0}0}(") + names + raw("u"), storages: [[0, 0, 0, 0]]))
                .contains("has 20,001 tensors, of 20,000 at most"))
        // A storage of 1 MB a thousand times.
        let tensor = Bytes.tensor(of: Bytes.storage("0", count: 1 << 18), shape: [1 << 18], strides: [1])
        let shared =
            tensor + Array("q\u{0}0}(".utf8)
            + (0..<1000).flatMap { Bytes.text("w\($0)") + Array("h\u{0}".utf8) } + Array("u".utf8)
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        #expect(try message(Bytes.file(shared, storages: [zeros])).contains("are many times the file"))
    }

    @Test("A zip's sizes and places may have 64 bits; lies about them are refused")
    func zips() throws {
        let tensor = Bytes.tensor(of: Bytes.storage("0", count: 1), shape: [1], strides: [1])
        let value = Bytes.dictionary([("w", tensor)])
        let one: [UInt8] = [0, 0, 0x80, 0x3F]
        for isWide in [false, true] {
            let file = Bytes.file(value, storages: [one], isWide: isWide)
            #expect(try read(file).entries == [.init("w", shape: [1], values: [1])])
            // Every field of the directory with bits set that it does not have.
            let start = try #require(file.indices.last { file[$0...].starts(with: "PK\u{1}\u{2}".utf8) })
            for place in start..<file.count {
                for wrong in [0x80, 0xFF] as [UInt8] where file[place] != wrong {
                    var file = file
                    file[place] = wrong
                    #expect(!(try message(file)).contains("another error"))
                }
            }
        }
        #expect(try message(Bytes.file(value, byteOrder: "big")).contains("in big-endian order"))
        #expect(try message(Bytes.zip([("a/b", one)])).contains("found 0"))
        #expect(try message(Bytes.zip([("a/data.pkl", one), ("b/data.pkl", one)])).contains("found 2"))
        #expect(try message(Bytes.zip([("a", one), ("a", one)])).contains("two records are called a"))
        let zip = Bytes.zip([("data.pkl", Bytes.pickle(value)), ("b", one)])
        let entries = zip.indices.filter { zip[$0...].starts(with: "PK\u{1}\u{2}".utf8) }
        func changed(_ offset: Int, _ bytes: [UInt8]) -> [UInt8] {
            var zip = zip
            zip.replaceSubrange(entries[1] + offset..<entries[1] + offset + bytes.count, with: bytes)
            return zip
        }
        #expect(try message(changed(10, [8])).contains("a record b that is compressed or"))
        #expect(try message(changed(8, [1])).contains("a record b that is compressed or"))
        #expect(try message(changed(42, [0, 0, 0, 0])).contains("overlap at byte 0"))
        #expect(try message(changed(42, [1, 0, 0, 0])).contains("its record b is not where"))
        #expect(try message(changed(42, [0, 0, 0, 0x7F])).contains("its record b lies outside"))
        #expect(try message(changed(20, [5, 0, 0, 0, 5, 0, 0, 0])).contains("its record b lies outside"))
        #expect(try message(changed(20, [3])).contains("its record b has two sizes"))
    }

    @Test("Other files are called what they are")
    func others() throws {
        #expect(try message(Bytes.pickle(Bytes.text("weights"))).contains("is a pickle, but not one of"))
        #expect(try message(Array("<html><body>".utf8)).contains("is not a safetensors file"))
        #expect(try message(Array("PK\u{5}\u{6}".utf8)).contains("torn"))
        // Its length begins as a pickle does.
        let header = String(repeating: " ", count: 0x280 - 2)
        let bytes: [UInt8] = [0x80, 2, 0, 0, 0, 0, 0, 0] + Array("{\(header)}".utf8)
        #expect(try read(bytes) == Safetensors())
        #expect(throws: ResinError.self) { try Safetensors(weightsOf: folder / "none.pth") }
        // A run's own checkpoints are safetensors, whatever they hold.
        #expect(throws: ResinError.self) { try Safetensors(contentsOf: Self.golden("plain.pth")) }
    }

    @Test("45 MB load in less than a tenth of a second (a second in a debug build)")
    func speed() throws {
        let values = [Float](repeating: 1, count: 11_250_000)
        try Data(Bytes.stateDictionary([("w", [11_250_000], values)])).write(to: URL(filePath: path))
        var file = Safetensors()
        let time = try ContinuousClock().measure { file = try Safetensors(weightsOf: path) }
        #expect(file["w"]?.values.last == 1)
        print("45 MB of PyTorch's weights loaded in \(time)")
        #expect(time < .seconds(1))
    }
}
