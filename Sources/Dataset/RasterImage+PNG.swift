import CImageCodecs
import ResinTensor

extension RasterImage {
    /// As a PNG file's bytes, without loss.
    ///
    /// - Throws: `ResinError(.failure)` where libpng, which encodes it, is not installed or cannot.
    public func png() throws -> [UInt8] {
        try ImageHeader.checkLibrary("the picture", .png)
        var size = 0
        try encode(into: nil, &size)
        return try [UInt8](unsafeUninitializedCapacity: size) { bytes, count in
            try encode(into: bytes.baseAddress, &size)
            count = size
        }
    }

    private func encode(into bytes: UnsafeMutablePointer<UInt8>?, _ size: inout Int) throws {
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(COMPLAINT_SIZE)) { complaint in
            let isWhole = encode_png(
                pixels, UInt32(height), UInt32(width), Int32(channels), bytes, &size, complaint.baseAddress)
            guard !isWhole else { return }
            let text = String(
                decoding: complaint.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw ResinError(.failure, "the picture cannot be written as a PNG: \(text)")
        }
    }
}
