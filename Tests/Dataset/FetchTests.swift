import Foundation
import ResinDataset
import ResinFixtures
import ResinTensor
import Testing

@Suite(.serialized, .enabled(if: FileServer.isAvailable, "the test's web server needs python3"))
struct FetchTests {
    /// What the server has, and where it is fetched to.
    let published: TemporaryFolder
    let data: TemporaryFolder

    init() throws {
        published = try TemporaryFolder()
        data = try TemporaryFolder()
    }

    /// The bytes "abc" and "hey", from FIPS 180-4's examples and coreutils.
    static let abc = PublishedDataset.Digest(
        3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    static let hey = PublishedDataset.Digest(
        3, "fa690b82061edfd2852629aeba8a8977b57e40fcb77d1a7a28b26cba62591204")

    private func tinySet(_ files: [PublishedDataset.File]) -> PublishedDataset {
        PublishedDataset(
            name: "tiny", format: .idx, classNames: ["a", "b"], mean: [0], standardDeviation: [1],
            address: "http://127.0.0.1:9/", files: files, trainCounts: [1, 1], testCounts: [1, 1])
    }

    private var abcSet: PublishedDataset { tinySet([.init(name: "one.gz", bytes: Self.abc)]) }

    private func holds(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: data.path + "/" + name)
    }

    private func refusal(_ body: () throws -> Void) -> ResinError? {
        #expect(throws: ResinError.self) { try body() }
    }

    @Test("A file is fetched, checked and put into place; what is there is not fetched again")
    func whole() throws {
        try published.write(Array("abc".utf8), to: "one.gz")
        let server = try FileServer(folder: published.path)
        try abcSet.fetch(into: data.path, from: server.address)
        #expect(try data.bytes(of: "tiny/one.gz") == Array("abc".utf8))
        #expect(!holds("tiny/one.gz.part"))
        try abcSet.fetch(into: data.path, from: String(server.address.dropLast()))
        #expect(server.requests == ["one.gz 0"])
    }

    @Test("A download that breaks off goes on where it was")
    func resumed() throws {
        try published.write(Array("abc".utf8), to: "one.gz")
        let server = try FileServer(folder: published.path)
        try server.breakOff("one.gz", after: 2)
        let error = refusal { try abcSet.fetch(into: data.path, from: server.address) }
        #expect(error?.kind == .failure)
        #expect(error?.message.contains("2 bytes are kept") == true, "\(error!)")
        #expect(try data.bytes(of: "tiny/one.gz.part") == Array("ab".utf8))
        #expect(!holds("tiny/one.gz"))
        try abcSet.fetch(into: data.path, from: server.address)
        #expect(server.requests == ["one.gz 0", "one.gz 2"])
        #expect(try data.bytes(of: "tiny/one.gz") == Array("abc".utf8))
    }

    @Test("Where a server has no ranges, a download that broke off starts anew")
    func withoutRanges() throws {
        try published.write(Array("abc".utf8), to: "one.gz")
        try data.write(Array("a".utf8), to: "tiny/one.gz.part")
        let server = try FileServer(folder: published.path, hasRanges: false)
        try abcSet.fetch(into: data.path, from: server.address)
        #expect(server.requests.count == 2)
        #expect(try data.bytes(of: "tiny/one.gz") == Array("abc".utf8))
    }

    @Test(
        "A rest of something else is found out by the sum, and fetched anew",
        arguments: ["x", "xyz", "xyzuvw"])
    func otherRest(rest: String) throws {
        try published.write(Array("abc".utf8), to: "one.gz")
        try data.write(Array(rest.utf8), to: "tiny/one.gz.part")
        let server = try FileServer(folder: published.path)
        try abcSet.fetch(into: data.path, from: server.address)
        #expect(server.requests == (rest.count < 3 ? ["one.gz \(rest.count)"] : []) + ["one.gz 0"])
        #expect(try data.bytes(of: "tiny/one.gz") == Array("abc".utf8))
    }

    @Test("A rest that is whole only gets its name")
    func wholeRest() throws {
        try data.write(Array("abc".utf8), to: "tiny/one.gz.part")
        try abcSet.fetch(into: data.path, from: "http://127.0.0.1:9/")
        #expect(try data.bytes(of: "tiny/one.gz") == Array("abc".utf8))
    }

    @Test("What is not the published file is thrown away, with both sums")
    func wrongSum() throws {
        try published.write(Array("hey".utf8), to: "one.gz")
        let server = try FileServer(folder: published.path)
        let error = refusal { try abcSet.fetch(into: data.path, from: server.address) }
        #expect(error?.kind == .badContent)
        for digest in [Self.abc, Self.hey] {
            #expect(error?.message.contains(digest.sha256) == true, "\(error!)")
        }
        #expect(!holds("tiny/one.gz.part") && !holds("tiny/one.gz"))
    }

    @Test(
        "A server that sends more than the file's size is stopped there, and nothing is kept",
        arguments: ["abcd", "abc" + String(repeating: "abc", count: 1_000_000)])
    func tooLong(content: String) throws {
        try published.write(Array(content.utf8), to: "one.gz")
        let server = try FileServer(folder: published.path)
        let error = refusal { try abcSet.fetch(into: data.path, from: server.address) }
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains("more than 3 bytes") == true, "\(error!)")
        #expect(!holds("tiny/one.gz.part") && !holds("tiny/one.gz"))
    }

    @Test("The published content in another container is right too, if that is no larger")
    func otherContainer() throws {
        try published.writeGzip(Array("abc".utf8), to: "one.gz")
        let file = PublishedDataset.File(
            name: "one.gz", bytes: PublishedDataset.Digest(30, Self.hey.sha256), content: Self.abc)
        let server = try FileServer(folder: published.path)
        try tinySet([file]).fetch(into: data.path, from: server.address)
        #expect(try data.bytes(of: "tiny/one.gz") == published.bytes(of: "one.gz"))
        #expect(try file.check(data.path + "/tiny/one.gz") == .publishedContent)
    }

    @Test("A file that is there and is another is left alone, and named")
    func otherPresent() throws {
        try data.write(Array("hello\n".utf8), to: "tiny/one.gz")
        let error = refusal { try abcSet.fetch(into: data.path, from: "http://127.0.0.1:9/") }
        #expect(error?.kind == .badContent && error!.message.contains("tiny/one.gz"))
        #expect(try data.bytes(of: "tiny/one.gz") == Array("hello\n".utf8))
    }

    @Test("A file that the server does not have, and a server that is not there, leave nothing behind")
    func unreachable() throws {
        let server = try FileServer(folder: published.path)
        let missing = refusal { try abcSet.fetch(into: data.path, from: server.address) }
        #expect(missing?.kind == .missingFile && missing!.message.contains("404"), "\(missing!)")
        let refused = refusal { try abcSet.fetch(into: data.path, from: "http://127.0.0.1:9/") }
        #expect(refused?.kind == .failure && refused!.message.contains("127.0.0.1"), "\(refused!)")
        #expect(!holds("tiny/one.gz.part"))
    }

    @Test("A data folder that cannot be made is exit 74's error")
    func unwritable() {
        #expect(refusal { try abcSet.fetch(into: "/proc/resin") }?.kind == .cannotWrite)
    }

    @Test("verify tells published bytes, other bytes, and what differs in the images")
    func verify() throws {
        try data.write(idx([2, 1, 2], [0, 255, 0, 255]), to: "tiny/train-images-idx3-ubyte")
        try data.write(idx([2], [0, 1]), to: "tiny/train-labels-idx1-ubyte")
        try data.write(idx([2, 1, 2], [0, 255, 0, 255]), to: "tiny/t10k-images-idx3-ubyte")
        try data.write(idx([2], [1, 0]), to: "tiny/t10k-labels-idx1-ubyte")
        func set(mean: Float, tests: [Int]) -> PublishedDataset {
            PublishedDataset(
                name: "tiny", format: .idx, classNames: ["a", "b"], mean: [mean], standardDeviation: [0.5],
                address: "", files: [.init(name: "train-labels-idx1-ubyte.gz", bytes: Self.abc)],
                trainCounts: [1, 1], testCounts: tests)
        }
        let right = try set(mean: 0.5, tests: [1, 1]).verify(in: data.path)
        #expect(right.differences.isEmpty)
        #expect(right.files.map(\.origin) == [.other] && !right.isPublished)
        let wrong = try set(mean: 0.4, tests: [2, 1]).verify(in: data.path)
        #expect(wrong.differences.count == 3)
        #expect(wrong.differences[0].contains("2 test images, published are 3"))
        #expect(wrong.differences[1].contains("class 'a', published are 2"))
        #expect(wrong.differences[2].contains("mean"))
    }

    @Test("All published sets have sums of 64 digits and counts for their classes")
    func table() {
        for set in PublishedDataset.all {
            #expect(set.trainCounts.count == set.classNames.count)
            #expect(set.testCounts.count == set.classNames.count)
            #expect(set.testCounts.reduce(0, +) == 10_000)
            for file in set.files {
                for digest in [file.bytes, file.content].compactMap({ $0 }) {
                    let sum = digest.sha256
                    #expect(sum.count == 64 && sum.allSatisfy { $0.isHexDigit && !$0.isUppercase })
                }
            }
        }
    }
}
