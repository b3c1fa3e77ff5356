import CZlib
import Foundation
import ResinTensor

/// The photographs of a folder, a table or archives: an index of them, and each decoded when it is asked for.
struct PhotographFolder: PhotographSource {
    private let index: PhotographIndex
    /// Those of the index's that belong to it: the first ones.
    private let number: Int
    private let commonSize: PixelSize
    let channels: Int
    /// The network's, which decides at which fraction a JPEG is decoded.
    private let side: Int?
    /// Gets what is wrong with files that could be read.
    private let report: @Sendable (_ image: Int, _ flaw: String) -> Void

    init(
        _ index: PhotographIndex, number: Int, size: PixelSize, channels: Int, side: Int?,
        report: @escaping @Sendable (Int, String) -> Void = { _, _ in }
    ) {
        self.report = report
        self.index = index
        self.number = number
        commonSize = size
        self.channels = channels
        self.side = side
    }

    /// Also of none, which has no shape.
    var count: Int { number }

    var shape: Shape {
        Shape(images: number, height: commonSize.height, width: commonSize.width, channels: channels)
    }
    var labels: [Int32] { index.records.prefix(number).map(\.label) }

    func name(of image: Int) -> String? { index.name(image) }

    func size(of image: Int) -> PixelSize {
        let header = index.header(image)
        return header.size(reduction: header.reduction(forSide: side))
    }

    func prefix(_ n: Int) throws -> any ImageSource {
        let n = try Reading.count(of: count, limit: n)
        return PhotographFolder(index, number: n, size: commonSize, channels: channels, side: side)
    }

    func read(_ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        if let flaw = try readReportingFlaw(image, box, into: bytes) { report(image, flaw) }
    }

    func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        if let flaw = try readReportingFlaw(image, into: bytes) { report(image, flaw) }
    }

    /// - Returns: what is wrong with the file, though it could be read.
    func readReportingFlaw(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws -> String? {
        let size = size(of: image)
        if size == commonSize { return try readReportingFlaw(image, PixelBox(size), into: bytes) }
        var flaw: String?
        let pixels = try [UInt8](unsafeUninitializedCapacity: size.area * channels) { pixels, filled in
            let pixels = UnsafeMutableBufferPointer(rebasing: pixels[..<(size.area * channels)])
            flaw = try readReportingFlaw(image, PixelBox(size), into: pixels)
            filled = pixels.count
        }
        let fitted = RasterImage(height: size.height, width: size.width, channels: channels, pixels: pixels)
            .resized(toHeight: commonSize.height, width: commonSize.width)
        _ = bytes.initialize(from: fitted.pixels)
        return flaw
    }

    /// - Returns: what is wrong with the file, though it could be read.
    func readReportingFlaw(
        _ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>
    ) throws -> String? {
        let header = index.header(image)
        let reduction = header.reduction(forSide: side)
        let need = header.workingByteCount(reduction: reduction, box: box.size)
        if need > DecodingMemory.limit {
            try HostMemory.check(
                need, for: "\(index.path(image)): decoding \(header.storedSize) pixels",
                advice: "make the image smaller, or the limit larger (ulimit -v)")
        }
        return try DecodingMemory.shared.with(need) {
            let source = try index.bytes(of: image)
            guard source.byteCount == header.byteCount else {
                throw ResinError(
                    .badContent,
                    "\(source.name): has \(source.byteCount.grouped) bytes now, but had \(header.byteCount.grouped) "
                        + "when the set was read; leave the images alone while they are used.")
            }
            return try header.decode(source, reduction: reduction, box: box, channels: channels, into: bytes)
        }
    }

    /// Tells sums of names from sums of pixels.
    static let checksumMark = "names-"

    /// CRC-32 of names, files' sizes, labels and what decides how they are decoded: the pixels would take as long as an
    /// epoch.
    func checksum() throws -> String {
        var sum: UInt = 0
        func add(_ bytes: UnsafeRawBufferPointer) {
            sum = crc32_z(sum, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
        }
        for image in 0..<number {
            index.names[image].withUnsafeBytes(add)
            let header = index.header(image)
            let numbers = [
                header.byteCount, Int(index.records[image].label), Int(header.orientation),
                header.reduction(forSide: side),
            ]
            numbers.withUnsafeBytes(add)
        }
        return Self.checksumMark + String(format: "%08x", UInt32(sum))
    }

    // MARK: Before it is used

    /// What it takes of the machine's memory: the index, and the images that are decoded at once.
    var byteCount: Int {
        var (sum, largest) = (0, 0)
        for image in 0..<number {
            let header = index.header(image)
            let need = header.fittingByteCount(reduction: header.reduction(forSide: side))
            sum += need
            largest = max(largest, need)
        }
        return 100 * index.count + DecodingMemory.bound(sum: sum, largest: largest)
    }

    /// Bytes of all images, decoded.
    var decodedByteCount: Int { (0..<number).reduce(0) { $0 + size(of: $1).area } * channels }

    func removing(_ images: [Int]) -> PhotographFolder {
        PhotographFolder(
            index.removing(images), number: number - images.count, size: commonSize, channels: channels,
            side: side)
    }

    func unreadable(_ image: Int, _ error: ResinError) -> UnreadableImage {
        UnreadableImage(index: image, name: index.name(image), error: error)
    }

    func path(of image: Int) -> String { index.path(image) }
}
