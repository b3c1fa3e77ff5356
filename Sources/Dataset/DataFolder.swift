import Foundation
import ResinTensor

extension Dataset {
    /// The data of a folder in one of three forms, known by the names in it:
    ///
    /// - PNG and JPEG images in `train/CLASS/` and `test/CLASS/`. The classes are the folders in `train`,
    ///   sorted by name. Every image is brought to the network's size, as `RasterImage.resized` does it;
    ///   where that is not given, images that all have one size keep it, and others come to the median of the
    ///   training images. If all are grey the set has one channel, otherwise three. The first images of a set
    ///   are of all classes in turns.
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
        guard isFolder.boolValue else {
            throw ResinError(
                .usage, "\(path): is a file, not a folder; unpack it if it is an archive. \(forms)")
        }
        func images(_ found: ImageListing.Found) throws -> Dataset {
            try photographs(ImageListing(path, root: path, found, split: split, seed: seed), reading)
        }
        let parts = try ImageFolder.parts(in: path)
        if parts[.train] != nil { return try images(ImageFolder.divided(path, parts)) }
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
        if try ImageFolder.holdsClasses(path) { return try images(ImageFolder.undivided(path)) }
        throw ResinError(.missingFile, "\(path): holds no data in a form that can be read. \(forms)")
    }

    /// For messages.
    private static var forms: String {
        let idx = PublishedDataset.Format.idx
        return
            "A folder may hold images (PNG or JPEG) in train/CLASS/ and test/CLASS/, or in train/CLASS/ alone "
            + "with --split; MNIST's four files (\(idx.list(type(of: idx).idxNames))); or CIFAR-10's binary "
            + "files (data_batch_1.bin … data_batch_5.bin, test_batch.bin)."
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
