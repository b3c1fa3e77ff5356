import Foundation
import ResinDataset
import ResinFixtures
import ResinTensor
import Testing

/// Published files in a folder that is named by its path. Folders of images: `ImageFolderTests`.
@Suite struct DataFolderTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Four training images of 1×2 and one test image.
    private func fillIDX(_ place: String = ".", labels: [UInt8] = [7, 9, 0, 1]) throws {
        try folder.write(
            idx([4, 1, 2], [0, 51, 0, 51, 0, 51, 0, 51]), to: "\(place)/train-images-idx3-ubyte")
        try folder.writeGzip(idx([4], labels), to: "\(place)/train-labels-idx1-ubyte.gz")
        try folder.write(idx([1, 1, 2], [5, 6]), to: "\(place)/t10k-images.idx3-ubyte")
        try folder.writeGzip(idx([1], [0]), to: "\(place)/t10k-labels.idx1-ubyte.gz")
    }

    private func fillCIFAR(_ place: String = ".") throws {
        let names = (1...5).map { "data_batch_\($0)" } + ["test_batch"]
        for (index, name) in names.enumerated() {
            let pixels = (0..<3072).map { UInt8(truncatingIfNeeded: $0 + index) }
            try folder.write([UInt8(index)] + pixels, to: "\(place)/\(name).bin")
        }
    }

    private func load(_ place: String = ".", split: Double? = nil) throws -> Dataset {
        try Dataset.load(folder.path + "/" + place, side: 96, split: split, seed: 1)
    }

    private func expectRefusal(
        _ kind: ResinError.Kind, _ words: String..., place: String = ".", split: Double? = nil,
        location: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: ResinError.self, sourceLocation: location) {
            try load(place, split: split)
        }
        #expect(error?.kind == kind, sourceLocation: location)
        for word in [folder.path] + words {
            #expect(error?.message.contains(word) == true, "\(error!)", sourceLocation: location)
        }
    }

    @Test("Four IDX files are a set of ten digits, with mean and deviation of their own")
    func idxFiles() throws {
        try fillIDX("digits")
        let set = try load("digits")
        #expect(set.classNames == ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
        #expect(set.train.shape == [4, 1, 2, 1])
        #expect(set.train.labels == [7, 9, 0, 1])
        #expect(set.test.pixels == [5, 6])
        // Half of the pixels are 0, half 51/255.
        #expect(set.mean == [0.1] && set.standardDeviation == [0.1])
        #expect(set.notes.count == 1 && set.notes[0].contains("0 to 9"))
    }

    @Test("Classes are counted from the labels of both parts; the limits of what is read do not change them")
    func countedClasses() throws {
        try fillIDX(labels: [0, 46, 3, 0])
        let set = try load()
        #expect(set.classNames == (0...46).map(String.init) && set.train.labels == [0, 46, 3, 0])
        let first = try Dataset.load(folder.path, limit: 1, seed: 1)
        #expect(first.train.pixels == [0, 51] && first.classNames.count == 47)
        try folder.writeGzip(idx([1], [61]), to: "t10k-labels.idx1-ubyte.gz")
        #expect(try load().classNames.count == 62)
    }

    @Test("Labels that begin with 1 are taken one lower, and it is said")
    func labelsFromOne() throws {
        try fillIDX(labels: [1, 26, 3, 2])
        try folder.writeGzip(idx([1], [4]), to: "t10k-labels.idx1-ubyte.gz")
        let set = try load()
        #expect(set.classNames == (1...26).map(String.init))
        #expect(set.train.labels == [0, 25, 2, 1] && set.test.labels == [3])
        #expect(set.notes.count == 1 && set.notes[0].contains("begin with 1"), "\(set.notes)")
        // One label of 0, though it is a test image's, and they are what they say.
        try folder.writeGzip(idx([1], [0]), to: "t10k-labels.idx1-ubyte.gz")
        #expect(try load().train.labels == [1, 26, 3, 2])
    }

    @Test("Images larger than the network's are reduced to it, smaller ones are the device's to enlarge")
    func reduced() throws {
        try folder.write(
            idx([2, 2, 4], [7, 0, 70, 0, 7, 0, 70, 0, 9, 9, 9, 9, 9, 9, 9, 9]), to: "train-images-idx3-ubyte")
        try folder.write(idx([2], [0, 1]), to: "train-labels-idx1-ubyte")
        try folder.write(idx([1, 2, 4], [5, 5, 5, 5, 5, 5, 5, 5]), to: "t10k-images-idx3-ubyte")
        try folder.write(idx([1], [0]), to: "t10k-labels-idx1-ubyte")
        let reduced = try Dataset.load(folder.path, side: 2, seed: 1)
        #expect(reduced.train.pixels == [13, 30, 13, 30, 9, 9, 9, 9] && reduced.test.pixels == [5, 5, 5, 5])
        #expect(try Dataset.load(folder.path, side: 4, seed: 1).train.shape == [2, 2, 4, 1])
        #expect(try Dataset.load(folder.path, side: 3, seed: 1).train.shape == [2, 3, 3, 1])
    }

    @Test(
        "A folder called Fashion-MNIST has its classes, and it is said why",
        arguments: ["fashion-mnist", "FashionMNIST/raw"])
    func fashion(place: String) throws {
        try fillIDX(place)
        let set = try load(place)
        #expect(set.classNames[0] == "T-shirt/top" && set.classNames[9] == "Ankle boot")
        #expect(set.notes.count == 1 && set.notes[0].contains("Fashion-MNIST"))
    }

    /// MNIST's own, as `NamedDatasetTests.realData`.
    private static let realMNIST: String? = {
        guard let directory = ProcessInfo.processInfo.environment["RESIN_DATA"],
            FileManager.default.fileExists(atPath: directory + "/mnist")
        else { return nil }
        return directory + "/mnist"
    }()

    @Test(
        "MNIST is known by its labels, whatever its folder is called, and is the named set",
        .enabled(if: realMNIST != nil, "set RESIN_DATA to a folder that holds mnist"))
    func mnist() throws {
        let link = folder.path + "/fashion"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: Self.realMNIST!)
        let set = try Dataset.load(link, seed: 1)
        let named = try Dataset.named("mnist", directory: Self.realMNIST! + "/..", seed: 1)
        #expect(set.classNames == named.classNames && set.notes.isEmpty)
        #expect(set.train.pixels == named.train.pixels && set.test.labels == named.test.labels)
        #expect(set.mean == named.mean && set.standardDeviation == named.standardDeviation)
    }

    @Test("CIFAR-10's binary files are found in the folder and in the one they unpack to")
    func cifar10() throws {
        try fillCIFAR("a")
        try fillCIFAR("b/cifar-10-batches-bin")
        for place in ["a", "b"] {
            let set = try load(place)
            #expect(set.train.shape == [5, 32, 32, 3] && set.train.labels == [0, 1, 2, 3, 4])
            #expect(set.test.labels == [5])
            #expect(set.classNames[9] == "truck" && set.mean.count == 3 && set.notes.isEmpty)
        }
    }

    @Test("Files that are missing are named, those that are there are not")
    func missing() throws {
        try fillIDX()
        try FileManager.default.removeItem(atPath: folder.path + "/train-images-idx3-ubyte")
        try FileManager.default.removeItem(atPath: folder.path + "/t10k-labels.idx1-ubyte.gz")
        expectRefusal(
            .missingFile, "missing train-images-idx3-ubyte, t10k-labels-idx1-ubyte (each may end in .gz)")
        try fillCIFAR("cifar")
        try FileManager.default.removeItem(atPath: folder.path + "/cifar/data_batch_3.bin")
        expectRefusal(.missingFile, "missing data_batch_3.bin;", place: "cifar")
    }

    @Test("A split, a limit above the number of images, and images without contrast are refused")
    func refusals() throws {
        try fillIDX()
        expectRefusal(.usage, "--split", split: 0.1)
        let limit = #expect(throws: ResinError.self) { try Dataset.load(folder.path, limit: 5, seed: 1) }
        #expect(limit?.kind == .usage && limit!.message.contains("holds 4"))
        try folder.write(idx([4, 1, 2], [UInt8](repeating: 9, count: 8)), to: "train-images-idx3-ubyte")
        expectRefusal(.badContent, "the same value")
    }

    @Test("A file is no folder, and an empty folder is none of the forms")
    func noData() throws {
        try folder.write([1], to: "images.tar.xz")
        expectRefusal(.usage, "unpack", "train/CLASS/", place: "images.tar.xz")
        expectRefusal(.missingFile, "train/CLASS/", "t10k-labels-idx1-ubyte", "test_batch.bin")
        expectRefusal(.missingFile, "no such folder", place: "nowhere")
    }

    @Test("A folder with train/ is one of images, whatever else it holds")
    func imagesFirst() throws {
        try fillIDX()
        try folder.write(greyPNG(1), to: "train/cat/1.png")
        try folder.write(greyPNG(2), to: "train/dog/1.png")
        try folder.write(greyPNG(3), to: "test/cat/1.png")
        #expect(try load().classNames == ["cat", "dog"])
    }
}
