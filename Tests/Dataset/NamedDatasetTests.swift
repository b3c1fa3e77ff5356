import Foundation
import ResinDataset
import ResinTensor
import Testing

@Suite struct NamedDatasetTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func refusal(_ name: String) -> ResinError? {
        #expect(throws: ResinError.self) { try Dataset.named(name, directory: folder.path, seed: 1) }
    }

    @Test("Plain, gzip and older dotted names are found")
    func readsASet() throws {
        try folder.write(idx([2, 1, 2], [1, 2, 3, 4]), to: "mnist/train-images-idx3-ubyte")
        try folder.writeGzip(idx([2], [7, 9]), to: "mnist/train-labels-idx1-ubyte.gz")
        try folder.write(idx([1, 1, 2], [5, 6]), to: "mnist/t10k-images.idx3-ubyte")
        try folder.writeGzip(idx([1], [0]), to: "mnist/t10k-labels.idx1-ubyte.gz")

        let set = try Dataset.named("mnist", directory: folder.path, seed: 1)
        #expect(set.name == "mnist")
        #expect(set.classNames == ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
        #expect(set.train.pixels == [1, 2, 3, 4])
        #expect(set.train.labels == [7, 9])
        #expect(set.train.shape == [2, 1, 2, 1])
        #expect(set.test.pixels == [5, 6])
        #expect(set.mean == [0.1307])
        #expect(set.standardDeviation == [0.3081])
    }

    @Test("Missing files are all named, with the folder and how to get the set")
    func missingFiles() throws {
        try folder.write(idx([1, 1, 1], [1]), to: "fashion-mnist/train-images-idx3-ubyte")
        let error = refusal("fashion-mnist")
        #expect(error?.kind == .missingFile)
        let message = error?.message ?? ""
        for word in [
            folder.path + "/fashion-mnist", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte", "http://fashion-mnist.s3-website", "--data-dir", "RESIN_DATA",
        ] {
            #expect(message.contains(word), "\(message)")
        }
        #expect(!message.contains("train-images"))
    }

    @Test("Images and labels of different number are refused, both files named")
    func countsDisagree() throws {
        try folder.write(idx([2, 1, 1], [1, 2]), to: "mnist/train-images-idx3-ubyte")
        try folder.write(idx([3], [0, 1, 2]), to: "mnist/train-labels-idx1-ubyte")
        try folder.write(idx([1, 1, 1], [1]), to: "mnist/t10k-images-idx3-ubyte")
        try folder.write(idx([1], [0]), to: "mnist/t10k-labels-idx1-ubyte")
        let error = refusal("mnist")
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains("train-images-idx3-ubyte holds 2 images") == true)
        #expect(error?.message.contains("train-labels-idx1-ubyte holds 3 labels") == true)
    }

    @Test("A label that is no class is named with its file, index and value")
    func labelOutOfRange() throws {
        try folder.write(idx([2, 1, 1], [1, 2]), to: "mnist/train-images-idx3-ubyte")
        try folder.write(idx([2], [9, 10]), to: "mnist/train-labels-idx1-ubyte")
        try folder.write(idx([1, 1, 1], [1]), to: "mnist/t10k-images-idx3-ubyte")
        try folder.write(idx([1], [0]), to: "mnist/t10k-labels-idx1-ubyte")
        let error = refusal("mnist")
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains("train-labels-idx1-ubyte: label 1 is 10") == true)
    }

    @Test("An unknown name lists the known ones")
    func unknownName() {
        let error = refusal("imagenet")
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("glyphs, mnist, fashion-mnist, cifar10") == true)
        #expect(Dataset.knownNames == ["glyphs", "mnist", "fashion-mnist", "cifar10"])
    }

    @Test("The folder is RESIN_DATA, else the user's cache folder")
    func defaultDirectory() {
        let home = ["HOME": "/home/a"]
        func directory(_ more: [String: String]) -> String {
            Dataset.defaultDirectory(environment: home.merging(more) { $1 })
        }
        #expect(directory(["RESIN_DATA": "/data", "XDG_CACHE_HOME": "/cache"]) == "/data")
        #expect(directory(["RESIN_DATA": "", "XDG_CACHE_HOME": "/cache"]) == "/cache/resin/datasets")
        #expect(directory(["XDG_CACHE_HOME": "relative"]) == "/home/a/.cache/resin/datasets")
        #expect(directory([:]) == "/home/a/.cache/resin/datasets")
    }

    /// `$RESIN_DATA` where it holds Fashion-MNIST.
    static let realData: String? = {
        guard let directory = ProcessInfo.processInfo.environment["RESIN_DATA"],
            FileManager.default.fileExists(atPath: directory + "/fashion-mnist")
        else { return nil }
        return directory
    }()

    @Test(
        "The real Fashion-MNIST has its published size, balance and statistics",
        .enabled(if: realData != nil, "set RESIN_DATA to a folder that holds fashion-mnist"))
    func realFashionMNIST() throws {
        let set = try Dataset.named("fashion-mnist", directory: Self.realData, seed: 1)
        #expect(set.classNames.count == 10 && set.classNames[9] == "Ankle boot")
        #expect(set.train.shape == [60_000, 28, 28, 1])
        #expect(set.test.shape == [10_000, 28, 28, 1])
        for label in 0..<UInt8(10) {
            #expect(set.train.labels.count { $0 == label } == 6_000)
            #expect(set.test.labels.count { $0 == label } == 1_000)
        }
        let (mean, standardDeviation) = try set.train.pixelStatistics(decimals: 4)
        #expect(mean == set.mean && mean == [0.2860])
        #expect(standardDeviation == set.standardDeviation && standardDeviation == [0.3530])
    }
}
