import CImageCodecs
import Foundation
import ResinTensor

/// The bytes of a PNG or JPEG file, not yet decoded.
struct ImageFile: Sendable {
    enum Format: String {
        case png = "PNG"
        case jpeg = "JPEG"
    }

    /// What the header says.
    struct Header: Equatable, Sendable {
        let height, width: Int
        /// 1 or 3.
        let channels: Int
    }

    let path: String
    let format: Format
    private let bytes: Data

    /// Height and width, at most: a header may claim anything, and memory is asked for by it.
    static let largestSide = 1 << 14

    init(_ path: String) throws {
        guard access(path, R_OK) == 0 else {
            throw ResinError(
                .missingFile,
                "\(path): cannot be opened (\(String(cString: strerror(errno)))); check the path and the "
                    + "permissions.")
        }
        // The rest is read once it is sure that this is an image, and not a disk's.
        guard let file = FileHandle(forReadingAtPath: path),
            let start = try? file.read(upToCount: 8) ?? Data()
        else {
            throw ResinError(.badContent, "\(path): cannot be read as a file; name a PNG or JPEG file.")
        }
        if start == Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            format = .png
        } else if start.starts(with: [0xFF, 0xD8, 0xFF]) {
            format = .jpeg
        } else {
            let content = start.isEmpty ? "an empty file" : "neither PNG nor JPEG"
            throw ResinError(
                .badContent, "\(path): is \(content), going by its content; convert it, or take it away.")
        }
        self.path = path
        bytes = try start + (file.readToEnd() ?? Data())
    }

    func header() throws -> Header {
        switch format {
        case .png: try withPNG { image in header(of: image) }
        case .jpeg: try withJPEG { try readHeader($0, $1) }
        }
    }

    func decoded() throws -> RasterImage {
        switch format {
        case .png: try decodePNG()
        case .jpeg: try decodeJPEG()
        }
    }

    private func check(height: Int, width: Int) throws {
        let sides = 1...Self.largestSide
        guard sides.contains(height), sides.contains(width) else {
            throw ResinError(
                .badContent,
                "\(path): is \(height)×\(width) pixels by its header; images of 1 to \(Self.largestSide) "
                    + "pixels a side can be read.")
        }
    }

    private func damaged(_ reason: String) -> ResinError {
        ResinError(
            .badContent,
            "\(path): the \(format.rawValue) cannot be decoded (\(reason)); it is cut short or damaged, copy "
                + "it again or take it away.")
    }

    private func missingLibrary(_ name: String, package: String) -> ResinError {
        ResinError(
            .failure,
            "\(path): \(format.rawValue) files are decoded by \(name), which is not installed; install it "
                + "(Debian: \(package)).")
    }

    // MARK: PNG

    /// Runs `body` on an image whose header has been read and whose bytes stay in place.
    private func withPNG<Result>(_ body: (inout png_image) throws -> Result) throws -> Result {
        guard has_libpng() else { throw missingLibrary("libpng", package: "libpng16-16") }
        var image = png_image()
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        defer { png_image_free(&image) }
        return try bytes.withUnsafeBytes { source in
            guard png_image_begin_read_from_memory(&image, source.baseAddress, source.count) != 0 else {
                throw damaged(message(of: image))
            }
            try check(height: Int(image.height), width: Int(image.width))
            return try body(&image)
        }
    }

    private func header(of image: png_image) -> Header {
        let isColour = image.format & png_uint_32(PNG_FORMAT_FLAG_COLOR) != 0
        return Header(height: Int(image.height), width: Int(image.width), channels: isColour ? 3 : 1)
    }

    private func decodePNG() throws -> RasterImage {
        try withPNG { image in
            let header = header(of: image)
            let alpha = png_uint_32(PNG_FORMAT_FLAG_ALPHA)
            let hasAlpha = image.format & alpha != 0
            // 16 bits are brightness as in any other file, not linear light.
            image.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
            image.format &= alpha | png_uint_32(PNG_FORMAT_FLAG_COLOR)
            let stored = header.channels + (hasAlpha ? 1 : 0)
            var pixels = [UInt8](repeating: 0, count: header.height * header.width * stored)
            let isRead = pixels.withUnsafeMutableBytes {
                png_image_finish_read(&image, nil, $0.baseAddress, 0, nil) != 0
            }
            guard isRead else { throw damaged(message(of: image)) }
            if hasAlpha {
                let count = header.height * header.width
                for pixel in 0..<count {
                    for channel in 0..<header.channels {
                        pixels[pixel * header.channels + channel] = pixels[pixel * stored + channel]
                    }
                }
                pixels.removeLast(count)
            }
            return RasterImage(
                height: header.height, width: header.width, channels: header.channels, pixels: pixels)
        }
    }

    private func message(of image: png_image) -> String {
        withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    // MARK: JPEG

    private func withJPEG<Result>(
        _ body: (tjhandle, UnsafeBufferPointer<UInt8>) throws -> Result
    ) throws -> Result {
        guard has_turbojpeg() else { throw missingLibrary("TurboJPEG", package: "libturbojpeg0") }
        guard let handle = tjInitDecompress() else { throw damaged(message(of: nil)) }
        defer { tjDestroy(handle) }
        return try bytes.withUnsafeBytes { try body(handle, $0.bindMemory(to: UInt8.self)) }
    }

    private func readHeader(_ handle: tjhandle, _ source: UnsafeBufferPointer<UInt8>) throws -> Header {
        var width: Int32 = 0
        var height: Int32 = 0
        var subsampling: Int32 = 0
        var colours: Int32 = 0
        guard
            tjDecompressHeader3(
                handle, source.baseAddress, UInt(source.count), &width, &height, &subsampling, &colours) == 0
        else { throw damaged(message(of: handle)) }
        guard width > 0, height > 0 else { throw damaged("it ends before its size") }
        try check(height: Int(height), width: Int(width))
        guard colours != Int32(TJCS_CMYK.rawValue), colours != Int32(TJCS_YCCK.rawValue) else {
            throw ResinError(
                .badContent, "\(path): is a CMYK JPEG, made for print; convert it to RGB or grey.")
        }
        return Header(
            height: Int(height), width: Int(width), channels: colours == Int32(TJCS_GRAY.rawValue) ? 1 : 3)
    }

    private func decodeJPEG() throws -> RasterImage {
        try withJPEG { handle, source in
            let header = try readHeader(handle, source)
            let format = header.channels == 1 ? TJPF_GRAY : TJPF_RGB
            var pixels = [UInt8](repeating: 0, count: header.height * header.width * header.channels)
            /// What the library complains of, if anything.
            func decompress(_ flags: Int32) -> String? {
                let status = tjDecompress2(
                    handle, source.baseAddress, UInt(source.count), &pixels, Int32(header.width), 0,
                    Int32(header.height), Int32(format.rawValue), flags | TJFLAG_LIMITSCANS)
                return status == 0 ? nil : message(of: handle)
            }
            // A file that is cut short is a mere warning to the library, which fills up with grey.
            var complaint = decompress(TJFLAG_STOPONWARNING)
            // Another is harmless, and frequent: bytes between the image's end and the mark that says so.
            if let warning = complaint, warning.contains("extraneous bytes before marker 0xd9") {
                complaint = decompress(0)
                if complaint == warning { complaint = nil }
            }
            if let complaint { throw damaged(complaint) }
            return RasterImage(
                height: header.height, width: header.width, channels: header.channels, pixels: pixels)
        }
    }

    private func message(of handle: tjhandle?) -> String {
        tjGetErrorStr2(handle).map { String(cString: $0) } ?? "unknown error"
    }
}
