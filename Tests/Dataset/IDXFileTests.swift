import ResinDataset
import ResinTensor
import Testing

@Suite struct IDXFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func readImages(
        _ path: String, first count: Int? = nil
    ) throws -> (extents: [Int], elements: [UInt8]) {
        let file = try IDXFile(path: path, dimensionNames: ["images", "height", "width"])
        return (file.extents, try file.elements(first: count))
    }

    /// Reading `path` as images must fail as bad content, with a message that names the file and says
    /// `words`.
    private func expectBadContent(
        _ path: String, _ words: String..., location: SourceLocation = #_sourceLocation
    ) {
        do {
            _ = try readImages(path)
            Issue.record("reading succeeded", sourceLocation: location)
        } catch let error as ResinError {
            #expect(error.kind == .badContent, sourceLocation: location)
            for word in [path] + words {
                #expect(error.message.contains(word), "\(error.message)", sourceLocation: location)
            }
        } catch {
            Issue.record(error, sourceLocation: location)
        }
    }

    @Test("A plain file gives its extents and its bytes")
    func plain() throws {
        let file = try readImages(folder.write(idx([2, 1, 3], [1, 2, 3, 4, 5, 6]), to: "images"))
        #expect(file.extents == [2, 1, 3])
        #expect(file.elements == [1, 2, 3, 4, 5, 6])
    }

    @Test("Gzip is known by the content, whatever the file is called", arguments: ["images.gz", "images"])
    func gzip(name: String) throws {
        let file = try readImages(folder.writeGzip(idx([1, 2, 2], [9, 8, 7, 6]), to: name))
        #expect(file.elements == [9, 8, 7, 6])
    }

    @Test("A plain file may be called .gz")
    func plainCalledGzip() throws {
        let file = try readImages(folder.write(idx([1, 2, 2], [9, 8, 7, 6]), to: "images.gz"))
        #expect(file.elements == [9, 8, 7, 6])
    }

    @Test("A gzip stream that is cut short is an error, wherever the cut is", arguments: [1, 4, 8, 9, 100])
    func truncatedGzip(missing: Int) throws {
        // Noise does not compress, so every cut but the last two takes elements away.
        let noise = (0..<784).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        try folder.writeGzip(idx([1, 28, 28], noise), to: "whole.gz")
        let path = try folder.write(Array(folder.bytes(of: "whole.gz").dropLast(missing)), to: "cut.gz")
        expectBadContent(path, "cut short", "again")
    }

    @Test("A gzip stream whose checksum is wrong is an error")
    func damagedGzip() throws {
        try folder.writeGzip(idx([1, 2, 2], [9, 8, 7, 6]), to: "whole.gz")
        var bytes = try folder.bytes(of: "whole.gz")
        bytes[bytes.count - 8] ^= 1
        expectBadContent(try folder.write(bytes, to: "damaged.gz"), "damaged", "again")
    }

    @Test("The first images are read without what follows them")
    func first() throws {
        // More than zlib reads ahead.
        let noise = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        try folder.writeGzip(idx([1 << 19, 1, 2], noise), to: "whole.gz")
        let path = try folder.write(Array(folder.bytes(of: "whole.gz").dropLast(100)), to: "cut.gz")
        #expect(try readImages(path, first: 1).elements == Array(noise.prefix(2)))
        expectBadContent(path, "cut short")
    }

    @Test("A wrong magic number is named with what was expected")
    func magic() throws {
        expectBadContent(
            try folder.write(Array("<html>404 not found</html>".utf8), to: "images"), "magic number",
            "expected 00 00 08 03", "found 3c 68 74 6d")
    }

    @Test("An empty file is called empty")
    func empty() throws {
        expectBadContent(try folder.write([], to: "images"), "magic number", "an empty file")
    }

    @Test("Elements other than unsigned bytes are refused")
    func elementType() throws {
        expectBadContent(
            try folder.write(idx([1, 1, 1], [0, 0, 0, 0], type: 0x0D), to: "images"), "element type",
            "expected 08", "found 0d")
    }

    @Test("Labels in the place of images are noticed by their number of dimensions")
    func rank() throws {
        expectBadContent(
            try folder.write(idx([4], [0, 1, 2, 3]), to: "labels"), "number of dimensions", "expected 3",
            "found 1", "exchanged")
    }

    @Test("A header that is cut short is an error")
    func shortHeader() throws {
        expectBadContent(
            try folder.write(Array(idx([1, 28, 28], []).prefix(10)), to: "images"), "header",
            "expected 16 bytes, found 10")
    }

    @Test("Zero images are an error")
    func noImages() throws {
        expectBadContent(try folder.write(idx([0, 28, 28], []), to: "images"), "images: expected at least 1")
    }

    @Test("Images of zero size are an error")
    func sizeZero() throws {
        expectBadContent(try folder.write(idx([3, 28, 0], []), to: "images"), "width: expected at least 1")
    }

    @Test("Fewer bytes than the header says are an error")
    func fewer() throws {
        expectBadContent(
            try folder.write(idx([2, 2, 2], [1, 2, 3, 4, 5, 6, 7]), to: "images"), "2×2×2 = 8 bytes expected")
        expectBadContent(
            try folder.writeGzip(idx([2, 2, 2], [1, 2, 3, 4, 5, 6, 7]), to: "images.gz"),
            "2×2×2 = 8 bytes expected", "only 7")
    }

    @Test("More bytes than the header says are an error")
    func more() throws {
        expectBadContent(
            try folder.write(idx([1, 2, 2], [1, 2, 3, 4, 5]), to: "images"), "1×2×2 = 4 bytes expected",
            "more")
        expectBadContent(
            try folder.writeGzip(idx([1, 2, 2], [1, 2, 3, 4, 5]), to: "images.gz"), "1×2×2 = 4 bytes", "more")
    }

    @Test("Absurd dimensions are an error, not an allocation")
    func absurd() throws {
        expectBadContent(
            try folder.write(idx([.max, .max, .max], [1]), to: "images"), "dimensions", "header")
        expectBadContent(
            try folder.writeGzip(idx([.max, 28, 28], [1]), to: "images.gz"), "4294967295×28×28", "header")
    }

    @Test("A file that is not there is a missing file")
    func missing() {
        let error = #expect(throws: ResinError.self) { try readImages(folder.path + "/nothing") }
        #expect(error?.kind == .missingFile)
        #expect(error?.message.contains("/nothing") == true)
    }
}
