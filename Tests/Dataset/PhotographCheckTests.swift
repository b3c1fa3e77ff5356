import Foundation
import ResinDataset
import ResinFixtures
import ResinTensor
import Testing

@Suite struct PhotographCheckTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("Counts by class and part, sizes, formats, colours, and what is left out")
    func counts() throws {
        try folder.write(greyPNG(1, width: 3, height: 5), to: "train/cat/1.png")
        try folder.write(jpegKinds["2x2"]!, to: "train/cat/2.jpg")
        try folder.write(webpKinds["webpAlpha"]!, to: "train/dog/1.webp")
        try folder.write(greyPNG(2), to: "val/cat/1.png")
        try folder.write([1], to: "train/cat/notes.txt")
        let found = try PhotographCheck(of: folder.path)
        #expect(found.classNames == ["cat", "dog"] && found.imageCount == 4)
        #expect(
            found.parts.map(\.name) == ["train", "test"] && found.parts.map(\.counts) == [[2, 1], [1, 0]])
        #expect(found.formats == ["PNG": 2, "JPEG": 1, "WebP": 1])
        #expect(found.colours == ["grey": 2, "RGB": 1, "RGB and alpha": 1])
        #expect(found.orientations == [1: 4])
        #expect(found.sizes.map(\.description) == ["2×2", "52×70", "52×70"])
        #expect(found.leftOut.map(\.kind) == [".txt"] && found.unreadable.isEmpty && found.duplicates.isEmpty)
    }

    @Test(
        "Equal files are found whatever their names, across parts and classes; files of one size are not equal by it"
    )
    func duplicates() throws {
        let (one, two) = (greyPNG(1, width: 9, height: 9), greyPNG(2, width: 9, height: 9))
        #expect(one.count == two.count)
        // Larger than what is compared first, and different in the middle alone.
        var long = one + [UInt8](repeating: 0, count: 20_000)
        for name in ["train/a/1", "train/a/2", "test/a/3"] { try folder.write(one, to: name + ".png") }
        for name in ["train/a/4", "train/b/5"] { try folder.write(long, to: name + ".png") }
        long[10_000] = 1
        try folder.write(long, to: "train/b/6.png")
        try folder.write(two, to: "test/b/7.png")
        let found = try PhotographCheck(of: folder.path).duplicates
        #expect(
            found.map(\.names) == [
                ["train/a/1.png", "train/a/2.png", "test/a/3.png"], ["train/b/5.png", "train/a/4.png"],
            ])
        #expect(found.map(\.crossesParts) == [true, false] && found.map(\.crossesClasses) == [false, true])
    }

    @Test(
        "What headers show cannot be read is listed; decoding finds the rest, and what is damaged but can be read"
    )
    func unreadable() throws {
        for name in ["train/a/1", "train/b/1", "test/a/1"] {
            try folder.write(greyPNG(UInt8(name.utf8.count)), to: name + ".png")
        }
        try folder.write([1, 2], to: "train/a/2.png")
        var damaged = greyPNG(20)
        damaged[43] ^= 0xFF
        try folder.write(damaged, to: "test/a/3.png")
        try folder.write(extraneousJPEG, to: "train/b/4.jpg")
        #expect(try PhotographCheck(of: folder.path).unreadable.map(\.name) == ["train/a/2.png"])
        let found = try PhotographCheck(of: folder.path, decodes: true)
        #expect(found.unreadable.map(\.name) == ["train/a/2.png", "test/a/3.png"])
        #expect(found.unreadable.allSatisfy { $0.reason.contains($0.name) })
        #expect(
            found.flaws.count == 1 && found.flaws[0].contains("train/b/4.jpg (")
                && found.flaws[0].contains("extraneous"))
    }

    @Test("What is no set of images is refused")
    func others() throws {
        try folder.write([1], to: "x.txt")
        let error = #expect(throws: ResinError.self) { try PhotographCheck(of: folder.path) }
        #expect(error?.kind == .usage)
        let missing = #expect(throws: ResinError.self) { try PhotographCheck(of: folder.path + "/none") }
        #expect(missing?.kind == .missingFile)
    }
}
