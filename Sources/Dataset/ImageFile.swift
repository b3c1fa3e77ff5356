import CImageCodecs
import Foundation
import ResinTensor

/// A PNG or JPEG file, of which the header has been read.
struct ImageFile: ~Copyable {
    enum Format: String {
        case png = "PNG"
        case jpeg = "JPEG"
    }

    /// What is known before anything is decoded.
    struct Header: Equatable, Sendable {
        let height, width: Int
        /// 1 or 3.
        let channels: Int
        /// Of the file: what is read of it at most.
        let readByteCount: Int
        /// What reading, decoding and resizing take at most.
        let workingByteCount: Int
    }

    struct Decoded {
        let image: RasterImage
        /// What is wrong with the file, though it could be read.
        let flaw: String?
    }

    let format: Format
    let header: Header
    private let file: ReadableFile

    /// Height and width, at most: what JPEG can say.
    static let largestSide = 65_535

    /// - Throws: `ResinError`: `.missingFile` where the file cannot be opened; `.badContent` where it is not
    ///   a regular file, neither PNG nor JPEG, or its header is not right; `.failure` where the library that
    ///   decodes it is not installed.
    init(_ path: String) throws {
        let file = try ReadableFile(path)
        let start = try file.prefix(8)
        let format: Format
        let header: Header
        if start == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] {
            format = .png
            header = try Self.pngHeader(of: file)
        } else if start.starts(with: [0xFF, 0xD8, 0xFF]) {
            format = .jpeg
            header = try Self.jpegHeader(of: file)
        } else {
            let content = start.isEmpty ? "an empty file" : "neither PNG nor JPEG"
            throw ResinError(
                .badContent, "\(path): is \(content), going by its content; convert it, or take it away.")
        }
        self.format = format
        self.header = header
        self.file = file
    }

    /// The memory that it takes, `header.workingByteCount`, has to be there.
    borrowing func decoded() throws -> Decoded {
        let bytes = try file.prefix(header.readByteCount)
        return switch format {
        case .png: try decodedPNG(bytes)
        case .jpeg: try decodedJPEG(bytes)
        }
    }

    private static func header(
        of file: borrowing ReadableFile, height: Int, width: Int, channels: Int, copies: Int
    ) throws -> Header {
        let sides = 1...largestSide
        guard sides.contains(height), sides.contains(width) else {
            throw ResinError(
                .badContent,
                "\(file.path): is \(height)×\(width) pixels by its header; images of 1 to \(largestSide.grouped) "
                    + "pixels a side can be read.")
        }
        let pixels = height * width
        // Neither format needs more for a pixel; beside them there may be previews, profiles and the like.
        let readByteCount = min(file.byteCount, 8 * pixels + 1 << 26)
        return Header(
            height: height, width: width, channels: channels, readByteCount: readByteCount,
            // The decoder's copies, and one in other channels or of another size.
            workingByteCount: readByteCount + (copies + 1) * pixels * channels)
    }

    private static func damaged(_ path: String, _ format: Format, _ reason: String) -> ResinError {
        ResinError(
            .badContent,
            "\(path): the \(format.rawValue) cannot be decoded (\(reason)); it is cut short or damaged, copy "
                + "it again or take it away.")
    }

    private static func missingLibrary(
        _ path: String, _ format: Format, _ name: String, package: String
    ) -> ResinError {
        ResinError(
            .failure,
            "\(path): \(format.rawValue) files are decoded by \(name), which is not installed; install it "
                + "(Debian: \(package)).")
    }

    // MARK: PNG

    /// From the first chunk, which every PNG begins with (ISO/IEC 15948, 11.2.2).
    private static func pngHeader(of file: borrowing ReadableFile) throws -> Header {
        let bytes = try file.prefix(33)
        guard bytes.count == 33, bytes[8..<16].elementsEqual([0, 0, 0, 13] + Array("IHDR".utf8)) else {
            throw damaged(file.path, .png, "it ends before its size, or does not begin with it")
        }
        func number(_ place: Int) -> Int { bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
        let (width, height, depth) = (number(16), number(20), Int(bytes[24]))
        let samples = [0: 1, 2: 3, 3: 1, 4: 2, 6: 4]
        guard let sampleCount = samples[Int(bytes[25])], [1, 2, 4, 8, 16].contains(depth) else {
            throw damaged(file.path, .png, "there is no colour type \(bytes[25]) of \(depth) bits")
        }
        let channels = bytes[25] & 3 == 0 ? 1 : 3
        let header = try header(of: file, height: height, width: width, channels: channels, copies: 1)
        // A row begins with its filter's number, and Deflate makes at most 1,032 bytes of one.
        let rowLength = 1 + (width * depth * sampleCount + 7) / 8
        guard height * rowLength <= GzipFile.largestExpansion * file.byteCount else {
            throw damaged(
                file.path, .png,
                "\(height)×\(width) pixels by its header, which \(file.byteCount) bytes cannot hold")
        }
        return header
    }

    private func decodedPNG(_ bytes: [UInt8]) throws -> Decoded {
        guard has_libpng() else {
            throw Self.missingLibrary(file.path, .png, "libpng", package: "libpng16-16")
        }
        let size = header.height * header.width * header.channels
        var complaint = [CChar](repeating: 0, count: Int(PNG_COMPLAINT_SIZE))
        var isWhole = false
        let pixels = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            isWhole = decode_png(
                bytes, bytes.count, UInt32(header.width), UInt32(header.height), Int32(header.channels),
                buffer.baseAddress, &complaint)
            count = isWhole ? size : 0
        }
        guard isWhole else {
            let text = String(
                decoding: complaint.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw Self.damaged(file.path, .png, text)
        }
        let image = RasterImage(
            height: header.height, width: header.width, channels: header.channels, pixels: pixels)
        return Decoded(image: image, flaw: nil)
    }

    // MARK: JPEG

    /// From as much of the file's start as has it: a camera may put a preview and more before.
    private static func jpegHeader(of file: borrowing ReadableFile) throws -> Header {
        guard has_turbojpeg() else {
            throw missingLibrary(file.path, .jpeg, "TurboJPEG", package: "libturbojpeg0")
        }
        guard let decoder = tjInitDecompress() else { throw damaged(file.path, .jpeg, message(of: nil)) }
        defer { tjDestroy(decoder) }
        var width: Int32 = 0
        var height: Int32 = 0
        var subsampling: Int32 = 0
        var colours: Int32 = 0
        var bytes: [UInt8] = []
        for limit in [1 << 16, 1 << 20, 1 << 26] {
            bytes = try file.prefix(limit)
            let status = tjDecompressHeader3(
                decoder, bytes, UInt(bytes.count), &width, &height, &subsampling, &colours)
            if status == 0 || tjGetErrorCode(decoder) == TJERR_WARNING.rawValue { break }
            guard bytes.count == limit, limit < 1 << 26 else {
                throw damaged(file.path, .jpeg, message(of: decoder))
            }
        }
        guard width > 0, height > 0 else { throw damaged(file.path, .jpeg, "it ends before its size") }
        guard colours != Int32(TJCS_CMYK.rawValue), colours != Int32(TJCS_YCCK.rawValue) else {
            throw ResinError(
                .badContent, "\(file.path): is a CMYK JPEG, made for print; convert it to RGB or grey.")
        }
        // A progressive one is kept as coefficients, of 16 bits each, until its last scan.
        return try header(
            of: file, height: Int(height), width: Int(width),
            channels: colours == Int32(TJCS_GRAY.rawValue) ? 1 : 3,
            copies: JPEGMarkers(bytes).isProgressive ? 3 : 1)
    }

    private func decodedJPEG(_ bytes: [UInt8]) throws -> Decoded {
        guard let decoder = tjInitDecompress() else {
            throw Self.damaged(file.path, .jpeg, Self.message(of: nil))
        }
        defer { tjDestroy(decoder) }
        let format = header.channels == 1 ? TJPF_GRAY : TJPF_RGB
        let size = header.height * header.width * header.channels
        var flaw: String?
        let pixels = try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            let status = tjDecompress2(
                decoder, bytes, UInt(bytes.count), buffer.baseAddress, Int32(header.width), 0,
                Int32(header.height), Int32(format.rawValue), TJFLAG_LIMITSCANS)
            if status != 0 {
                // The first of its warnings. What is missing, it fills with grey, and calls that a warning
                // too.
                let complaint = Self.message(of: decoder)
                let isMissing = ["remature end", "Inconsistent progression"].contains(
                    where: complaint.contains)
                guard tjGetErrorCode(decoder) == TJERR_WARNING.rawValue, !isMissing, JPEGMarkers(bytes).hasEnd
                else { throw Self.damaged(file.path, .jpeg, complaint) }
                flaw = complaint
            }
            count = size
        }
        let image = RasterImage(
            height: header.height, width: header.width, channels: header.channels, pixels: pixels)
        return Decoded(image: image, flaw: flaw)
    }

    private static func message(of decoder: tjhandle?) -> String {
        tjGetErrorStr2(decoder).map { String(cString: $0) } ?? "unknown error"
    }
}

/// What the library does not tell of a JPEG file (ITU-T T.81, annex B).
private struct JPEGMarkers {
    private(set) var isProgressive = false
    /// Whether the mark of an image's end comes after the image's data have begun: previews within the header
    /// have their own.
    private(set) var hasEnd = false

    init(_ bytes: [UInt8]) {
        var place = 2
        while place + 4 <= bytes.count {
            guard bytes[place] == 0xFF, !(0xD0...0xD9).contains(bytes[place + 1]), bytes[place + 1] != 0xFF,
                bytes[place + 1] > 1
            else {
                place += 1
                continue
            }
            switch bytes[place + 1] {
            case 0xC2, 0xC6, 0xCA, 0xCE: isProgressive = true
            // Start of scan.
            case 0xDA:
                hasEnd = zip(bytes[place...], bytes[(place + 1)...]).contains { $0 == 0xFF && $1 == 0xD9 }
                return
            default: break
            }
            place += 2 + Int(bytes[place + 2]) << 8 + Int(bytes[place + 3])
        }
    }
}
