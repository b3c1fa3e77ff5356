import CZlib
import Foundation
import ResinDataset
import ResinFixtures
import ResinTensor
import Testing

/// What formats give, whole and in parts.
@Suite struct PhotographDecodingTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Sums of the pixels that Pillow 12 reads of the fixtures. Not of the incomplete progressive one, of which every version
    /// of libjpeg-turbo estimates the missing coefficients in its own way.
    static let sums: [String: UInt] = [
        "1x1": 0x033F_66BF, "2x1": 0x292E_0B72, "2x2": 0x1DAD_5010, "1x2": 0x8C89_CB1F, "4x1": 0x05C9_FB5D,
        "4x2": 0x8537_B4A0, "grey": 0x2445_0792, "rgb": 0x6D34_29CB, "progressive": 0x1DAD_5010,
        "restart": 0x1DAD_5010, "cmyk": 0x6D34_29CB, "webp": 0xFB24_5458,
        "lossless": 0x367A_E171, "webpAlpha": 0x0C67_4583,
    ]
    private static let fixtures = jpegKinds.merging(webpKinds) { $1 }

    private func sum(_ bytes: [UInt8]) -> UInt { crc32_z(0, bytes, bytes.count) }

    @Test(
        "The pixels of every kind of JPEG and WebP are those that Pillow reads", arguments: sums.keys.sorted()
    )
    func whole(kind: String) throws {
        let image = try RasterImage(contentsOf: folder.write(Self.fixtures[kind]!, to: "image"))
        #expect(image.height == 52 && image.width == 70 && image.channels == (kind == "grey" ? 1 : 3))
        #expect(sum(image.pixels) == Self.sums[kind]!)
    }

    @Test(
        "A JPEG much larger than the network is decoded at a half, a quarter or an eighth, as Pillow's draft mode does",
        arguments: [
            (27, 52, 70, 0x1DAD_5010), (26, 52, 70, 0x1DAD_5010), (13, 26, 35, 0x5804_58AF),
            (6, 13, 18, 0x3C44_D447), (3, 7, 9, 0x79D9_704D),
        ] as [(Int, Int, Int, UInt)])
    func reduced(side: Int, height: Int, width: Int, expected: UInt) throws {
        let image = try RasterImage(contentsOf: folder.write(jpegKinds["2x2"]!, to: "image"), forSide: side)
        #expect(image.height == height && image.width == width)
        #expect(sum(image.pixels) == expected)
    }

    /// A set of one image twice, which is all that is to be read of it.
    private func set(_ bytes: [UInt8], side: Int?) throws -> any PhotographSource {
        for name in ["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg"] { try folder.write(bytes, to: name) }
        let set = try Dataset.load(folder.path, side: side, seed: 1)
        return try #require(set.train as? any PhotographSource)
    }

    private func bytes(_ set: any PhotographSource, _ box: PixelBox) throws -> [UInt8] {
        let count = box.size.area * set.channels
        return try [UInt8](unsafeUninitializedCapacity: count) { bytes, filled in
            try set.read(0, box, into: UnsafeMutableBufferPointer(rebasing: bytes[..<count]))
            filled = count
        }
    }

    /// All pairs of edges in one direction, with some of the other.
    private static func boxes(_ size: PixelSize) -> [PixelBox] {
        var boxes: [PixelBox] = []
        let rows = [0..<size.height, size.height / 3..<size.height / 2 + 1, size.height - 1..<size.height]
        for left in 0..<size.width {
            for right in left + 1...size.width {
                let rows = rows[(left + right) % 3]
                boxes.append(
                    PixelBox(top: rows.lowerBound, left: left, height: rows.count, width: right - left))
            }
        }
        let columns = [0..<size.width, size.width / 3..<size.width / 2 + 1, size.width - 1..<size.width]
        for top in 0..<size.height {
            for bottom in top + 1...size.height {
                let columns = columns[(top + bottom) % 3]
                boxes.append(
                    PixelBox(top: top, left: columns.lowerBound, height: bottom - top, width: columns.count))
            }
        }
        return boxes
    }

    private func expectPartsOfWhole(_ set: any PhotographSource, _ what: String) throws {
        let size = set.size(of: 0)
        let channels = set.channels
        let whole = try bytes(set, PixelBox(size))
        for box in Self.boxes(size) {
            let expected = (box.top..<box.bottom).flatMap { row in
                whole[(row * size.width + box.left) * channels..<(row * size.width + box.right) * channels]
            }
            let part = try bytes(set, box)
            if part != expected {
                let places = part.indices.filter { part[$0] != expected[$0] }
                Issue.record(
                    "\(what): \(box): \(places.count) bytes differ, the first is number \(places[0])")
                return
            }
        }
    }

    @Test(
        "Any part of a JPEG has the bytes that the whole has there", arguments: jpegKinds.keys.sorted(),
        [nil, 13, 6, 3])
    func parts(kind: String, side: Int?) throws {
        let set = try set(jpegKinds[kind]!, side: side)
        try expectPartsOfWhole(set, "\(kind) for \(side ?? 0)")
    }

    @Test(
        "So has any part of a WebP and of a PNG, plain or interlaced",
        arguments: ["webp", "png", "interlaced"])
    func otherParts(kind: String) throws {
        let noise = (0..<3 * 23 * 17).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 9) }
        let bytes =
            kind == "webp"
            ? webpKinds["webp"]!
            : png(width: 23, height: 17, colourType: 2, isInterlaced: kind != "png", samples: noise)
        let set = try set(bytes, side: nil)
        if kind != "webp" { #expect(try self.bytes(set, PixelBox(set.size(of: 0))) == noise) }
        try expectPartsOfWhole(set, kind)
    }

    // MARK: Orientation

    /// A JPEG with the given orientation in its EXIF data.
    private func oriented(_ jpeg: [UInt8], _ orientation: UInt8, isLittle: Bool) -> [UInt8] {
        let number: (Int) -> [UInt8] = {
            isLittle ? [UInt8($0 & 255), UInt8($0 >> 8)] : [UInt8($0 >> 8), UInt8($0 & 255)]
        }
        let tiff =
            Array((isLittle ? "II" : "MM").utf8) + number(42) + (isLittle ? [8, 0, 0, 0] : [0, 0, 0, 8])
            + number(2)
            // Another tag first: the camera's maker.
            + number(0x010F) + number(2) + (isLittle ? [1, 0, 0, 0] : [0, 0, 0, 1]) + [0, 0, 0, 0]
            + number(0x0112) + number(3) + (isLittle ? [1, 0, 0, 0] : [0, 0, 0, 1]) + number(Int(orientation))
            + [0, 0]
            + [0, 0, 0, 0]
        let segment = Array("Exif\0\0".utf8) + tiff
        return jpeg.prefix(2) + [0xFF, 0xE1, 0, UInt8(segment.count + 2)] + segment + jpeg.dropFirst(2)
    }

    @Test("EXIF's orientation is honoured, whole and in parts, and may be left alone", arguments: 1...8)
    func orientation(number: Int) throws {
        let stored = try RasterImage(contentsOf: folder.write(jpegKinds["2x1"]!, to: "stored"))
        let bytes = oriented(jpegKinds["2x1"]!, UInt8(number), isLittle: number % 2 == 0)
        let path = try folder.write(bytes, to: "turned")
        let upright = try RasterImage(contentsOf: path)
        // What the numbers mean: where the stored first row and first column are (JEITA CP-3451).
        let (height, width) = (stored.height, stored.width)
        func place(_ row: Int, _ column: Int) -> (Int, Int) {
            switch number {
            case 1: (row, column)
            case 2: (row, width - 1 - column)
            case 3: (height - 1 - row, width - 1 - column)
            case 4: (height - 1 - row, column)
            case 5: (column, row)
            case 6: (column, height - 1 - row)
            case 7: (width - 1 - column, height - 1 - row)
            default: (width - 1 - column, row)
            }
        }
        #expect(
            upright.height == (number > 4 ? width : height) && upright.width == (number > 4 ? height : width))
        var expected = [UInt8](repeating: 0, count: stored.pixels.count)
        for row in 0..<height {
            for column in 0..<width {
                let (toRow, toColumn) = place(row, column)
                for channel in 0..<3 {
                    expected[(toRow * upright.width + toColumn) * 3 + channel] =
                        stored.pixels[(row * width + column) * 3 + channel]
                }
            }
        }
        #expect(upright.pixels == expected)
        #expect(try RasterImage(contentsOf: path, honoursOrientation: false) == stored)
        try expectPartsOfWhole(try set(bytes, side: nil), "orientation \(number)")
    }

    @Test("EXIF data that are damaged say nothing and harm nothing")
    func damagedOrientation() throws {
        let whole = oriented(jpegKinds["grey"]!, 6, isLittle: true)
        let plain = try RasterImage(contentsOf: folder.write(jpegKinds["grey"]!, to: "plain"))
        // The directory's place, its count, the tag's type, and its value.
        for place in [12 + 4, 12 + 7, 12 + 8, 12 + 9, 12 + 22 + 2, 12 + 22 + 8, 12 + 22 + 9] {
            var bytes = whole
            bytes[place] = 0xFF
            let image = try RasterImage(contentsOf: folder.write(bytes, to: "image"))
            #expect(image.pixels.count == plain.pixels.count, "\(place)")
        }
        var none = whole
        none[12 + 22 + 8] = 9
        #expect(try RasterImage(contentsOf: folder.write(none, to: "image")) == plain)
    }

    // MARK: What is refused

    @Test("An animated WebP, and one that is cut short, are refused by name")
    func webp() throws {
        func refusal(_ bytes: [UInt8]) throws -> ResinError? {
            let path = try folder.write(bytes, to: "image.webp")
            let error = #expect(throws: ResinError.self) { try RasterImage(contentsOf: path) }
            #expect(error?.kind == .badContent && error!.message.contains(path))
            return error
        }
        #expect(try refusal(webpKinds["animated"]!)?.message.contains("animated WebP") == true)
        for kind in ["webp", "lossless", "webpAlpha"] {
            for count in [15, 29, 100, webpKinds[kind]!.count - 1] {
                #expect(
                    try refusal(Array(webpKinds[kind]!.prefix(count)))?.message.contains("cut short") == true)
            }
        }
    }

    @Test("A JPEG cut anywhere is refused, whatever its kind", arguments: jpegKinds.keys.sorted())
    func cut(kind: String) throws {
        let bytes = jpegKinds[kind]!
        for count in stride(from: 3, to: bytes.count, by: 37) {
            for end in [[], [0xFF, 0xD9]] as [[UInt8]] {
                let path = try folder.write(bytes.prefix(count) + end, to: "image.jpg")
                let error = #expect(throws: ResinError.self, "\(count) bytes") {
                    try RasterImage(contentsOf: path)
                }
                #expect(error?.kind == .badContent)
            }
        }
    }

    @Test("Any bytes of an image may be anything, and nothing traps", arguments: fixtures.keys.sorted())
    func mutated(kind: String) throws {
        let whole = kind == "2x1" ? oriented(Self.fixtures[kind]!, 6, isLittle: true) : Self.fixtures[kind]!
        var state = UInt64(kind.utf8.reduce(1) { $0 &* 31 &+ Int($1) })
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var readable = 0
        for round in 0..<200 {
            var bytes = whole
            // Half of the rounds change headers, which come first.
            for _ in 0...next(3) {
                bytes[next(round % 2 == 0 ? bytes.count : min(bytes.count, 300))] = UInt8(next(256))
            }
            let path = try folder.write(bytes, to: "image")
            do {
                let image = try RasterImage(contentsOf: path, forSide: [nil, 6][round % 3 % 2])
                #expect(image.pixels.count == image.height * image.width * image.channels)
                readable += 1
            } catch let error as ResinError {
                #expect(error.message.contains(path))
            }
        }
        // Not all of them change what matters.
        #expect(readable > 0 || kind == "animated")
    }
}
