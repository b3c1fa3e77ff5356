import CImageCodecs
import ResinTensor

/// What is known of an image before anything of it is decoded.
struct ImageHeader: Equatable, Sendable {
    enum Format: UInt8, Sendable, CaseIterable {
        case png, jpeg, webp

        var name: String {
            switch self {
            case .png: "PNG"
            case .jpeg: "JPEG"
            case .webp: "WebP"
            }
        }
    }

    enum Colours: UInt8, Sendable, CaseIterable {
        case grey, greyAndAlpha, colour, colourAndAlpha, palette, cmyk

        /// 1 or 3.
        var channels: Int { self == .grey || self == .greyAndAlpha ? 1 : 3 }

        var name: String {
            switch self {
            case .grey: "grey"
            case .greyAndAlpha: "grey and alpha"
            case .colour: "RGB"
            case .colourAndAlpha: "RGB and alpha"
            case .palette: "palette"
            case .cmyk: "CMYK"
            }
        }
    }

    var format: Format
    /// As it is stored, before it is turned.
    var storedSize: PixelSize
    var colours: Colours
    /// How the camera was held: EXIF's number, 1 … 8. 1 is upright.
    var orientation: UInt8 = 1
    /// Progressive or interlaced: no part of it can be decoded alone.
    var isInterleaved = false
    /// Of the file.
    var byteCount: Int

    var channels: Int { colours.channels }

    /// Height and width, at most: what JPEG can say.
    static let largestSide = 65_535

    /// The names' endings of files that are taken for images; what they are, their content says.
    static let endings: Set = ["png", "jpg", "jpeg", "jpe", "jfif", "webp"]
    /// For messages.
    static let endingsText = ".png, .jpg, .jpeg or .webp"

    /// Upright, a JPEG at a fraction of its size.
    func size(reduction: Int) -> PixelSize {
        let stored = storedSize(reduction: reduction)
        return orientation > 4 ? PixelSize(height: stored.width, width: stored.height) : stored
    }

    func storedSize(reduction: Int) -> PixelSize {
        PixelSize(
            height: (storedSize.height + reduction - 1) / reduction,
            width: (storedSize.width + reduction - 1) / reduction)
    }

    /// By what a JPEG's sides are divided when it is decoded for a network of that side: the most that leaves its
    /// shorter side twice as long as the network's. It follows from the two sizes alone, so no image's pixels depend on
    /// another's.
    func reduction(forSide side: Int?) -> Int {
        guard let side, format == .jpeg else { return 1 }
        return [8, 4, 2].first { storedSize(reduction: $0).shorterSide >= 2 * side } ?? 1
    }

    /// What is read of the file, at most: neither format needs more for a pixel, and beside them there may be previews,
    /// profiles and the like.
    var readByteCount: Int { min(byteCount, 8 * storedSize.area + 1 << 26) }

    /// What reading and decoding take, at most, beside the pixels that are asked for.
    func workingByteCount(reduction: Int, box: PixelSize) -> Int {
        // A progressive JPEG is kept as coefficients, of 16 bits each, until its last scan.
        let whole =
            isInterleaved || format == .webp ? storedSize.area * channels * (format == .jpeg ? 2 : 1) : 0
        let turned = orientation > 1 ? box.area * 3 : 0
        return readByteCount + whole + turned + 64 * storedSize.width * channels
    }

    /// What bringing the whole image to a size takes, at most.
    func fittingByteCount(reduction: Int) -> Int {
        let size = size(reduction: reduction)
        return workingByteCount(reduction: reduction, box: size) + 2 * size.area * 3
    }
}

extension ImageHeader {
    /// Of a file that a network does not read: on it rests what else is read.
    ///
    /// - Throws: `ResinError`: `.badContent` where it is no image of a known format, its header is not right, or its end
    ///   is not there; `.failure` where the library that decodes it is not installed.
    init(_ image: consuming ImageBytes) throws {
        var window = ImageWindow(image)
        if try window.isPNG() {
            self = try .png(&window)
        } else if try window.holds(0, 3), window.bigEndian(0, 3) == 0xFFD8FF {
            self = try .jpeg(&window)
        } else if try window.holds("RIFF", at: 0), try window.holds("WEBP", at: 8) {
            self = try .webp(&window)
        } else {
            let content = window.byteCount == 0 ? "an empty file" : "neither PNG, JPEG nor WebP"
            throw ResinError(
                .badContent,
                "\(window.image.name): is \(content), going by its content; convert it, or take it away.")
        }
        guard (1...Self.largestSide).contains(storedSize.height),
            (1...Self.largestSide).contains(storedSize.width)
        else {
            throw ResinError(
                .badContent,
                "\(window.image.name): is \(storedSize) pixels by its header; images of 1 to "
                    + "\(Self.largestSide.grouped) pixels a side can be read.")
        }
    }

    static func damaged(_ name: String, _ format: Format, _ reason: String) -> ResinError {
        ResinError(
            .badContent,
            "\(name): the \(format.name) cannot be decoded (\(reason)); it is cut short or damaged, copy it "
                + "again or take it away.")
    }

    /// - Throws: where what decodes a format is not installed.
    static func checkLibrary(_ name: String, _ format: Format) throws {
        let (isThere, library, package) =
            switch format {
            case .png: (has_libpng(), "libpng", "libpng16-16")
            case .jpeg: (has_libjpeg_turbo(), "libjpeg-turbo", "libjpeg62-turbo")
            case .webp: (has_libwebp(), "libwebp", "libwebp7")
            }
        guard isThere else {
            throw ResinError(
                .failure,
                "\(name): \(format.name) files are decoded by \(library), which is not installed; install it "
                    + "(Debian: \(package)).")
        }
    }

    // MARK: EXIF

    /// The orientation that EXIF data, a TIFF file, say (JEITA CP-3451, 4.6): 1 where they say none.
    ///
    /// - Parameter places: of the TIFF file in the image.
    fileprivate static func orientation(in window: inout ImageWindow, _ places: Range<Int>) throws -> UInt8 {
        let start = places.lowerBound
        guard places.count >= 8, try window.holds(start, 8) else { return 1 }
        let isLittle: Bool
        switch window.bigEndian(start, 4) {
        case 0x4949_2A00: isLittle = true
        case 0x4D4D_002A: isLittle = false
        default: return 1
        }
        func number(_ window: borrowing ImageWindow, _ place: Int, _ count: Int) -> Int {
            isLittle ? window.littleEndian(place, count) : window.bigEndian(place, count)
        }
        let directory = start + number(window, start + 4, 4)
        guard directory + 2 <= places.upperBound, try window.holds(directory, 2) else { return 1 }
        let count = number(window, directory, 2)
        for index in 0..<count {
            let entry = directory + 2 + 12 * index
            guard entry + 12 <= places.upperBound, try window.holds(entry, 12) else { return 1 }
            // The orientation's tag, and a short integer.
            guard number(window, entry, 2) == 0x0112, number(window, entry + 2, 2) == 3 else { continue }
            let value = number(window, entry + 8, 2)
            return (1...8).contains(value) ? UInt8(value) : 1
        }
        return 1
    }

    // MARK: PNG

    /// From the chunks before the pixels; the first has the size (ISO/IEC 15948, 11.2.2).
    private static func png(_ window: inout ImageWindow) throws -> ImageHeader {
        let (name, byteCount) = (window.image.name, window.byteCount)
        try checkLibrary(name, .png)
        guard try window.holds(0, 33), window.bigEndian(8, 4) == 13, try window.holds("IHDR", at: 12) else {
            throw damaged(name, .png, "it ends before its size, or does not begin with it")
        }
        let (width, height) = (window.bigEndian(16, 4), window.bigEndian(20, 4))
        let (depth, type, isInterlaced) = (Int(window[24]), window[25], window[28] == 1)
        let kinds: [UInt8: (colours: Colours, samples: Int)] = [
            0: (.grey, 1), 2: (.colour, 3), 3: (.palette, 1), 4: (.greyAndAlpha, 2), 6: (.colourAndAlpha, 4),
        ]
        guard let kind = kinds[type], [1, 2, 4, 8, 16].contains(depth) else {
            throw damaged(name, .png, "there is no colour type \(type) of \(depth) bits")
        }
        var header = ImageHeader(
            format: .png, storedSize: PixelSize(height: height, width: width), colours: kind.colours,
            isInterleaved: isInterlaced, byteCount: byteCount)
        guard height <= largestSide, width <= largestSide else { return header }
        // A row begins with its filter's number, and Deflate makes at most 1,032 bytes of one.
        let rowLength = 1 + (width * depth * kind.samples + 7) / 8
        guard height * rowLength <= GzipFile.largestExpansion * byteCount else {
            throw damaged(
                name, .png, "\(height)×\(width) pixels by its header, which \(byteCount) bytes cannot hold")
        }
        var place = 33
        while true {
            guard try window.holds(place, 8) else { throw damaged(name, .png, "it ends before its pixels") }
            let end = place + 12 + window.bigEndian(place, 4)
            if try window.holds("IDAT", at: place + 4) { break }
            if try window.holds("eXIf", at: place + 4) {
                header.orientation = try orientation(
                    in: &window, place + 8..<max(min(end - 4, byteCount), place + 8))
            }
            place = end
        }
        // Nearly every file ends as it should. Of another, only the pixels have to be there.
        if try window.holds("IEND", at: byteCount - 8) { return header }
        while try window.holds(place, 8), try window.holds("IDAT", at: place + 4) {
            place += 12 + window.bigEndian(place, 4)
        }
        guard place <= byteCount else { throw damaged(name, .png, "it ends too early") }
        return header
    }

    // MARK: JPEG

    /// From the segments before the image's data (ITU-T T.81, annex B).
    private static func jpeg(_ window: inout ImageWindow) throws -> ImageHeader {
        let name = window.image.name
        try checkLibrary(name, .jpeg)
        var orientation: UInt8?
        var header: ImageHeader?
        var place = 2
        while header == nil {
            guard let segment = try nextSegment(in: &window, from: place) else {
                throw damaged(name, .jpeg, "it ends before its size")
            }
            place = segment.places.upperBound
            let start = segment.places.lowerBound
            switch segment.mark {
            case 0xE1 where orientation == nil:
                guard segment.places.count >= 6, try window.holds("Exif\0\0", at: start) else { break }
                orientation = try Self.orientation(in: &window, start + 6..<place)
            case 0xC3, 0xC5...0xC7, 0xCB, 0xCD...0xCF:
                throw ResinError(
                    .badContent,
                    "\(name): is a lossless or hierarchical JPEG, which no common program reads; convert it.")
            case 0xC0...0xC2, 0xC9, 0xCA:
                guard try window.holds(start, 6) else {
                    throw damaged(name, .jpeg, "it ends before its size")
                }
                guard window[start] == 8 else {
                    throw ResinError(
                        .badContent,
                        "\(name): is a JPEG of \(window[start]) bits a sample; convert it to one of 8, or to PNG."
                    )
                }
                guard let colours = [1: Colours.grey, 3: .colour, 4: .cmyk][window[start + 5]] else {
                    throw damaged(name, .jpeg, "it has \(window[start + 5]) colours")
                }
                header = ImageHeader(
                    format: .jpeg,
                    storedSize: PixelSize(
                        height: window.bigEndian(start + 1, 2), width: window.bigEndian(start + 3, 2)),
                    colours: colours, orientation: orientation ?? 1,
                    isInterleaved: segment.mark & 3 == 2, byteCount: window.byteCount)
            case 0xDA: throw damaged(name, .jpeg, "its data begin before its size is said")
            default: break
            }
        }
        guard try hasEnd(&window, after: place) else {
            throw damaged(name, .jpeg, "premature end of the file")
        }
        return header!
    }

    /// The next segment that has a length, and where its content is.
    private static func nextSegment(
        in window: inout ImageWindow, from start: Int
    ) throws -> (mark: UInt8, places: Range<Int>)? {
        var place = start
        while try window.holds(place, 4) {
            let mark = window[place + 1]
            guard window[place] == 0xFF, mark > 1, mark != 0xFF, !(0xD0...0xD8).contains(mark) else {
                place += 1
                continue
            }
            // The end.
            if mark == 0xD9 { return nil }
            let length = window.bigEndian(place + 2, 2)
            guard length >= 2 else { return nil }
            return (mark, place + 4..<place + 2 + length)
        }
        return nil
    }

    /// Whether the mark of the image's end comes after its data have begun: previews in the header have their own.
    private static func hasEnd(_ window: inout ImageWindow, after start: Int) throws -> Bool {
        let byteCount = window.byteCount
        // As nearly every file ends.
        if try window.holds(byteCount - 2, 2), window.bigEndian(byteCount - 2, 2) == 0xFFD9,
            byteCount - 2 >= start
        {
            return true
        }
        var place = start
        while let segment = try nextSegment(in: &window, from: place) {
            place = segment.places.upperBound
            guard segment.mark == 0xDA else { continue }
            while try window.holds(place, 2) {
                if window[place] == 0xFF, window[place + 1] == 0xD9 { return true }
                place += 1
            }
            return false
        }
        return false
    }

    // MARK: WebP

    /// From the first chunk (RFC 9649).
    private static func webp(_ window: inout ImageWindow) throws -> ImageHeader {
        let (name, byteCount) = (window.image.name, window.byteCount)
        try checkLibrary(name, .webp)
        guard try window.holds(0, 30) else { throw damaged(name, .webp, "it ends before its size") }
        guard window.littleEndian(4, 4) + 8 <= byteCount else {
            throw damaged(name, .webp, "it ends too early")
        }
        var header = ImageHeader(
            format: .webp, storedSize: PixelSize(height: 0, width: 0), colours: .colour, byteCount: byteCount)
        if try window.holds("VP8X", at: 12) {
            let flags = window[20]
            guard flags & 0x02 == 0 else {
                throw ResinError(
                    .badContent, "\(name): is an animated WebP; save one of its pictures, or take it away.")
            }
            header.storedSize = PixelSize(
                height: 1 + window.littleEndian(27, 3), width: 1 + window.littleEndian(24, 3))
            if flags & 0x10 != 0 { header.colours = .colourAndAlpha }
            if flags & 0x08 != 0 { header.orientation = try webpOrientation(&window) }
        } else if try window.holds("VP8L", at: 12), window[20] == 0x2F {
            let bits = window.littleEndian(21, 4)
            header.storedSize = PixelSize(height: 1 + bits >> 14 & 0x3FFF, width: 1 + bits & 0x3FFF)
            if bits >> 28 & 1 == 1 { header.colours = .colourAndAlpha }
        } else if try window.holds("VP8 ", at: 12), window.bigEndian(23, 3) == 0x9D012A {
            header.storedSize = PixelSize(
                height: window.littleEndian(28, 2) & 0x3FFF, width: window.littleEndian(26, 2) & 0x3FFF)
        } else {
            throw damaged(name, .webp, "it does not begin with an image")
        }
        return header
    }

    private static func webpOrientation(_ window: inout ImageWindow) throws -> UInt8 {
        var place = 12
        while try window.holds(place, 8) {
            let content = place + 8..<place + 8 + window.littleEndian(place + 4, 4)
            if try window.holds("EXIF", at: place) {
                // Some programs put JPEG's mark before it.
                let isMarked = try window.holds("Exif\0\0", at: content.lowerBound)
                let start = content.lowerBound + (isMarked ? 6 : 0)
                return try orientation(in: &window, start..<max(content.upperBound, start))
            }
            place = content.upperBound + content.count & 1
        }
        return 1
    }
}

extension ImageWindow {
    /// The eight bytes that a PNG begins with.
    fileprivate mutating func isPNG() throws -> Bool {
        try holds(0, 8) && bigEndian(0, 4) == 0x8950_4E47 && bigEndian(4, 4) == 0x0D0A_1A0A
    }
}
