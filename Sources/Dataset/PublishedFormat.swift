import Foundation
import ResinTensor

/// The files that a published format consists of, in whatever folder they lie.
extension PublishedDataset.Format {
    /// Those of a folder.
    struct Files {
        /// Paths, in the order in which they are read.
        let train, test: [String]
        /// Names of those that are not there.
        let missing: [String]
    }

    static let idxNames = [
        "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]

    func files(in folder: String) -> Files {
        let (train, test) =
            switch self {
            case .idx: (Array(Self.idxNames[..<2]), Array(Self.idxNames[2...]))
            case .cifar10: (CIFAR10.trainNames, CIFAR10.testNames)
            }
        func path(_ name: String) -> String? { Self.find(name, in: folder) }
        return Files(
            train: train.compactMap(path), test: test.compactMap(path),
            missing: (train + test).filter { path($0) == nil })
    }

    /// A file plain or gzip, under its present name or, for IDX files, its older, dotted one
    /// (`train-images.idx3-ubyte`).
    static func find(_ fileName: String, in folder: String) -> String? {
        let dotted = fileName.replacingOccurrences(of: "-idx", with: ".idx")
        return [fileName, fileName + ".gz", dotted, dotted + ".gz"]
            .map { folder + "/" + $0 }
            .first { FileManager.default.fileExists(atPath: $0) }
    }

    /// What a set's files hold.
    struct Content {
        let classes: Classes
        let train, test: any ImageSource
    }

    struct Classes {
        let names: [String]
        /// The label of the first class.
        var firstLabel: UInt8 = 0
        /// Where the names are a guess.
        var notes: [String] = []
    }

    /// - Parameters:
    ///   - files: a set's, all of them.
    ///   - name: for messages.
    ///   - classNames: those of the published set; nil where the labels are to tell which classes there are.
    /// - Throws: `ResinError`: `.badContent` where the files are not what they should be, `.outOfMemory`,
    ///   `.usage` for a limit that there are not so many images for.
    func read(
        _ files: Files, of name: String, classNames: [String]?, _ reading: Reading
    ) throws -> Content {
        switch self {
        case .idx: try Self.readIDX(files, of: name, classNames: classNames, reading)
        case .cifar10: try CIFAR10.read(files, of: name, reading)
        }
    }

    private static func readIDX(
        _ files: Files, of name: String, classNames: [String]?, _ reading: Reading
    ) throws -> Content {
        let train = try IDXPair(imagesPath: files.train[0], labelsPath: files.train[1])
        let test = try IDXPair(imagesPath: files.test[0], labelsPath: files.test[1])
        guard train.height == test.height, train.width == test.width else {
            throw ResinError(
                .badContent,
                "\(name): the training images are \(train.height)×\(train.width), the test images "
                    + "\(test.height)×\(test.width); they must be of one size.")
        }
        let trainCount = try Reading.count(of: train.count, limit: reading.limit)
        let testCount = try Reading.count(of: test.count, limit: reading.limitTest)
        // Which classes there are does not depend on the limits.
        let isCounted = classNames == nil
        if isCounted { try HostMemory.check(train.count + test.count, for: "\(name): reading the labels") }
        var trainLabels = try train.labels.elements(
            first: isCounted ? nil : trainCount)
        var testLabels = try test.labels.elements(
            first: isCounted ? nil : testCount)
        let classes =
            try classNames.map { Classes(names: $0) }
            ?? Classes(ofTrainLabels: trainLabels, testLabels: testLabels, in: name)
        if isCounted {
            trainLabels = trainLabels.prefix(trainCount).map { $0 - classes.firstLabel }
            testLabels = testLabels.prefix(testCount).map { $0 - classes.firstLabel }
        }
        let size = reading.size(height: train.height, width: train.width)
        func shape(_ count: Int) -> Shape {
            Shape(images: count, height: size.height, width: size.width, channels: 1)
        }
        let isResized = size != (train.height, train.width)
        let stored = (trainCount + testCount) * train.height * train.width
        let (trainShape, testShape) = (shape(trainCount), shape(testCount))
        try reading.begin(
            DatasetOutline(
                name: name, classNames: classes.names, train: trainShape, test: testShape,
                byteCount: trainShape.count + testShape.count + (isResized ? stored : 0)))
        func images(_ pair: borrowing IDXPair, _ labels: [UInt8], _ path: String) throws -> any ImageSource {
            try ImageSet(
                pixels: pair.images.elements(first: labels.count),
                labels: labels.map(Int32.init), height: pair.height, width: pair.width, channels: 1,
                classCount: classes.names.count, source: path
            ).resized(
                toHeight: size.height, width: size.width, classCount: classes.names.count)
        }
        return Content(
            classes: classes, train: try images(train, trainLabels, files.train[1]),
            test: try images(test, testLabels, files.test[1]))
    }

    /// "train-images-idx3-ubyte, … (each may end in .gz)": for messages.
    func list(_ names: [String]) -> String {
        names.joined(separator: ", ") + (self == .idx ? " (each may end in .gz)" : "")
    }
}

extension PublishedDataset.Format.Classes {
    /// Those of the labels of IDX files: a published set's, where the training labels have their SHA-256;
    /// else Fashion-MNIST's where the folder's name, or that of the folder above, has "fashion" in it; else
    /// the labels' numbers, from 0 or, where no label is 0 and one is 1, from 1.
    init(ofTrainLabels train: [UInt8], testLabels test: [UInt8], in folder: String) throws {
        // The file's content, whatever container it came in.
        let count = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: train.count >> $0) }
        let content = [0, 0, 8, 1] + count + train
        let published = PublishedDataset.all.filter { set in
            set.files.contains { $0.content?.byteCount == content.count }
        }
        if !published.isEmpty {
            let sum = try Checksum.ofBytes(content)
            if let set = published.first(where: { $0.files.contains { $0.content?.sha256 == sum } }) {
                self.init(names: set.classNames)
                return
            }
        }
        let lowest = min(train.min()!, test.min()!)
        let highest = max(train.max()!, test.max()!)
        let folders = URL(fileURLWithPath: folder).standardizedFileURL.pathComponents.suffix(2)
        if highest < 10, folders.contains(where: { $0.lowercased().contains("fashion") }) {
            self.init(
                names: try PublishedDataset.named("fashion-mnist").classNames,
                notes: ["\(folder): the classes have Fashion-MNIST's names, going by the folder's"])
            return
        }
        let first: UInt8 = lowest == 1 ? 1 : 0
        self.init(
            names: (first...highest).map(String.init), firstLabel: first,
            notes: [
                "\(folder): the classes are called \(first) to \(highest)"
                    + (first > 0 ? ": the labels begin with 1, and are taken one lower" : "")
            ])
    }
}
