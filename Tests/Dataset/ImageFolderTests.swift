import Foundation
import ResinDataset
import ResinFixtures
import ResinTensor
import Synchronization
import Testing

@Suite struct ImageFolderTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Two classes, three and two training images of 2×2, one test image each; every image is of one grey.
    private func fill() throws {
        for (name, grey) in [("cat/1", 10), ("cat/2", 20), ("cat/3", 30), ("dog/a", 110), ("dog/b", 120)] {
            try folder.write(greyPNG(UInt8(grey)), to: "train/\(name).png")
        }
        try folder.write(greyPNG(40), to: "test/cat/4.png")
        try folder.write(greyPNG(140), to: "test/dog/c.PNG")
    }

    private func load(side: Int? = nil, split: Double? = nil, seed: UInt64 = 1) throws -> Dataset {
        try Dataset.folder(folder.path, side: side, split: split, seed: seed)
    }

    /// The first pixel of every image.
    private func greys(_ set: any ImageSource) -> [UInt8] {
        let size = set.height * set.width * set.channels
        return (0..<set.count).map { set.pixels[$0 * size] }
    }

    private func expectRefusal(
        _ kind: ResinError.Kind, _ words: String..., split: Double? = nil,
        location: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: ResinError.self, sourceLocation: location) { try load(split: split) }
        #expect(error?.kind == kind, sourceLocation: location)
        for word in [folder.path] + words {
            #expect(error?.message.contains(word) == true, "\(error!)", sourceLocation: location)
        }
    }

    @Test("Classes are the sorted folders; images come from all classes in turns")
    func order() throws {
        try fill()
        let set = try load()
        #expect(set.classNames == ["cat", "dog"])
        #expect(greys(set.train) == [10, 110, 20, 120, 30])
        #expect(set.train.labels == [0, 1, 0, 1, 0])
        #expect(greys(set.test) == [40, 140])
        #expect(set.test.labels == [0, 1])
        #expect(set.train.shape == [5, 2, 2, 1])
        #expect(set.notes.isEmpty)
        // (10 + 20 + 30 + 110 + 120) / 5 = 58 of 255.
        #expect(set.mean == [0.2275])
    }

    @Test("One colour image, and all have three channels")
    func colour() throws {
        try fill()
        try folder.write(
            png(
                width: 2, height: 2, colourType: 2, samples: [200, 100, 50] + [UInt8](repeating: 0, count: 9)),
            to: "train/dog/c.png")
        let set = try load()
        #expect(set.train.channels == 3 && set.test.channels == 3)
        #expect(Array(set.train.pixels.prefix(6)) == [10, 10, 10, 10, 10, 10])
        #expect(Array(set.train.pixels.suffix(12).prefix(3)) == [200, 100, 50])
        #expect(set.mean.count == 3)
    }

    @Test("JPEG and PNG may be mixed, and the content decides, not the name")
    func mixed() throws {
        try fill()
        try folder.write(greyJPEG, to: "train/cat/4.JPG")
        try folder.write(greyJPEG, to: "train/cat/5.png")
        try folder.write(greyPNG(50), to: "train/cat/6.jpeg")
        let set = try load(side: 2)
        #expect(set.train.count == 8)
        #expect(set.train.shape == [8, 2, 2, 1])
        #expect(greys(set.train).last == 50)
    }

    /// `(37 i² + 11 i) mod 256` at place i.
    private func pattern(height: Int, width: Int) -> [UInt8] {
        png(
            width: width, height: height, colourType: 0,
            samples: (0..<height * width).map { (index: Int) in UInt8((37 * index * index + 11 * index) % 256)
            })
    }

    @Test("What an image comes to follows from it and the network's size, whatever the others' sizes")
    func alone() throws {
        for split in ["train", "test"] {
            try folder.write(pattern(height: 5, width: 5), to: "\(split)/a/1.png")
            try folder.write(pattern(height: 4, width: 4), to: "\(split)/b/1.png")
        }
        // Pillow 12's `resize((3, 3), BILINEAR)`, and what a smaller one comes to by (6, 6).
        let reduced: [UInt8] = [86, 123, 101, 191, 145, 200, 139, 170, 142]
        let enlarged: [UInt8] = [
            0, 24, 68, 150, 140, 110, 62, 96, 132, 142, 124, 104, 129, 155, 173, 144, 129, 123, 147, 101, 81,
            182,
            215, 221, 118, 128, 154, 216, 188, 144, 84, 168, 250, 240, 140, 42,
        ]
        #expect(try load(side: 3).train.pixels.prefix(9) == reduced[...])
        #expect(try load(side: 6).train.pixels.suffix(36) == enlarged[...])
        try folder.write(pattern(height: 5, width: 5), to: "train/b/1.png")
        try folder.write(pattern(height: 5, width: 5), to: "test/b/1.png")
        #expect(try load(side: 3).train.pixels == reduced + reduced)
        for split in ["train", "test"] {
            for name in ["a", "b"] {
                try folder.write(pattern(height: 4, width: 4), to: "\(split)/\(name)/1.png")
            }
        }
        #expect(try load(side: 6).train.pixels == enlarged + enlarged)
    }

    @Test("Without a network, images of one size keep it")
    func oneSize() throws {
        try fill()
        #expect(try load().train.shape == [5, 2, 2, 1])
    }

    @Test("Only the first images are read where a limit says so; the channels are those of all")
    func limits() throws {
        try fill()
        try folder.write(
            png(width: 2, height: 2, colourType: 2, samples: [UInt8](repeating: 9, count: 12)),
            to: "train/dog/c.png")
        let set = try Dataset.load(folder.path, side: 2, limit: 3, limitTest: 1, seed: 1)
        #expect(set.train.shape == [3, 2, 2, 3] && set.test.count == 1)
    }

    @Test("What the headers say is known before an image is decoded, and may end the reading")
    func outline() throws {
        try fill()
        // Its header and its end are there, its data are not.
        var damaged = greyPNG(20)
        damaged[43] ^= 0xFF
        try folder.write(damaged, to: "train/cat/2.png")
        struct TooMuch: Error {}
        var outline: DatasetOutline?
        #expect(throws: TooMuch.self) {
            try Dataset.load(
                folder.path, side: 100, limitTest: 1, seed: 1,
                willRead: {
                    outline = $0
                    throw TooMuch()
                })
        }
        #expect(outline?.train == [5, 100, 100, 1] && outline?.test == [1, 100, 100, 1])
        #expect(outline?.classNames == ["cat", "dog"])
        #expect(outline.map { $0.byteCount > 0 } == true)
    }

    @Test("Flawed images that can be read are counted, and the first is named with its flaw")
    func flaws() throws {
        try fill()
        try folder.write(extraneousJPEG, to: "train/cat/2.png")
        try folder.write(extraneousJPEG, to: "test/dog/c.PNG")
        let notes = try load(side: 8).notes
        #expect(notes.count == 1)
        for word in ["2 damaged images", "train/cat/2.png", "20 extraneous bytes"] {
            #expect(notes.first?.contains(word) == true, "\(notes)")
        }
    }

    @Test("A named pipe or a link to a device among the images is refused, and not waited for")
    func notRegular() throws {
        try fill()
        try FileManager.default.removeItem(atPath: folder.path + "/train/cat/2.png")
        mkfifo(folder.path + "/train/cat/2.png", 0o600)
        expectRefusal(.badContent, "train/cat/2.png", "a named pipe, not a regular file")
        try FileManager.default.removeItem(atPath: folder.path + "/train/cat/2.png")
        symlink("/dev/zero", folder.path + "/train/cat/2.png")
        expectRefusal(.badContent, "train/cat/2.png", "a device, not a regular file")
    }

    @Test("Images that differ in size come to the network's, or to the training images' median")
    func sizes() throws {
        try fill()
        try folder.write(greyPNG(50, width: 4, height: 6), to: "train/dog/c.png")
        try folder.write(greyPNG(60, width: 4, height: 6), to: "train/dog/d.png")
        #expect(try load(side: 5).train.shape == [7, 5, 5, 1])
        #expect(try load(side: 5).test.shape == [2, 5, 5, 1])
        #expect(greys(try load(side: 5).train) == [10, 110, 20, 120, 30, 50, 60])
        #expect(try load().train.shape == [7, 2, 2, 1])
        for name in ["e", "f", "g", "h"] {
            try folder.write(greyPNG(60, width: 4, height: 6), to: "train/dog/\(name).png")
        }
        #expect(try load().train.shape == [11, 6, 4, 1])
    }

    @Test("A split cuts a share off every class, the same for a seed, and loses no image")
    func split() throws {
        for index in 0..<20 {
            try folder.write(greyPNG(UInt8(index)), to: "train/a/\(index).png")
            if index < 5 { try folder.write(greyPNG(UInt8(100 + index)), to: "train/b/\(index).png") }
        }
        let set = try load(split: 0.2)
        #expect(set.test.labels.count { $0 == 0 } == 4)
        #expect(set.test.labels.count { $0 == 1 } == 1)
        let all = (greys(set.train) + greys(set.test)).sorted()
        #expect(all == (0..<20).map { UInt8($0) } + (100..<105).map { UInt8($0) })
        let again = try load(split: 0.2)
        #expect(greys(again.test) == greys(set.test) && greys(again.train) == greys(set.train))
        let others = try (2..<8).map { greys(try load(split: 0.2, seed: $0).test) }
        #expect(others.contains { $0 != greys(set.test) })
        // At least one to test with, at least one to train with.
        #expect(try load(split: 0.001).test.count == 2)
        #expect(try load(split: 0.999).train.count == 2)
    }

    @Test("Other files, hidden ones and other programs' are left out, counted by kind with an example")
    func otherFiles() throws {
        try fill()
        try folder.write([1], to: "train/cat/readme.txt")
        try folder.write([1], to: "train/dog/notes.TXT")
        try folder.write([1], to: "test/cat/LICENSE")
        try folder.write([1], to: "train/cat/.hidden.png")
        try folder.write([1], to: "train/.cache/x.png")
        try folder.write([1], to: "train/Thumbs.db")
        try folder.write(greyPNG(1), to: "train/dog/@eaDir/b.png")
        try folder.write(greyPNG(1), to: "train/lost.png")
        let set = try load()
        #expect(set.train.count == 5)
        #expect(
            set.notes == [
                "\(folder.path): left out 8 files or folders: 2 .txt, such as train/cat/readme.txt; 2 hidden, such as "
                    + "train/.cache; 1 @eaDir, such as train/dog/@eaDir; 1 Thumbs.db, such as train/Thumbs.db; 1 images of "
                    + "no class, such as train/lost.png; 1 without an ending, such as test/cat/LICENSE"
            ])
    }

    @Test(
        "All images that cannot be read are listed at once, each with its reason; a flaw in the data is found, too"
    )
    func damaged() throws {
        try fill()
        try folder.write(Array(greyPNG(1).prefix(20)), to: "train/cat/2.png")
        try folder.write([1, 2, 3], to: "train/dog/b.png")
        try folder.write([], to: "test/dog/c.PNG")
        expectRefusal(
            .badContent, "3 of 7 images", "--on-bad-image skip", "train/cat/2.png", "cut short",
            "train/dog/b.png",
            "neither PNG, JPEG nor WebP", "test/dog/c.PNG", "an empty file")
        try fill()
        var damaged = greyPNG(20)
        damaged[43] ^= 0xFF
        try folder.write(damaged, to: "train/cat/2.png")
        try folder.write(damaged, to: "test/cat/4.png")
        expectRefusal(.badContent, "2 of 7 images", "train/cat/2.png", "test/cat/4.png")
    }

    @Test("Images that cannot be read are skipped where that is asked for, counted and named")
    func skipped() throws {
        try fill()
        var damaged = greyPNG(20)
        damaged[43] ^= 0xFF
        try folder.write(damaged, to: "train/cat/2.png")
        try folder.write([1, 2, 3], to: "train/dog/b.png")
        let set = try Dataset.load(folder.path, seed: 1, onBadImage: .skip)
        #expect(greys(set.train) == [10, 110, 30] && set.train.labels == [0, 1, 0])
        #expect(greys(set.test) == [40, 140])
        // (10 + 110 + 30) / 3 = 50 of 255.
        #expect(set.mean == [0.1961])
        #expect(set.skipped.map(\.name) == ["train/dog/b.png", "train/cat/2.png"])
        #expect(set.skipped.allSatisfy { $0.reason.contains(folder.path + "/" + $0.name) })
        #expect(set.notes.contains { $0.contains("skipped 2 images") && $0.contains("train/dog/b.png") })
        for name in ["cat/1", "cat/3", "dog/a"] { try folder.write([1], to: "train/\(name).png") }
        let none = #expect(throws: ResinError.self) {
            try Dataset.load(folder.path, seed: 1, onBadImage: .skip)
        }
        #expect(none?.kind == .badContent && none!.message.contains("none of the images to train with"))
    }

    @Test("Who waits is told of every file found, every header read and every image decoded")
    func progress() throws {
        final class Observer: LoadingObserver {
            let told = Mutex<[LoadingProgress.Stage: [LoadingProgress]]>([:])
            func show(_ progress: LoadingProgress) {
                told.withLock { $0[progress.stage, default: []].append(progress) }
            }
        }
        try fill()
        let observer = Observer()
        _ = try LoadingProgress.$observer.withValue(observer) { try Dataset.load(folder.path, seed: 1) }
        let told = observer.told.withLock { $0 }
        #expect(told[.listing]?.map(\.done).max() == 7)
        // Headers part by part.
        #expect(Set(told[.headers]?.filter { $0.done == $0.count }.map(\.done) ?? []) == [5, 2])
        #expect(told[.decoding]?.contains { $0.done == 7 && $0.count == 7 } == true)
    }

    @Test("A class without images is left out with a note; one without test images is named")
    func emptyClass() throws {
        try fill()
        try folder.write([1], to: "train/fox/readme.txt")
        try FileManager.default.removeItem(atPath: folder.path + "/test/dog/c.PNG")
        let set = try load()
        #expect(set.classNames == ["cat", "dog"] && set.test.labels == [0])
        for words in ["train: the class 'fox' holds no images", "test: the class 'dog' has no images there"] {
            #expect(set.notes.contains { $0.contains(words) }, "\(set.notes)")
        }
        try FileManager.default.removeItem(atPath: folder.path + "/test/cat/4.png")
        expectRefusal(.badContent, "/test: holds no images")
    }

    @Test("A test class that training does not have is an error that names it")
    func unknownClass() throws {
        try fill()
        try folder.write(greyPNG(1), to: "test/fox/1.png")
        expectRefusal(.badContent, "classes that train has not: fox")
    }

    @Test("A training class without test images is fine")
    func untestedClass() throws {
        try fill()
        try FileManager.default.removeItem(atPath: folder.path + "/test/dog")
        #expect(try load().test.labels == [0])
    }

    @Test("No folder, no train, no classes, no test: each says what is expected")
    func layout() throws {
        try folder.write([1], to: "readme.txt")
        expectRefusal(.missingFile, "train/CLASS/", "train-images-idx3-ubyte", "data_batch_1.bin")
        try folder.write([1], to: "train/readme.txt")
        expectRefusal(.badContent, "train: holds no class with images", "1 .txt, such as train/readme.txt")
        try fill()
        try FileManager.default.removeItem(atPath: folder.path + "/test")
        expectRefusal(.usage, "--split 0.1")
        let missing = #expect(throws: ResinError.self) {
            try Dataset.folder(folder.path + "/none", seed: 1)
        }
        #expect(missing?.kind == .missingFile)
    }

    @Test("A split beside a test folder, of no share, or of a class of one image is refused")
    func badSplit() throws {
        try fill()
        expectRefusal(.usage, "leave --split out", split: 0.5)
        try FileManager.default.removeItem(atPath: folder.path + "/test")
        for share in [0, 1, -0.1, 2, .nan] {
            let error = #expect(throws: ResinError.self) { try load(split: share) }
            #expect(error?.kind == .usage && error!.message.contains("--split"))
        }
        try folder.write(greyPNG(1), to: "train/fox/1.png")
        let single = try load(split: 0.5)
        #expect(single.classNames == ["cat", "dog", "fox"] && !single.test.labels.contains(2))
        #expect(
            single.notes.contains {
                $0.contains("3 classes, 'cat', 'dog', 'fox', have one image to train with each")
            })
        for name in ["cat/2", "cat/3", "dog/b"] {
            try FileManager.default.removeItem(atPath: folder.path + "/train/\(name).png")
        }
        expectRefusal(.badContent, "no class has two images", split: 0.5)
    }

    @Test("Images without any contrast are refused: nothing can be normalised by their deviation")
    func noContrast() throws {
        for name in ["train/a/1.png", "train/b/1.png", "test/a/1.png"] {
            try folder.write(greyPNG(7), to: name)
        }
        expectRefusal(.badContent, "the same value")
    }

    @Test("A source is a name or a path; a split is for folders only")
    func source() throws {
        try fill()
        #expect(try Dataset.load(folder.path, seed: 1).train.count == 5)
        #expect(Dataset.identity(of: "mnist") == "mnist")
        #expect(Dataset.identity(of: folder.path + "/train/..") == folder.path)
        let split = #expect(throws: ResinError.self) { try Dataset.load("glyphs", split: 0.1, seed: 1) }
        #expect(split?.kind == .usage)
        let missing = #expect(throws: ResinError.self) { try Dataset.load("./mnist-pngs", seed: 1) }
        #expect(missing?.kind == .missingFile)
        let unknown = #expect(throws: ResinError.self) { try Dataset.load("imagenet", seed: 1) }
        #expect(unknown?.kind == .usage)
    }
}
