import Foundation
import ResinTensor
import ResinTraining
import Testing

@Suite("Safetensors files")
struct SafetensorsTests {
    let folder: Folder
    var path: String { folder / "x.safetensors" }

    init() throws { folder = try Folder() }

    private func write(header: String, data: Int = 0, length: Int? = nil) throws {
        let count = withUnsafeBytes(of: UInt64(length ?? header.utf8.count).littleEndian) { Array($0) }
        try Data(count + Array(header.utf8) + [UInt8](repeating: 0, count: data)).write(
            to: URL(filePath: path))
    }

    private func message() -> String {
        do {
            _ = try Safetensors(contentsOf: path)
            return "none"
        } catch let error as ResinError {
            return error.kind == .badContent && error.message.contains(path) ? error.message : "\(error.kind)"
        } catch { return "another error: \(error)" }
    }

    @Test("A file written by Python's safetensors is read, in all its types")
    func python() throws {
        try Data(base64Encoded: pythonFile)!.write(to: URL(filePath: path))
        let file = try Safetensors(contentsOf: path)
        #expect(file.metadata == ["format": "pt"])
        #expect(file["b.weight"] == .init("b.weight", shape: [1, 3], values: [1.5, -2, 3.25]))
        #expect(file["a.half"]?.values == [0.5, -65504])
        #expect(file["a.brain"]?.values == [1, -3.140625])
        #expect(file["c.double"] == .init("c.double", shape: [], values: [2.5]))
        #expect(file["c.num_batches_tracked"]?.contents == .int64([9_007_199_254_740_993]))
        #expect(file["d.int"]?.contents == .int32([-7]))
        #expect(file["e.bytes"]?.contents == .uint8([0, 255, 3]))
        #expect(file["e.bytes"]?.values == [0, 255, 3])
        #expect(file["f.empty"] == .init("f.empty", shape: [0, 3], values: []))
        #expect(file.entries.count == 8)
        #expect(try Safetensors.metadata(of: path) == ["format": "pt"])
    }

    @Test("What is written is read back, whatever the names and values")
    func roundTrip() throws {
        let file = Safetensors(
            [
                .init("a", shape: [], .int64([.min])),
                .init("z\"\\\n\u{1}/é🙂", shape: [2, 2], .int64([1, 2, 3, 4])),
                .init("w", shape: [3], values: [-0.0, .infinity, .leastNonzeroMagnitude]),
                .init("w0", shape: [0, 7], values: []), .init("i", shape: [1, 1], .int32([-1])),
                .init("u", shape: [3], .uint8([1, 2, 255])),
            ], metadata: ["step": "12", "net\twork": "nïn \"x\""])
        try file.write(to: path)
        #expect(try Safetensors(contentsOf: path) == file)
        try Safetensors().write(to: path)
        #expect(try Safetensors(contentsOf: path) == Safetensors())
    }

    @Test("The bytes are those of the reference implementation, in whatever order the tensors come")
    func bytes() throws {
        var file = Safetensors(
            [.init("b", shape: [1], values: [1]), .init("a", shape: [2], values: [0, 2])],
            metadata: ["step": "7", "format": "pt"])
        try file.write(to: path)
        let first = try Data(contentsOf: URL(filePath: path))
        let header =
            #"{"__metadata__":{"format":"pt","step":"7"},"a":{"dtype":"F32","shape":[2],"#
            + #""data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#
        #expect(header.utf8.count == 150)
        #expect(
            first == Data([152, 0, 0, 0, 0, 0, 0, 0]) + Data((header + "  ").utf8)
                + Data([0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 128, 63]))
        file.entries.reverse()
        try file.write(to: path)
        #expect(try Data(contentsOf: URL(filePath: path)) == first)
    }

    @Test("A file cut off anywhere is refused, and called torn where only bytes are missing")
    func torn() throws {
        let whole = Data(base64Encoded: pythonFile)!
        for count in 0..<whole.count {
            try whole.prefix(count).write(to: URL(filePath: path))
            #expect(message().contains("\(path) is torn: "), "\(count) bytes")
        }
    }

    @Test(
        "A file that breaks the specification is refused with the reason",
        arguments: [
            (
                #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4,
                "tensor w: expected 8 bytes for shape [2] of F32, found 4"
            ),
            (#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "tensor w leaves a hole"),
            (
                #"{"v":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"w":{"dtype":"U8","shape":[4],"#
                    + #""data_offsets":[2,6]}}"#, 6, "tensor w overlaps the tensor before it"
            ),
            (
                #"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 3,
                "has 2 bytes after its last tensor"
            ),
            (
                #"{"w":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#, 3,
                "is torn: its tensors end at byte"
            ),
            (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, 1, "tensor w: data_offsets are not"),
            (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0]}}"#, 1, "tensor w: data_offsets are not"),
            (#"{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#, 1, "tensor w: its type F8_E4M3"),
            (#"{"w":{"dtype":"U8","shape":[1]}}"#, 1, "tensor w: expected dtype, shape and data_offsets"),
            (#"{"w":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}"#, 1, "expected an integer at byte"),
            (
                #"{"w":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#, 1,
                "expected an integer of at least 0"
            ),
            (#"{"w":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}"#, 1, "begins with 0"),
            (#"{"w":{"dtype":"U8","shape":[true],"data_offsets":[0,1]}}"#, 1, "expected an integer"),
            (
                #"{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0,
                "tensor w: shape [4294967296, 4294967296] has more elements than can be counted"
            ),
            (#"{"w":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,0]}}"#, 0, "too large"),
            (
                #"{"w":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}"#,
                0,
                "data_offsets are not"
            ),
            (
                #"{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"w":{"dtype":"U8","shape":[0],"#
                    + #""data_offsets":[0,0]}}"#, 0, "the name w comes twice"
            ),
            (#"{"__metadata__":{"a":1}}"#, 0, "expected \" at byte"),
            (#"{"__metadata__":{"a":"1","a":"2"}}"#, 0, "the name a comes twice"),
            (#"{"a\ud800":{}}"#, 0, "half a character"), (#"{"a\x":{}}"#, 0, "an unknown escape"),
            (#"{"a"#, 0, "a name is not closed"), ("{} x", 0, "expected the end at"),
            ("{\"w\":{\"y\":\(String(repeating: "[", count: 99_999))", 0, "nested too deeply"),
            (" {}", 0, "its header does not begin with {"), ("", 0, "its header does not begin with {"),
            ("{,}", 0, "expected \" at byte 1, found ,}"),
        ])
    func flaws(header: String, data: Int, reason: String) throws {
        try write(header: header, data: data)
        #expect(message().contains(reason))
    }

    @Test("Escapes, white space and unknown fields are understood")
    func tolerated() throws {
        try write(
            header: #"{ "\u00e9\ud83d\ude42\/" : {"new":[{"a":null},-1.5e3,"x"],"dtype":"U8", "shape":[],"#
                + #""data_offsets":[0,1]}}    "#, data: 1)
        #expect(try Safetensors(contentsOf: path)["é🙂/"]?.contents == .uint8([0]))
    }

    @Test("A header longer than allowed, text that is no UTF-8 and a PyTorch zip are told apart")
    func otherFiles() throws {
        try write(header: "{}", length: 100_000_001)
        #expect(message().contains("announces a header of 100000001 bytes"))
        try write(header: "{}", length: 3)
        #expect(message().contains("is torn: its header takes 11 bytes and the file has 10"))
        try Data([3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0xFF, 0x7D]).write(to: URL(filePath: path))
        #expect(message().contains("not UTF-8"))
        try Data("PK\u{3}\u{4}0123456789".utf8).write(to: URL(filePath: path))
        #expect(message().contains("safetensors.torch.save_file"))
    }

    @Test("A missing file and a folder are named")
    func missing() throws {
        let error = #expect(throws: ResinError.self) { try Safetensors(contentsOf: folder / "none") }
        #expect(error?.kind == .missingFile)
        #expect(error?.message == "cannot read \(folder / "none"): No such file or directory; check the path")
        #expect(throws: ResinError.self) { try Safetensors(contentsOf: folder.path) }
    }

    @Test("Any byte of a header can be wrong without a crash")
    func noise() throws {
        let whole = Data(base64Encoded: pythonFile)!
        var words = Philox(seed: 1, stream: .glyphs)
        words.key.y = 0
        for place in 0..<whole.count {
            var file = whole
            file[place] = UInt8(truncatingIfNeeded: words(.init(UInt32(place), 0, 0, 0)).x)
            try file.write(to: URL(filePath: path))
            _ = message()
        }
    }

    @Test("45 MB load in less than a tenth of a second (a second in a debug build)")
    func speed() throws {
        try Safetensors([.init("w", shape: [11_250_000], values: .init(repeating: 1, count: 11_250_000))])
            .write(to: path)
        var file = Safetensors()
        let time = try ContinuousClock().measure { file = try Safetensors(contentsOf: path) }
        #expect(file["w"]?.values.last == 1)
        print("45 MB of weights loaded in \(time)")
        #expect(time < .seconds(1))
    }
}

/// `safetensors.torch.save` 0.8.0 of eight tensors, metadata {"format": "pt"}.
private let pythonFile = """
    GAIAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJjLm51bV9iYXRjaGVzX3RyYWNrZWQiOnsiZHR5cGUiOiJJNjQi\
    LCJzaGFwZSI6W10sImRhdGFfb2Zmc2V0cyI6WzAsOF19LCJjLmRvdWJsZSI6eyJkdHlwZSI6IkY2NCIsInNoYXBlIjpbXSwiZGF0YV9v\
    ZmZzZXRzIjpbOCwxNl19LCJiLndlaWdodCI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMSwzXSwiZGF0YV9vZmZzZXRzIjpbMTYsMjhd\
    fSwiZi5lbXB0eSI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMCwzXSwiZGF0YV9vZmZzZXRzIjpbMjgsMjhdfSwiZC5pbnQiOnsiZHR5\
    cGUiOiJJMzIiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlsyOCwzMl19LCJhLmJyYWluIjp7ImR0eXBlIjoiQkYxNiIsInNoYXBl\
    IjpbMl0sImRhdGFfb2Zmc2V0cyI6WzMyLDM2XX0sImEuaGFsZiI6eyJkdHlwZSI6IkYxNiIsInNoYXBlIjpbMl0sImRhdGFfb2Zmc2V0\
    cyI6WzM2LDQwXX0sImUuYnl0ZXMiOnsiZHR5cGUiOiJVOCIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzQwLDQzXX19ICAgIAEA\
    AAAAACAAAAAAAAAABEAAAMA/AAAAwAAAUED5////gD9JwAA4//sA/wM=
    """
