import Foundation
import ResinTensor
import Synchronization

/// Pictures that are named one by one, or by the folders that they are in.
public struct PhotographFiles: Sendable {
    /// Those whose headers can be read, as they were named; those of a folder sorted by name.
    public private(set) var paths: [String] = []
    /// The others.
    public let unreadable: [UnreadableImage]
    /// What is left out of folders, in words; nil where nothing is.
    public let leftOut: String?
    private let index: PhotographIndex

    /// - Throws: `ResinError`: `.missingFile` where a folder cannot be read, `.usage` where there is no picture at all.
    public init(_ places: [String], honoursOrientation: Bool = true) throws {
        var leftOut = LeftOut()
        var named: [String] = []
        for place in places {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: place, isDirectory: &isFolder), isFolder.boolValue
            else {
                named.append(place)
                continue
            }
            let walk = try FolderWalk(place, [])
            leftOut.add(walk.leftOut)
            let names = walk.images.names
            // Behind the folder's own separator, if it has one.
            let folder = place.hasSuffix("/") ? String(place.dropLast()) : place
            named += (0..<names.count).map { folder + names.text($0) }
        }
        guard !named.isEmpty else {
            throw ResinError(
                .usage,
                "\(places.joined(separator: ", ")): there are no pictures (\(ImageHeader.endingsText))")
        }
        self.leftOut = leftOut.sentence
        var images = ImageNames()
        let here = FileManager.default.currentDirectoryPath
        for path in named {
            let absolute = path.hasPrefix("/") ? path : here + "/" + path
            images.names.append(absolute.utf8.dropFirst())
        }
        var index = PhotographIndex(root: "", shards: [], classes: [images])
        let failures = try index.readHeaders(honoursOrientation: honoursOrientation)
        unreadable = failures.map {
            UnreadableImage(index: $0.index, name: named[$0.index], error: $0.error)
        }
        let failed = Set(failures.map(\.index))
        paths = named.indices.filter { !failed.contains($0) }.map { named[$0] }
        self.index = index.removing(failures.map(\.index))
    }

    /// The pictures as a network takes them; there must be one at least.
    ///
    /// - Parameters:
    ///   - channels: 1 or 3.
    ///   - size: what they come to.
    ///   - side: the network's, to which JPEGs may be decoded at a fraction of their size; nil where they may not.
    public func source(channels: Int, size: PixelSize, side: Int?) -> TolerantPhotographs {
        let areGrey = (0..<index.count).allSatisfy { index.header($0).channels == 1 }
        let problems = ImageProblems()
        let decoded = PhotographFolder(
            index, number: index.count, size: size, channels: channels == 1 && areGrey ? 1 : 3,
            side: side, report: problems.add)
        return TolerantPhotographs(
            decoded.channels == channels ? decoded : GreyPhotographs(source: decoded), problems)
    }
}

/// Photographs in colour, as grey.
private struct GreyPhotographs: PhotographSource {
    let source: any PhotographSource

    var shape: Shape {
        Shape(images: source.count, height: source.height, width: source.width, channels: 1)
    }
    var labels: [Int32] { source.labels }
    func name(of image: Int) -> String? { source.name(of: image) }
    func size(of image: Int) -> PixelSize { source.size(of: image) }

    func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        let grey = try grey(image, PixelBox(size(of: image)))
        _ = bytes.update(fromContentsOf: grey.resized(toHeight: height, width: width).pixels)
    }

    func read(_ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        _ = bytes.update(fromContentsOf: try grey(image, box).pixels)
    }

    private func grey(_ image: Int, _ box: PixelBox) throws -> RasterImage {
        let pixels = try [UInt8](unsafeUninitializedCapacity: 3 * box.size.area) { pixels, count in
            count = 3 * box.size.area
            try source.read(image, box, into: UnsafeMutableBufferPointer(rebasing: pixels[..<count]))
        }
        return RasterImage(height: box.height, width: box.width, channels: 3, pixels: pixels)
            .converted(toChannels: 1)
    }
}

/// What is found out about images while they are decoded.
final class ImageProblems: Sendable {
    private let found = Mutex<(flaws: [Int: String], failures: [Int: ResinError])>(([:], [:]))

    var flaws: [Int: String] { found.withLock { $0.flaws } }
    var failures: [Int: ResinError] { found.withLock { $0.failures } }

    func add(_ image: Int, _ flaw: String) { found.withLock { $0.flaws[image] = flaw } }
    func add(_ image: Int, _ failure: ResinError) { found.withLock { $0.failures[image] = failure } }
}

/// Photographs of which one that cannot be read does not stop the others: it is black, and told.
public final class TolerantPhotographs: PhotographSource {
    private let source: any PhotographSource
    private let problems: ImageProblems

    init(_ source: any PhotographSource, _ problems: ImageProblems) {
        self.source = source
        self.problems = problems
    }

    /// What could not be read so far, by image.
    public var failures: [Int: ResinError] { problems.failures }
    /// What is wrong with images that could be read.
    public var flaws: [Int: String] { problems.flaws }

    public var shape: Shape { source.shape }
    public var labels: [Int32] { source.labels }
    public func name(of image: Int) -> String? { source.name(of: image) }
    public func size(of image: Int) -> PixelSize { source.size(of: image) }

    public func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        try tolerating(image, bytes) { try source.read(image, into: bytes) }
    }

    public func read(_ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        try tolerating(image, bytes) { try source.read(image, box, into: bytes) }
    }

    private func tolerating(
        _ image: Int, _ bytes: UnsafeMutableBufferPointer<UInt8>, _ read: () throws -> Void
    ) throws {
        do {
            try read()
        } catch let error as ResinError where [.badContent, .missingFile].contains(error.kind) {
            bytes.initialize(repeating: 0)
            problems.add(image, error)
        }
    }
}
