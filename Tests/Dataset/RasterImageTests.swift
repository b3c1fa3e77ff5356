import Foundation
import ResinDataset
import ResinFixtures
import ResinTensor
import Testing

@Suite struct RasterImageTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func decode(_ bytes: [UInt8]) throws -> RasterImage {
        try RasterImage(contentsOf: folder.write(bytes, to: "image"))
    }

    private func expectBadContent(
        _ bytes: [UInt8], _ words: String..., location: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: ResinError.self, sourceLocation: location) { try decode(bytes) }
        #expect(error?.kind == .badContent, sourceLocation: location)
        for word in [folder.path + "/image"] + words {
            #expect(error?.message.contains(word) == true, "\(error!)", sourceLocation: location)
        }
    }

    // MARK: PNG

    @Test("A grey PNG keeps its bytes and its one channel")
    func grey() throws {
        let image = try decode(png(width: 3, height: 2, colourType: 0, samples: [0, 1, 2, 128, 254, 255]))
        #expect(
            image == RasterImage(height: 2, width: 3, channels: 1, pixels: [0, 1, 2, 128, 254, 255]))
    }

    @Test("A colour PNG is red, green and blue in turn")
    func colour() throws {
        let image = try decode(png(width: 2, height: 1, colourType: 2, samples: [255, 0, 7, 1, 2, 3]))
        #expect(image == RasterImage(height: 1, width: 2, channels: 3, pixels: [255, 0, 7, 1, 2, 3]))
    }

    @Test("A palette's numbers become its colours")
    func palette() throws {
        let image = try decode(
            png(width: 2, height: 1, colourType: 3, palette: [9, 8, 7, 50, 60, 70], samples: [1, 0]))
        #expect(image == RasterImage(height: 1, width: 2, channels: 3, pixels: [50, 60, 70, 9, 8, 7]))
    }

    @Test("Transparency is left out, the colour beneath stays")
    func alpha() throws {
        let grey = try decode(png(width: 2, height: 1, colourType: 4, samples: [100, 0, 200, 255]))
        #expect(grey == RasterImage(height: 1, width: 2, channels: 1, pixels: [100, 200]))
        let colour = try decode(png(width: 1, height: 1, colourType: 6, samples: [10, 20, 30, 5]))
        #expect(colour == RasterImage(height: 1, width: 1, channels: 3, pixels: [10, 20, 30]))
    }

    @Test("A palette's transparency, and a transparent grey, are left out")
    func transparency() throws {
        let palette = try decode(
            png(
                width: 2, height: 1, colourType: 3, palette: [9, 8, 7, 50, 60, 70], transparency: [0, 128],
                samples: [1, 0]))
        #expect(palette == RasterImage(height: 1, width: 2, channels: 3, pixels: [50, 60, 70, 9, 8, 7]))
        let grey = try decode(
            png(width: 2, height: 1, colourType: 0, transparency: [0, 100], samples: [100, 7]))
        #expect(grey == RasterImage(height: 1, width: 2, channels: 1, pixels: [100, 7]))
    }

    @Test("The upper eight of sixteen bits are taken")
    func sixteenBits() throws {
        let grey = try decode(
            png(width: 2, height: 1, colourType: 0, bitDepth: 16, samples: [0x40, 0xFF, 0xFF, 0x00]))
        #expect(grey == RasterImage(height: 1, width: 2, channels: 1, pixels: [0x40, 0xFF]))
        let colour = try decode(
            png(width: 1, height: 1, colourType: 6, bitDepth: 16, samples: [1, 9, 2, 9, 3, 9, 4, 9]))
        #expect(colour == RasterImage(height: 1, width: 1, channels: 3, pixels: [1, 2, 3]))
    }

    /// A gamma of 1, sRGB's mark, a profile's name without a profile, and chromaticities.
    static let colourChunks: [(String, [UInt8])] = [
        ("gAMA", [0, 1, 0x86, 0xA0]), ("sRGB", [0]), ("iCCP", Array("none".utf8) + [0, 0, 1, 2, 3]),
        ("cHRM", [UInt8](repeating: 1, count: 32)),
    ]

    @Test("Chunks about gamma and colours change no pixel, of 8 bits or 16", arguments: 0..<5)
    func gamma(count: Int) throws {
        let extra = count == 4 ? Self.colourChunks : [Self.colourChunks[count]]
        for bitDepth: UInt8 in [8, 16] {
            for colourType: UInt8 in [0, 2] {
                let samples = (0..<12).map { UInt8($0 * 20) }
                let plain = png(
                    width: bitDepth == 8 ? 2 : 1, height: colourType == 0 ? 6 : 2, colourType: colourType,
                    bitDepth: bitDepth, samples: samples)
                let marked = png(
                    width: bitDepth == 8 ? 2 : 1, height: colourType == 0 ? 6 : 2, colourType: colourType,
                    bitDepth: bitDepth, extra: extra, samples: samples)
                let image = try decode(marked)
                #expect(try image == decode(plain))
                let stored = stride(from: 0, to: 12, by: bitDepth == 8 ? 1 : 2).map { samples[$0] }
                #expect(image.pixels == stored)
            }
        }
    }

    @Test("Bits become bytes, and an image of one pixel is one")
    func fewBits() throws {
        let image = try decode(png(width: 5, height: 1, colourType: 0, bitDepth: 1, samples: [0b1011_0000]))
        #expect(image == RasterImage(height: 1, width: 5, channels: 1, pixels: [255, 0, 255, 255, 0]))
        #expect(try decode(greyPNG(9, width: 1, height: 1)).pixels == [9])
    }

    @Test("A PNG that is cut short is an error that names the file", arguments: [9, 30, 45, 60])
    func truncatedPNG(count: Int) throws {
        let noise = (0..<64).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        let whole = png(width: 8, height: 8, colourType: 0, samples: noise)
        expectBadContent(Array(whole.prefix(count)), "PNG", "cut short")
    }

    @Test("A PNG whose content is damaged is an error")
    func damagedPNG() throws {
        var bytes = png(width: 8, height: 8, colourType: 0, samples: (0..<64).map { $0 * 3 })
        bytes[50] ^= 0xFF
        expectBadContent(bytes, "PNG", "damaged")
    }

    /// A small PNG under another's header.
    private func headed(width: Int, height: Int) -> [UInt8] {
        let header = png(
            width: width, height: height, colourType: 0, samples: [UInt8](repeating: 0, count: height))
        return Array(header.prefix(33)) + greyPNG(1).dropFirst(33)
    }

    @Test("A header that claims more pixels than the file can hold is an error, not an allocation")
    func enormous() throws {
        expectBadContent(headed(width: 20_000, height: 12_000), "12000×20000", "cannot hold")
        expectBadContent(headed(width: 1 << 16, height: 1 << 15), "1 to 65,535")
        expectBadContent(headed(width: 0x7FFF_FFFF, height: 1), "1×2147483647")
    }

    // MARK: JPEG

    @Test("A grey JPEG has one channel and, almost, the pixels it was made of")
    func jpegGrey() throws {
        let image = try decode(greyJPEG)
        #expect(image.height == 2 && image.width == 4 && image.channels == 1)
        for (byte, original) in zip(image.pixels, [20, 20, 220, 220, 20, 20, 220, 220]) {
            #expect(abs(Int(byte) - original) <= 2)
        }
    }

    @Test("A colour JPEG has three channels and, almost, the pixels it was made of")
    func jpegColour() throws {
        let image = try decode(colourJPEG)
        #expect(image.height == 1 && image.width == 16 && image.channels == 3)
        let pixels = image.pixels.map(Int.init)
        for (byte, original) in zip(pixels.prefix(3) + pixels.suffix(3), [200, 30, 90, 10, 160, 240]) {
            #expect(abs(byte - original) <= 2)
        }
    }

    @Test("A JPEG that is cut short is an error, although its library only warns", arguments: [2, 10, 40])
    func truncatedJPEG(missing: Int) {
        expectBadContent(Array(greyJPEG.dropLast(missing)), "JPEG", "cut short")
    }

    @Test("A progressive JPEG is read like any other")
    func progressive() throws {
        let image = try decode(progressiveJPEG)
        #expect(
            image
                == RasterImage(
                    height: 2, width: 4, channels: 1, pixels: [20, 15, 224, 221, 20, 15, 224, 221]))
    }

    @Test("Bytes that some cameras leave between a JPEG's image and its end do no harm")
    func extraneousBytes() throws {
        for whole in [greyJPEG, progressiveJPEG] {
            #expect(try decode(whole.dropLast(2) + [0, 0, 0] + whole.suffix(2)) == decode(whole))
            #expect(try decode(whole + [1, 2, 3]) == decode(whole))
        }
        var flaws: [String] = []
        let path = try folder.write(extraneousJPEG, to: "flawed")
        let image = try RasterImage(contentsOf: path) { flaws.append($0) }
        #expect(try image == decode(restartJPEG))
        #expect(flaws.count == 1)
        for word in [path, "could be read", "20 extraneous bytes"] {
            #expect(flaws.first?.contains(word) == true, "\(flaws)")
        }
        expectBadContent(extraneousJPEG.dropLast(4), "cut short")
        expectBadContent(progressiveJPEG.dropLast(40) + [0, 0, 0xFF, 0xD9], "cut short")
        expectBadContent([0xFF, 0xD8, 0xFF], "cut short")
    }

    @Test("A CMYK JPEG comes to RGB as Pillow brings it there")
    func cmyk() throws {
        let bytes = Data(
            base64Encoded: """
                /9j/7gAOQWRvYmUAZAAAAAAC/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4L\
                CxAWEBETFBUVFQwPFxgWFBgSFBUU/9sAQwEDBAQFBAUJBQUJFA0LDRQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU\
                FBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU/8AAFAgACAAIBAERAAIRAQMRAQQRAP/EABUAAQEAAAAAAAAAAAAAAAAA\
                AAQJ/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/EABUBAQEAAAAAAAAAAAAAAAAAAAYI/8QAFBEBAAAAAAAAAAAAAAAA\
                AAAAAP/aAA4EAQACEQMRBAAAPwAh6uVPp//Z
                """)!
        let image = try decode(Array(bytes))
        #expect(image.pixels == (0..<64).flatMap { _ in [1, 24, 11] as [UInt8] })
    }

    // MARK: Anything else

    @Test("A file that is none of the formats, or empty, is called so")
    func otherFiles() {
        expectBadContent(Array("GIF89a".utf8), "neither PNG, JPEG nor WebP")
        expectBadContent([], "an empty file")
    }

    @Test("A file that is not there is a missing file, and a folder is no image")
    func missing() {
        let error = #expect(throws: ResinError.self) {
            try RasterImage(contentsOf: folder.path + "/nothing.png")
        }
        #expect(error?.kind == .missingFile && error!.message.contains("/nothing.png"))
        let other = #expect(throws: ResinError.self) { try RasterImage(contentsOf: folder.path) }
        #expect(other?.kind == .badContent)
    }

    @Test("Fitting converts, then resizes, whatever it does first")
    func fitting() {
        let grey = RasterImage(height: 2, width: 3, channels: 1, pixels: [0, 90, 255, 13, 14, 200])
        let colour = RasterImage(height: 1, width: 2, channels: 3, pixels: [255, 0, 7, 1, 2, 90])
        for image in [grey, colour] {
            for channels in [1, 3] {
                #expect(
                    image.fitted(channels: channels, height: 2, width: 2)
                        == image.converted(toChannels: channels).resized(toHeight: 2, width: 2))
            }
        }
    }

    @Test("Grey becomes three equal channels; colour becomes the luma of BT.601")
    func channels() {
        let grey = RasterImage(height: 1, width: 2, channels: 1, pixels: [5, 250])
        #expect(grey.converted(toChannels: 3).pixels == [5, 5, 5, 250, 250, 250])
        #expect(grey.converted(toChannels: 1) == grey)
        let colour = RasterImage(
            height: 1, width: 4, channels: 3, pixels: [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 10, 10])
        // 0.299, 0.587 and 0.114 of 255.
        #expect(colour.converted(toChannels: 1).pixels == [76, 150, 29, 10])
    }
}
