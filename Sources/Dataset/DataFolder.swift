import Foundation
import ResinTensor

extension Dataset {
    /// The data of a folder in one of four forms, known by the names in it, or of a file:
    ///
    /// - PNG, JPEG and WebP images in `train/CLASS/` and `test/CLASS/` (`val`, `valid` or `validation` where there is no
    ///   `test`), or in `CLASS/` alone; or in uncompressed tar archives, or listed in a table; see `photographs`. Without a
    ///   part to test with, `train/CLASS/` alone needs a split; from the others a tenth is kept, which is said.
    /// - MNIST's four IDX files, each plain or gzip. Classes: MNIST's or Fashion-MNIST's where the labels
    ///   have that set's SHA-256; else Fashion-MNIST's where the folder's name, or that of the folder above,
    ///   has "fashion" in it and no label is above 9; else as many as the largest label says, from 0, or from
    ///   1 where no label is 0 and one is 1.
    /// - CIFAR-10's binary files, in the folder or in its `cifar-10-batches-bin`.
    ///
    /// Mean and deviation are those of the training images that are read. Images of the last two forms that
    /// are larger than the network takes are reduced to its size; see `RasterImage.resized`.
    ///
    /// - Parameters:
    ///   - side: Height and width that the network takes.
    ///   - split: For images without `test`: the share of every class's training images to be cut off for
    ///     testing; which, follows from the seed.
    /// - Throws: `ResinError`: `.missingFile` where the folder is not there, holds none of the forms, or not
    ///   all files of one; `.badContent` where a file cannot be read, a class holds no images, or `test` has
    ///   a class that `train` has not; `.usage` where `split` does not go with the folder; `.outOfMemory`
    ///   where the machine has no memory for the images, before any of them is decoded.
    public static func folder(
        _ path: String, side: Int? = nil, split: Double? = nil, seed: UInt64
    ) throws -> Dataset {
        try folder(path, split: split, seed: seed, Reading(side: side))
    }

    static func folder(
        _ path: String, split: Double?, seed: UInt64, _ reading: Reading
    ) throws -> Dataset {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ResinError(
                .missingFile,
                "\(path): there is no such folder of data; check the path, and where it has moved since a "
                    + "run, name it with --data.")
        }
        if let (root, found) = try foundImages(path, isFolder: isFolder.boolValue) {
            return try photographs(ImageListing(path, root: root, found, split: split, seed: seed), reading)
        }
        guard isFolder.boolValue else {
            throw ResinError(
                .usage, "\(path): is a file, not a folder; unpack it if it is an archive. \(forms)")
        }
        let places: [(PublishedDataset.Format, folder: String)] = [
            (.idx, path), (.cifar10, path), (.cifar10, path + "/" + CIFAR10.folderName),
        ]
        for (format, folder) in places {
            let files = format.files(in: folder)
            if files.train.isEmpty && files.test.isEmpty { continue }
            guard files.missing.isEmpty else {
                throw ResinError(
                    .missingFile,
                    "\(folder): missing \(format.list(files.missing)); the others of this set are there. "
                        + "Fetch or copy all of them into this folder.")
            }
            guard split == nil else {
                throw ResinError(
                    .usage, "\(folder): has test images of its own; --split is for folders of images.")
            }
            let content = try format.read(files, of: path, classNames: nil, reading)
            return try measured(
                name: path, classNames: content.classes.names, train: content.train, test: content.test,
                notes: content.classes.notes)
        }
        if let (root, found) = try foundUndividedImages(path) {
            return try photographs(ImageListing(path, root: root, found, split: split, seed: seed), reading)
        }
        throw ResinError(.missingFile, "\(path): holds no data in a form that can be read. \(forms)")
    }

    /// The images of a folder that has a part to train with, of a table, or of archives.
    ///
    /// - Returns: what names are relative to, and what was found; nil where the path is of none of these.
    static func foundImages(
        _ path: String, isFolder: Bool
    ) throws -> (root: String, found: ImageListing.Found)? {
        guard isFolder else {
            let address = URL(fileURLWithPath: path).standardizedFileURL
            switch address.pathExtension.lowercased() {
            case "csv": return try ImageTable.read(path)
            case "tar":
                let root = address.deletingLastPathComponent().path
                return (root, try ShardListing.read(root, [(address.lastPathComponent, nil)]))
            default: return nil
            }
        }
        let parts = try ImageFolder.parts(in: path)
        guard let train = parts[.train] else { return nil }
        let isOfShards = try FolderEntries(path + "/" + train.text).folders.isEmpty
        let shards = isOfShards ? try ShardListing.shards(in: path) : []
        return (path, try shards.isEmpty ? ImageFolder.divided(path, parts) : ShardListing.read(path, shards))
    }

    /// The images of a folder that says nothing of parts: archives or folders of classes.
    static func foundUndividedImages(
        _ path: String
    ) throws -> (root: String, found: ImageListing.Found)? {
        let shards = try ShardListing.shards(in: path)
        if !shards.isEmpty { return (path, try ShardListing.read(path, shards)) }
        if let part = try ImageFolder.parts(in: path).values.map(\.text).min() {
            throw ResinError(
                .missingFile,
                "\(path): has a folder '\(part)', but none called 'train', whose folders say which classes there are."
            )
        }
        // What an archive was unpacked to, as many are.
        let folders = try FolderEntries(path).folders
        if folders.count == 1 {
            let inner = path + "/" + folders[0].text
            if var images = try foundImages(inner, isFolder: true) {
                images.found.notes.insert(
                    "\(path): holds one folder, '\(folders[0].text)', which is read", at: 0)
                return images
            }
        }
        return try ImageFolder.holdsClasses(path) ? (path, ImageFolder.undivided(path)) : nil
    }

    /// For messages.
    private static var forms: String {
        let idx = PublishedDataset.Format.idx
        return
            "A folder may hold images (PNG, JPEG or WebP) in train/CLASS/ and test/CLASS/ or val/CLASS/, or in "
            + "CLASS/ alone; .tar archives of images; MNIST's four files (\(idx.list(type(of: idx).idxNames))); or CIFAR-10's binary "
            + "files (data_batch_1.bin … data_batch_5.bin, test_batch.bin). A file may be a table (.csv) of paths and labels, or a .tar archive."
    }

    /// A set with mean and deviation of its training images.
    static func measured(
        name: String, classNames: [String], train: any ImageSource, test: any ImageSource, notes: [String]
    ) throws -> Dataset {
        let (mean, standardDeviation) = try train.pixelStatistics(decimals: 4)
        try checkContrast(standardDeviation, of: name)
        return try Dataset(
            name: name, classNames: classNames, train: train, test: test, mean: mean,
            standardDeviation: standardDeviation, notes: notes)
    }

    static func checkContrast(_ standardDeviation: [Float], of name: String) throws {
        guard standardDeviation.allSatisfy({ $0 > 0 }) else {
            throw ResinError(
                .badContent,
                "\(name): a channel has the same value in all pixels of the training images; there is "
                    + "nothing to learn from.")
        }
    }
}
