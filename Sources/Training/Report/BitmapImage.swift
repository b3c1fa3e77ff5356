import Foundation
import ResinDataset

/// One image as an uncompressed Windows bitmap, which every browser shows: 24 bits a pixel, blue first,
/// the lowest row first, rows filled up to four bytes.
package struct BitmapImage {
    package let bytes: [UInt8]

    package init(_ image: RasterImage) {
        let rowByteCount = (3 * image.width + 3) / 4 * 4
        var bytes: [UInt8] = []
        func append(_ value: Int, byteCount: Int) {
            for byte in 0..<byteCount { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
        }
        bytes += Array("BM".utf8)
        append(54 + rowByteCount * image.height, byteCount: 4)
        append(0, byteCount: 4)
        append(54, byteCount: 4)
        append(40, byteCount: 4)
        append(image.width, byteCount: 4)
        append(image.height, byteCount: 4)
        append(1, byteCount: 2)
        append(24, byteCount: 2)
        append(0, byteCount: 24)
        for row in (0..<image.height).reversed() {
            for column in 0..<image.width {
                let pixel = (row * image.width + column) * image.channels
                for channel in image.channels == 3 ? [2, 1, 0] : [0, 0, 0] {
                    bytes.append(image.pixels[pixel + channel])
                }
            }
            append(0, byteCount: rowByteCount - 3 * image.width)
        }
        self.bytes = bytes
    }

    var dataURI: String { "data:image/bmp;base64," + Data(bytes).base64EncodedString() }
}
