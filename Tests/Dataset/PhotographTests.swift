import Foundation
import ResinDataset
import ResinFixtures
import ResinTensor
import Testing

/// Images that are decoded when they are asked for.
@Suite struct PhotographTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func photographs(side: Int? = nil, honoursOrientation: Bool = true) throws -> any PhotographSource
    {
        let set = try Dataset.load(
            folder.path, side: side, seed: 1, honoursOrientation: honoursOrientation)
        return try #require(set.train as? any PhotographSource)
    }

    private func bytes(_ set: any PhotographSource, _ image: Int, _ box: PixelBox) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: box.size.area * set.channels) { bytes, count in
            count = box.size.area * set.channels
            try set.read(image, box, into: UnsafeMutableBufferPointer(rebasing: bytes[..<count]))
        }
    }

    @Test("Names are relative to the folder; sizes are each image's own")
    func names() throws {
        try folder.write(greyPNG(1, width: 3, height: 5), to: "train/cat/1.png")
        try folder.write(greyPNG(9, width: 4, height: 2), to: "train/dog/more/2.png")
        try folder.write(greyPNG(9), to: "test/cat/1.png")
        let set = try photographs(side: 8)
        #expect(set.shape == [2, 8, 8, 1])
        #expect((0..<2).map { set.name(of: $0) } == ["train/cat/1.png", "train/dog/more/2.png"])
        #expect(set.size(of: 0) == PixelSize(height: 5, width: 3))
        #expect(set.size(of: 1) == PixelSize(height: 2, width: 4))
        let first = try #require(try set.prefix(1) as? any PhotographSource)
        #expect(first.count == 1 && first.name(of: 0) == "train/cat/1.png")
    }

    @Test("A file that changes after its header was read is an error that names it")
    func changed() throws {
        for name in ["train/a/1.png", "train/b/1.png", "test/a/1.png"] {
            try folder.write(greyPNG(name.contains("b/") ? 9 : 200), to: name)
        }
        let set = try photographs()
        let whole = PixelBox(set.size(of: 1))
        #expect(try bytes(set, 1, whole) == [9, 9, 9, 9])
        try folder.write(Array(greyPNG(9).dropLast(3)), to: "train/b/1.png")
        let shrunk = #expect(throws: ResinError.self) { try bytes(set, 1, whole) }
        #expect(shrunk?.kind == .badContent && shrunk!.message.contains("train/b/1.png: has "))
        try FileManager.default.removeItem(atPath: folder.path + "/train/b/1.png")
        let gone = #expect(throws: ResinError.self) { try bytes(set, 1, whole) }
        #expect(gone?.kind == .missingFile && gone!.message.contains("train/b/1.png"))
    }

    @Test("The checksum is of names, sizes and labels, and changes with each")
    func checksum() throws {
        func fill(_ names: [String]) throws {
            for name in names { try folder.write(greyPNG(name.contains("1") ? 9 : 200), to: name) }
        }
        try fill(["train/a/1.png", "train/b/2.png", "test/a/1.png"])
        let sum = try photographs().checksum()
        #expect(try photographs().checksum() == sum)
        try folder.write(greyPNG(9) + [0], to: "train/a/1.png")
        let longer = try photographs().checksum()
        try FileManager.default.moveItem(
            atPath: folder.path + "/train/a/1.png", toPath: folder.path + "/train/a/3.png")
        let renamed = try photographs().checksum()
        #expect(Set([sum, longer, renamed]).count == 3)
    }

    @Test(
        "Of a photograph of 20,000×12,000 pixels a part is read, and the whole at an eighth, in little memory"
    )
    func large() throws {
        let bytes = flatJPEG(height: 12_000, width: 20_000)
        for name in ["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg"] { try folder.write(bytes, to: name) }
        try folder.write(greyPNG(9), to: "train/b/1.jpg")
        let set = try photographs(side: 224)
        #expect(set.size(of: 0) == PixelSize(height: 1500, width: 2500))
        let part = try self.bytes(set, 0, PixelBox(top: 700, left: 1200, height: 300, width: 500))
        #expect(part.allSatisfy { $0 == 128 })
    }
}
