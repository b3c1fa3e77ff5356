import CZlib

/// The bytes of a PNG file, written as its specification says (ISO/IEC 15948), apart from the library that is
/// tested.
///
/// - Parameters:
///   - colourType: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
///   - extra: chunks between the header and the palette.
///   - isInterlaced: for 8 or 16 bits a sample.
///   - samples: of all rows, `width` × channels × `bitDepth` / 8 bytes a row.
public func png(
    width: Int, height: Int, colourType: UInt8, bitDepth: UInt8 = 8, extra: [(String, [UInt8])] = [],
    palette: [UInt8]? = nil, transparency: [UInt8]? = nil, isInterlaced: Bool = false, samples: [UInt8]
) -> [UInt8] {
    func word(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }
    func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + content
        return word(content.count) + body + word(Int(crc32(0, body, UInt32(body.count))))
    }
    let rowLength = samples.count / height
    // Each row begins with its filter's number: none.
    var rows = (0..<height).flatMap { [0] + samples[$0 * rowLength..<($0 + 1) * rowLength] }
    if isInterlaced {
        // Adam7: seven images of every so many rows and columns; of whole bytes a pixel.
        let length = rowLength / width
        let passes: [(top: Int, down: Int, left: Int, right: Int)] = [
            (0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1),
        ]
        rows = []
        for pass in passes where pass.left < width {
            for row in stride(from: pass.top, to: height, by: pass.down) {
                rows.append(0)
                for column in stride(from: pass.left, to: width, by: pass.right) {
                    let place = row * rowLength + column * length
                    rows += samples[place..<place + length]
                }
            }
        }
    }
    var count = compressBound(UInt(rows.count))
    var packed = [UInt8](repeating: 0, count: Int(count))
    compress(&packed, &count, rows, UInt(rows.count))
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        + chunk("IHDR", word(width) + word(height) + [bitDepth, colourType, 0, 0, isInterlaced ? 1 : 0])
        + extra.flatMap { chunk($0, $1) } + (palette.map { chunk("PLTE", $0) } ?? [])
        + (transparency.map { chunk("tRNS", $0) } ?? [])
        + chunk("IDAT", Array(packed.prefix(Int(count)))) + chunk("IEND", [])
}

/// A grey PNG of one value.
public func greyPNG(_ value: UInt8, width: Int = 2, height: Int = 2) -> [UInt8] {
    png(
        width: width, height: height, colourType: 0,
        samples: [UInt8](repeating: value, count: width * height))
}
