import CImageCodecs
import Foundation
import ResinTensor
import Synchronization

extension ImageHeader {
    /// Decodes a part of an image, upright, `[height, width, channels]` of the box.
    ///
    /// - Parameters:
    ///   - reduction: by what a JPEG's sides are divided.
    ///   - box: within `size(reduction:)`.
    ///   - channels: 3, or 1 for a grey image.
    /// - Returns: what is wrong with the file, though it could be read.
    /// - Throws: `ResinError(.badContent)` where it cannot.
    func decode(
        _ image: borrowing ImageBytes, reduction: Int, box: PixelBox, channels: Int,
        into pixels: UnsafeMutableBufferPointer<UInt8>
    ) throws -> String? {
        precondition(pixels.count == box.size.area * channels && (channels == 3 || self.channels == 1))
        let turn = Turn(orientation, of: storedSize(reduction: reduction))
        return try Scratch.file.with(readByteCount) { bytes in
            try image.read(into: UnsafeMutableRawBufferPointer(bytes), at: 0)
            let bytes = UnsafeBufferPointer(bytes)
            if orientation == 1 {
                return try decodeStored(image.name, bytes, reduction, box, channels, into: pixels)
            }
            return try Scratch.turned.with(pixels.count) { stored in
                let flaw = try decodeStored(
                    image.name, bytes, reduction, turn.stored(box), channels, into: stored)
                turn.copy(UnsafeBufferPointer(stored), box.size, channels, to: pixels)
                return flaw
            }
        }
    }

    private func decodeStored(
        _ name: String, _ bytes: UnsafeBufferPointer<UInt8>, _ reduction: Int, _ box: PixelBox,
        _ channels: Int,
        into pixels: UnsafeMutableBufferPointer<UInt8>
    ) throws -> String? {
        let stored = StoredBox(
            top: UInt32(box.top), left: UInt32(box.left), height: UInt32(box.height), width: UInt32(box.width)
        )
        let (height, width) = (UInt32(storedSize.height), UInt32(storedSize.width))
        return try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(COMPLAINT_SIZE)) { complaint in
            let isRead =
                switch format {
                case .png:
                    decode_png(
                        bytes.baseAddress, bytes.count, height, width, stored, Int32(channels),
                        pixels.baseAddress, complaint.baseAddress)
                case .jpeg:
                    decode_jpeg(
                        bytes.baseAddress, bytes.count, height, width, UInt32(reduction), stored,
                        Int32(channels), pixels.baseAddress, complaint.baseAddress)
                case .webp:
                    decode_webp(
                        bytes.baseAddress, bytes.count, height, width, stored, pixels.baseAddress,
                        complaint.baseAddress)
                }
            let text = String(
                decoding: complaint.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard isRead else { throw Self.damaged(name, format, text) }
            return text.isEmpty ? nil : text
        }
    }
}

/// From the order in which an image is stored to upright, by EXIF's number.
private struct Turn {
    let isTransposed, flipsRows, flipsColumns: Bool
    /// As stored.
    let size: PixelSize

    init(_ orientation: UInt8, of size: PixelSize) {
        isTransposed = orientation > 4
        flipsRows = [3, 4, 6, 7].contains(orientation)
        flipsColumns = [2, 3, 7, 8].contains(orientation)
        self.size = size
    }

    /// Where an upright box is stored.
    func stored(_ box: PixelBox) -> PixelBox {
        var (top, left, height, width) = (box.top, box.left, box.height, box.width)
        if isTransposed { (top, left, height, width) = (left, top, width, height) }
        if flipsRows { top = size.height - top - height }
        if flipsColumns { left = size.width - left - width }
        return PixelBox(top: top, left: left, height: height, width: width)
    }

    /// - Parameter extent: of the upright box.
    func copy(
        _ stored: UnsafeBufferPointer<UInt8>, _ extent: PixelSize, _ channels: Int,
        to upright: UnsafeMutableBufferPointer<UInt8>
    ) {
        let storedHeight = isTransposed ? extent.width : extent.height
        let storedWidth = isTransposed ? extent.height : extent.width
        // What one row and one column further, upright, are in the stored order.
        let rowStep = (flipsRows ? -1 : 1) * storedWidth * channels
        let columnStep = (flipsColumns ? -1 : 1) * channels
        let first =
            ((flipsRows ? storedHeight - 1 : 0) * storedWidth + (flipsColumns ? storedWidth - 1 : 0))
            * channels
        let (down, right) = isTransposed ? (columnStep, rowStep) : (rowStep, columnStep)
        var target = 0
        for row in 0..<extent.height {
            var source = first + row * down
            for _ in 0..<extent.width {
                for channel in 0..<channels { upright[target + channel] = stored[source + channel] }
                target += channels
                source += right
            }
        }
    }
}

/// Memory that a thread writes before it reads it, kept for the next: allocating and clearing pages would take longer than
/// many an image.
final class Scratch: Sendable {
    static let file = Scratch()
    static let turned = Scratch()
    static let whole = Scratch()

    private struct Block: @unchecked Sendable { var bytes: UnsafeMutableBufferPointer<UInt8> }
    private let free = Mutex<[Block]>([])
    /// Larger ones go back at once.
    private static let largestKept = 1 << 25

    func with<Result>(
        _ count: Int, _ body: (UnsafeMutableBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result {
        var block = free.withLock { $0.popLast() } ?? Block(bytes: .allocate(capacity: 0))
        if block.bytes.count < count {
            block.bytes.deallocate()
            block.bytes = .allocate(capacity: count + count / 4)
        }
        defer {
            if block.bytes.count <= Self.largestKept {
                free.withLock { $0.append(block) }
            } else {
                block.bytes.deallocate()
            }
        }
        return try body(UnsafeMutableBufferPointer(rebasing: block.bytes[..<count]))
    }
}

/// Lets images be decoded at once while what they take together stays within a limit, so that memory does not grow with the
/// number of processors.
final class DecodingMemory: Sendable {
    static let shared = DecodingMemory()

    static let limit = 1 << 29
    private let taken = NSCondition()
    private nonisolated(unsafe) var byteCount = 0

    /// Of several needs, what is taken at once at most.
    static func bound(sum: Int, largest: Int) -> Int { min(sum, max(largest, limit)) }

    /// Runs `body`, which takes so many bytes: alone, where they are more than the limit.
    func with<Result>(_ need: Int, _ body: () throws -> Result) rethrows -> Result {
        taken.lock()
        while byteCount > 0 && byteCount + need > Self.limit { taken.wait() }
        byteCount += need
        taken.unlock()
        defer {
            taken.lock()
            byteCount -= need
            taken.broadcast()
            taken.unlock()
        }
        return try body()
    }
}
