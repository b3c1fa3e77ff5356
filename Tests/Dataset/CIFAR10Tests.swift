import Foundation
import ResinDataset
import ResinTensor
import Testing

@Suite struct CIFAR10Tests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// An image whose planes are all `red`, all `green` and all `blue`, but for the first pixel of the second
    /// row.
    private func record(_ label: UInt8, _ red: UInt8, _ green: UInt8, _ blue: UInt8) -> [UInt8] {
        [label]
            + [red, green, blue].flatMap { value in
                var plane = [UInt8](repeating: value, count: 1024)
                plane[32] = value + 1
                return plane
            }
    }

    private func fill(_ place: String = "cifar10") throws {
        for batch in 1...5 {
            try folder.write(
                record(UInt8(batch), UInt8(10 * batch), 100, 200), to: "\(place)/data_batch_\(batch).bin")
        }
        try folder.write(record(9, 1, 2, 3) + record(0, 4, 5, 6), to: "\(place)/test_batch.bin")
    }

    private func load() throws -> Dataset {
        try Dataset.named("cifar10", directory: folder.path, seed: 1)
    }

    private func refusal() -> ResinError? { #expect(throws: ResinError.self) { try load() } }

    @Test(
        "Planes become pixels, batches follow each other, from any of the usual folders",
        arguments: ["cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"])
    func reads(place: String) throws {
        try fill(place)
        let set = try load()
        #expect(set.train.shape == [5, 32, 32, 3])
        #expect(set.test.shape == [2, 32, 32, 3])
        #expect(set.train.labels == [1, 2, 3, 4, 5] && set.test.labels == [9, 0])
        #expect(Array(set.train.pixels.prefix(6)) == [10, 100, 200, 10, 100, 200])
        #expect(Array(set.train.pixels[96..<102]) == [11, 101, 201, 10, 100, 200])
        #expect(Array(set.test.pixels.suffix(3)) == [4, 5, 6])
        #expect(set.classNames[9] == "truck" && set.classNames.count == 10)
        #expect(set.mean == [0.4914, 0.4822, 0.4465])
        #expect(set.standardDeviation == [0.2470, 0.2435, 0.2616])
    }

    @Test("A size that is no whole number of records is named with what was expected")
    func size() throws {
        try fill()
        try folder.write(Array(record(1, 1, 1, 1).dropLast()), to: "cifar10/data_batch_3.bin")
        let error = refusal()
        #expect(error?.kind == .badContent)
        for word in ["data_batch_3.bin", "3073", "found 3072"] {
            #expect(error?.message.contains(word) == true, "\(error!)")
        }
        try folder.write([], to: "cifar10/data_batch_3.bin")
        #expect(refusal()?.message.contains("found 0") == true)
    }

    @Test("More images than a batch of the format has are not read")
    func tooMany() throws {
        try fill()
        try folder.writeGzip([UInt8](repeating: 0, count: 10_001 * 3073), to: "cifar10/data_batch_1.bin")
        let error = refusal()
        #expect(error?.kind == .badContent)
        #expect(
            error?.message.contains("data_batch_1.bin: size: expected at most 10,000") == true, "\(error!)")
    }

    @Test("The first images are read without the files after them")
    func limits() throws {
        try fill()
        try folder.write([1], to: "cifar10/data_batch_3.bin")
        let set = try Dataset.load("cifar10", directory: folder.path, limit: 2, limitTest: 1, seed: 1)
        #expect(set.train.labels == [1, 2] && set.test.labels == [9])
    }

    @Test("A label that is no class is named with file, image and value")
    func label() throws {
        try fill()
        try folder.write(record(0, 1, 1, 1) + record(10, 1, 1, 1), to: "cifar10/test_batch.bin")
        let error = refusal()
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains("test_batch.bin: label of image 1 is 10") == true, "\(error!)")
    }

    @Test("Missing batches are all named, with how to get them")
    func missing() throws {
        try fill()
        for name in ["data_batch_2.bin", "test_batch.bin"] {
            try FileManager.default.removeItem(atPath: folder.path + "/cifar10/" + name)
        }
        let error = refusal()
        #expect(error?.kind == .missingFile)
        for word in ["data_batch_2.bin, test_batch.bin", "resin datasets fetch cifar10", "--data-dir"] {
            #expect(error?.message.contains(word) == true, "\(error!)")
        }
    }
}
