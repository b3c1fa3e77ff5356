import Foundation
import ResinTensor

extension Dataset {
    /// What `named` knows.
    public static let knownNames = ["glyphs"] + PublishedDataset.all.map(\.name)

    /// A set by its name, or a folder by its path.
    ///
    /// - Parameters:
    ///   - directory: Where named sets lie; see `named`.
    ///   - side: Height and width that the network takes. Images that are larger are reduced to it, those of
    ///     a folder of images always brought to it; see `folder`.
    ///   - split: For folders, see there.
    ///   - limit: Read only the first so many training images.
    ///   - limitTest: Read only the first so many test images.
    ///   - seed: What the images of `glyphs` and the split of a folder follow from.
    ///   - onBadImage: What is done where images of a folder cannot be read.
    ///   - honoursOrientation: Whether a folder's images are turned upright, as their EXIF data say.
    ///   - willRead: gets what files' headers say of a set from files, before any of its images is read: to
    ///     plan with, and to throw where it does not fit.
    /// - Errors: those of `named` and `folder`; `.usage` for a limit above the number of images; what
    ///   `willRead` throws.
    public static func load(
        _ source: String, directory: String? = nil, side: Int? = nil, split: Double? = nil,
        limit: Int? = nil, limitTest: Int? = nil, seed: UInt64, onBadImage: BadImagePolicy = .stop,
        honoursOrientation: Bool = true, willRead: (DatasetOutline) throws -> Void = { _ in }
    ) throws -> Dataset {
        try withoutActuallyEscaping(willRead) { willRead in
            let reading = Reading(
                side: side, limit: limit, limitTest: limitTest, honoursOrientation: honoursOrientation,
                onBadImage: onBadImage, willRead: willRead)
            let isName = !source.contains("/") && !FileManager.default.fileExists(atPath: source)
            guard knownNames.contains(source) || isName else {
                return try folder(source, split: split, seed: seed, reading)
            }
            guard split == nil else {
                throw ResinError(
                    .usage, "'\(source)' has test images of its own; --split is for folders of images.")
            }
            return try named(source, directory: directory, seed: seed, reading)
        }
    }

    /// What a configuration calls a source: a known name as it is, a folder by its absolute path.
    public static func identity(of source: String) -> String {
        if knownNames.contains(source) { return source }
        let isFile = source.contains("/") || FileManager.default.fileExists(atPath: source)
        return isFile ? URL(fileURLWithPath: source).standardizedFileURL.path : source
    }

    /// A set by its name: `glyphs` is made on the spot, the others are read from `directory`/`name`.
    ///
    /// - Parameters:
    ///   - directory: Where named sets lie, one folder each; by default `defaultDirectory()`.
    ///   - seed: What the images of `glyphs` follow from; sets read from files do not depend on it.
    /// - Errors: `.usage` for an unknown name, `.missingFile` where files of the set are not there,
    ///   `.badContent` where they are not what they should be.
    public static func named(_ name: String, directory: String? = nil, seed: UInt64) throws -> Dataset {
        try named(name, directory: directory, seed: seed, Reading())
    }

    private static func named(
        _ name: String, directory: String?, seed: UInt64, _ reading: Reading
    ) throws -> Dataset {
        if name == "glyphs" { return try glyphs(seed: seed).read(reading) }
        guard let set = PublishedDataset.all.first(where: { $0.name == name }) else {
            throw ResinError(
                .usage,
                "There is no data set '\(name)', and no folder of that name here; known are "
                    + "\(knownNames.joined(separator: ", ")), and folders by their paths.")
        }
        return try set.read(from: directory ?? defaultDirectory(), reading)
    }

    /// Where named sets lie unless a folder is given: `$RESIN_DATA`, else `resin/datasets` in the user's
    /// cache folder (`$XDG_CACHE_HOME`, else `~/.cache`).
    public static func defaultDirectory(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String {
        if let directory = environment["RESIN_DATA"], !directory.isEmpty { return directory }
        // The XDG specification asks to ignore a path that is not absolute.
        if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") {
            return cache + "/resin/datasets"
        }
        return (environment["HOME"] ?? NSHomeDirectory()) + "/.cache/resin/datasets"
    }
}
