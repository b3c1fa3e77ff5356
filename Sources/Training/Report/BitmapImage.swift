import Foundation
import ResinDataset

/// One image as an uncompressed Windows bitmap, which every browser shows: 24 bits a pixel, blue first,
/// the lowest row first, rows filled up to four bytes.
package struct BitmapImage {
    package let bytes: [UInt8]

    /// Larger images are shown by one pixel of each square of so many, to keep the report small.
    private static let largestSide = 96

    package init(_ set: any ImageSource, index: Int) throws {
        bytes = try set.withBytes(of: index..<index + 1) {
            Self.bytes(of: $0, height: set.height, width: set.width, channels: set.channels)
        }
    }

    init(_ image: RasterImage) {
        bytes = image.pixels.withUnsafeBufferPointer {
            Self.bytes(of: $0, height: image.height, width: image.width, channels: image.channels)
        }
    }

    private static func bytes(
        of image: UnsafeBufferPointer<UInt8>, height sourceHeight: Int, width sourceWidth: Int, channels: Int
    ) -> [UInt8] {
        let step = max((max(sourceHeight, sourceWidth) + largestSide - 1) / largestSide, 1)
        let height = (sourceHeight + step - 1) / step
        let width = (sourceWidth + step - 1) / step
        let rowByteCount = (3 * width + 3) / 4 * 4
        var bytes: [UInt8] = []
        func append(_ value: Int, byteCount: Int) {
            for byte in 0..<byteCount { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
        }
        bytes += Array("BM".utf8)
        append(54 + rowByteCount * height, byteCount: 4)
        append(0, byteCount: 4)
        append(54, byteCount: 4)
        append(40, byteCount: 4)
        append(width, byteCount: 4)
        append(height, byteCount: 4)
        append(1, byteCount: 2)
        append(24, byteCount: 2)
        append(0, byteCount: 24)
        for row in (0..<height).reversed() {
            for column in 0..<width {
                let pixel = (row * step * sourceWidth + column * step) * channels
                // Grey, or red, green and blue; of other channels the first is shown.
                for channel in channels == 3 ? [2, 1, 0] : [0, 0, 0] { bytes.append(image[pixel + channel]) }
            }
            append(0, byteCount: rowByteCount - 3 * width)
        }
        return bytes
    }

    var dataURI: String { "data:image/bmp;base64," + Data(bytes).base64EncodedString() }
}
