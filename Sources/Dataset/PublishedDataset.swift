import Foundation
import ResinTensor

/// A set of images that others publish: where it is found, how its files are known, and what is in it.
package struct PublishedDataset: Sendable {
    package enum Format: Sendable {
        /// Four IDX files, gzip or plain.
        case idx
        /// CIFAR-10's batches, in one archive.
        case cifar10
    }

    /// Bytes that are known by their number and their SHA-256.
    package struct Digest: Sendable {
        package let byteCount: Int
        package let sha256: String

        package init(_ byteCount: Int, _ sha256: String) {
            self.byteCount = byteCount
            self.sha256 = sha256
        }
    }

    /// A file as it is published.
    package struct File: Sendable {
        package let name: String
        package let bytes: Digest
        /// Of what is in the gzip container, which does not change where someone packs it anew.
        package let content: Digest?

        package init(name: String, bytes: Digest, content: Digest? = nil) {
            self.name = name
            self.bytes = bytes
            self.content = content
        }

        /// Bytes of any file that is right: one that someone packed less well may be an eighth larger.
        package var largestByteCount: Int { bytes.byteCount + (content == nil ? 0 : bytes.byteCount / 8) }
    }

    package let name: String
    package let format: Format
    package let classNames: [String]
    /// Of the training images, on the 0 … 1 scale, a channel each, as everyone uses them.
    package let mean: [Float]
    package let standardDeviation: [Float]
    /// Where its authors or keepers publish the files.
    package let address: String
    package let files: [File]
    /// Images by class.
    package let trainCounts: [Int]
    package let testCounts: [Int]

    package init(
        name: String, format: Format, classNames: [String], mean: [Float], standardDeviation: [Float],
        address: String, files: [File], trainCounts: [Int], testCounts: [Int]
    ) {
        self.name = name
        self.format = format
        self.classNames = classNames
        self.mean = mean
        self.standardDeviation = standardDeviation
        self.address = address
        self.files = files
        self.trainCounts = trainCounts
        self.testCounts = testCounts
    }

    /// - Throws: `ResinError(.usage)` for a name that is not of a published set.
    package static func named(_ name: String) throws -> PublishedDataset {
        if let set = all.first(where: { $0.name == name }) { return set }
        let known = all.map(\.name).joined(separator: ", ")
        throw ResinError(
            .usage,
            name == "glyphs"
                ? "glyphs is made by the program itself: there is nothing to fetch or verify; published sets "
                    + "are \(known)."
                : "There is no published data set '\(name)'; known are \(known).")
    }

    /// Where the set lies in a data folder.
    package func folder(in directory: String) -> String {
        switch format {
        case .idx: directory + "/" + name
        case .cifar10: CIFAR10.folder(in: directory)
        }
    }

    /// Whether all its files are there, whatever is in them.
    package func isPresent(in directory: String) -> Bool {
        format.files(in: folder(in: directory)).missing.isEmpty
    }

    /// - Throws: `ResinError(.missingFile)` that names the missing files; as `Format.read`.
    func read(from directory: String, _ reading: Reading = Reading()) throws -> Dataset {
        let folder = folder(in: directory)
        let files = format.files(in: folder)
        guard files.missing.isEmpty else {
            let last = (folder as NSString).lastPathComponent
            throw ResinError(
                .missingFile,
                "\(folder): missing \(format.list(files.missing)). 'resin datasets fetch \(name)' gets them "
                    + "from \(address); if the folder '\(last)' lies elsewhere, name the folder that holds it "
                    + "with --data-dir or RESIN_DATA.")
        }
        let content = try format.read(files, of: name, classNames: classNames, reading)
        return try Dataset(
            name: name, classNames: classNames, train: content.train, test: content.test, mean: mean,
            standardDeviation: standardDeviation)
    }
}

extension PublishedDataset {
    /// The sums of the files are those of TensorFlow Datasets (`tensorflow_datasets/url_checksums`). Those of
    /// the content were computed: MNIST's from copies whose content is the published one; Fashion-MNIST's
    /// from Debian's package `dataset-fashion-mnist`, whose streams, with the published files' gzip headers
    /// put before them, have the published files' sums.
    package static let all = [
        PublishedDataset(
            name: "mnist", format: .idx, classNames: (0..<10).map(String.init), mean: [0.1307],
            standardDeviation: [0.3081], address: "https://ossci-datasets.s3.amazonaws.com/mnist/",
            files: [
                File(
                    name: "train-images-idx3-ubyte.gz",
                    bytes: Digest(
                        9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                    content: Digest(
                        47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db")),
                File(
                    name: "train-labels-idx1-ubyte.gz",
                    bytes: Digest(
                        28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
                    content: Digest(
                        60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5")),
                File(
                    name: "t10k-images-idx3-ubyte.gz",
                    bytes: Digest(
                        1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                    content: Digest(
                        7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7")),
                File(
                    name: "t10k-labels-idx1-ubyte.gz",
                    bytes: Digest(
                        4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
                    content: Digest(
                        10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2")),
            ],
            trainCounts: [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
            testCounts: [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
        PublishedDataset(
            name: "fashion-mnist", format: .idx,
            classNames: [
                "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                "Ankle boot",
            ],
            mean: [0.2860], standardDeviation: [0.3530],
            address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            files: [
                File(
                    name: "train-images-idx3-ubyte.gz",
                    bytes: Digest(
                        26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
                    content: Digest(
                        47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888")),
                File(
                    name: "train-labels-idx1-ubyte.gz",
                    bytes: Digest(
                        29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
                    content: Digest(
                        60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9")),
                File(
                    name: "t10k-images-idx3-ubyte.gz",
                    bytes: Digest(
                        4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
                    content: Digest(
                        7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b")),
                File(
                    name: "t10k-labels-idx1-ubyte.gz",
                    bytes: Digest(
                        5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
                    content: Digest(
                        10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34")),
            ],
            trainCounts: [Int](repeating: 6_000, count: 10), testCounts: [Int](repeating: 1_000, count: 10)),
        PublishedDataset(
            name: "cifar10", format: .cifar10, classNames: CIFAR10.classNames,
            mean: [0.4914, 0.4822, 0.4465], standardDeviation: [0.2470, 0.2435, 0.2616],
            address: "https://www.cs.toronto.edu/~kriz/",
            files: [
                File(
                    name: "cifar-10-binary.tar.gz",
                    bytes: Digest(
                        170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"))
            ],
            trainCounts: [Int](repeating: 5_000, count: 10), testCounts: [Int](repeating: 1_000, count: 10)),
    ]
}
