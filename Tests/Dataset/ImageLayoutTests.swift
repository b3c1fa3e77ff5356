import Foundation
import ResinDataset
import ResinFixtures
import ResinTensor
import Testing

/// Folders as people have them, tables, and archives.
@Suite struct ImageLayoutTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// An image of 2×2 whose greys say which it is.
    private func image(_ grey: Int) -> [UInt8] { greyPNG(UInt8(grey)) }

    private func load(_ place: String = "", split: Double? = nil) throws -> Dataset {
        try Dataset.load(folder.path + (place.isEmpty ? "" : "/" + place), split: split, seed: 1)
    }

    private func greys(_ set: (any ImageSource)?) -> [UInt8] {
        guard let set else { return [] }
        return (0..<set.count).map { set.pixels[$0 * 4] }
    }

    private func names(_ set: any ImageSource) -> [String?] { (0..<set.count).map { set.name(of: $0) } }

    private func refusal(_ place: String = "", split: Double? = nil) -> ResinError? {
        #expect(throws: ResinError.self) { try load(place, split: split) }
    }

    // MARK: Folders

    @Test(
        "The part to test with is test, val, valid or validation, in any letter case",
        arguments: [
            ("train", "val"), ("train", "valid"), ("train", "validation"), ("Train", "TEST"),
            ("TRAIN", "Val"),
            ("training", "testing"),
        ])
    func parts(train: String, test: String) throws {
        for (name, grey) in [
            ("\(train)/a/1", 10), ("\(train)/b/1", 20), ("\(test)/a/1", 30), ("\(test)/b/1", 40),
        ] {
            try folder.write(image(grey), to: name + ".png")
        }
        let set = try load()
        #expect(
            set.classNames == ["a", "b"] && greys(set.train) == [10, 20] && greys(set.test) == [30, 40])
        #expect(set.validation == nil)
        #expect(refusal(split: 0.1)?.message.contains("leave --split out") == true)
    }

    @Test("Where val and test are there, the first is kept for validation, and it is said")
    func validation() throws {
        for (name, grey) in [
            ("train/a/1", 10), ("train/b/1", 20), ("val/a/1", 30), ("val/b/1", 31), ("test/b/1", 40),
        ] { try folder.write(image(grey), to: name + ".png") }
        let set = try load()
        #expect(greys(set.test) == [40] && greys(set.validation) == [30, 31])
        #expect(set.validation?.labels == [0, 1])
        #expect(
            set.notes.contains { $0.contains("/test is tested with") && $0.contains("/val is kept") },
            "\(set.notes)")
        try folder.write(image(1), to: "Valid/a/1.png")
        #expect(refusal()?.message.contains("'Valid' and 'val', which mean the same") == true)
    }

    @Test(
        "Classes without train keep a tenth of each for testing, and it is said; or the share that --split says"
    )
    func undivided() throws {
        for index in 0..<20 {
            try folder.write(image(index), to: "a/\(index).png")
            try folder.write(image(100 + index), to: "b/\(index).png")
        }
        let set = try load()
        #expect(set.train.count == 36 && set.test.labels == [0, 1, 0, 1])
        #expect(set.notes.contains { $0.contains("a tenth of every class") && $0.contains("--split 0.1") })
        #expect((greys(set.train) + greys(set.test)).sorted() == (0..<20).map { $0 } + (100..<120).map { $0 })
        let half = try load(split: 0.5)
        #expect(half.test.count == 20 && !half.notes.contains { $0.contains("a tenth") })
    }

    @Test("A folder that holds nothing but a set is read as the set; one with parts but no train is refused")
    func wrapped() throws {
        for (name, grey) in [("x/train/a/1", 10), ("x/train/b/1", 20), ("x/test/a/1", 30)] {
            try folder.write(image(grey), to: name + ".png")
        }
        let set = try load()
        #expect(greys(set.train) == [10, 20] && names(set.test) == ["test/a/1.png"])
        #expect(set.notes.contains { $0.contains("holds one folder, 'x', which is read") })
        try FileManager.default.removeItem(atPath: folder.path + "/x/train")
        let error = refusal("x")
        #expect(error?.kind == .missingFile && error!.message.contains("'test', but none called 'train'"))
    }

    @Test("What lies in folders within a class's belongs to the class")
    func nested() throws {
        for (name, grey) in [
            ("train/a/more/deep/1", 10), ("train/a/2", 11), ("train/b/x/1", 20), ("test/b/y/1", 30),
        ] {
            try folder.write(image(grey), to: name + ".png")
        }
        let set = try load()
        #expect(names(set.train) == ["train/a/2.png", "train/b/x/1.png", "train/a/more/deep/1.png"])
        #expect(greys(set.test) == [30])
    }

    @Test("Links are followed, a folder once; circles end")
    func links() throws {
        try folder.write(image(10), to: "elsewhere/1.png")
        try folder.write(image(11), to: "other/2.png")
        try folder.write(image(20), to: "train/b/1.png")
        try folder.write(image(30), to: "test/b/1.png")
        for (link, target) in [
            ("train/a", "../elsewhere"), ("elsewhere/file.png", "../other/2.png"),
            ("elsewhere/circle", "../elsewhere"),
            ("elsewhere/zother", "../other"), ("elsewhere/zzagain", "../other"),
        ] { symlink(target, folder.path + "/" + link) }
        let set = try load()
        #expect(set.train.labels == [0, 1, 0, 0])
        #expect(greys(set.train) == [10, 20, 11, 11])
        #expect(
            set.notes.contains {
                $0.contains("2 links to folders that are read already, such as train/a/circle")
            }, "\(set.notes)")
    }

    @Test("A link that leads nowhere is an image that cannot be read")
    func brokenLink() throws {
        for name in ["train/a/1", "train/b/1", "test/a/1"] {
            try folder.write(image(name.utf8.count), to: name + ".png")
        }
        symlink("nowhere.png", folder.path + "/train/a/2.png")
        #expect(refusal()?.message.contains("train/a/2.png") == true)
    }

    @Test("Names need not be text; a class of 300 is one of 300")
    func manyClasses() throws {
        for index in 0..<300 { try folder.write(image(index % 200), to: "train/class\(index)/1.png") }
        try folder.write(image(5), to: "test/class7/1.png")
        let name = Array((folder.path + "/train/class0/").utf8) + [0xFF, 0xFE] + Array(".png".utf8) + [0]
        let file = open(name.map { CChar(bitPattern: $0) }, O_CREAT | O_WRONLY, 0o600)
        let bytes = image(77)
        #expect(write(file, bytes, bytes.count) == bytes.count)
        close(file)
        let set = try load()
        #expect(set.classNames.count == 300 && set.train.count == 301 && greys(set.train).last == 77)
        #expect(
            set.notes.contains {
                $0.contains("299 classes, 'class1'") && $0.contains("one image to train with each")
            })
        #expect(set.notes.contains { $0.contains("/test: 299 classes") }, "\(set.notes)")
    }

    @Test(
        "A folder that may not be read is named",
        .enabled(if: geteuid() != 0, "the superuser may read every folder"))
    func permission() throws {
        for name in ["train/a/1", "train/b/1", "test/a/1"] {
            try folder.write(image(name.utf8.count), to: name + ".png")
        }
        chmod(folder.path + "/train/b", 0)
        defer { chmod(folder.path + "/train/b", 0o700) }
        let error = refusal()
        #expect(error?.kind == .missingFile && error!.message.contains("/train/b"))
    }

    // MARK: Tables

    private func table(_ text: String) throws -> String {
        for index in 1...4 { try folder.write(image(index * 10), to: "images/\(index).png") }
        try folder.write(Array(text.utf8), to: "table.csv")
        return "table.csv"
    }

    @Test(
        "A table has paths and labels, with or without a header, a mark, quotes, and either end of a line",
        arguments: [
            "images/1.png,dog\nimages/2.png,cat\nimages/3.png,dog\nimages/4.png,cat\n",
            "path,label\r\nimages/1.png,dog\r\nimages/2.png,cat\r\nimages/3.png,dog\r\nimages/4.png,cat\r\n",
            "\u{FEFF}filename,label\n\"images/1.png\",dog\n./images/2.png, cat \nimages/../images/3.png,\"dog\"\n\nimages/4.png,cat",
            "label,file,split\ndog,images/1.png,x\ncat,images/2.png,x\ndog,images/3.png,x\ncat,images/4.png,x\n",
        ])
    func tables(text: String) throws {
        let set = try load(try table(text), split: 0.5)
        #expect(set.classNames == ["cat", "dog"])
        #expect(set.train.labels == [0, 1] && set.test.labels == [0, 1])
        #expect((greys(set.train) + greys(set.test)).sorted() == [10, 20, 30, 40])
        #expect(names(set.train).allSatisfy { $0!.hasPrefix("images/") })
        #expect(
            set.notes.contains { $0.contains("columns that are not read: split") } == text.hasPrefix("label,")
        )
    }

    @Test("Quotes hold commas, quotes and line feeds; labels that are numbers are in their order")
    func quotes() throws {
        try folder.write(image(5), to: "a,\"b\".png")
        let set = try load(
            try table("\"a,\"\"b\"\".png\",10\nimages/1.png,9\nimages/2.png,9\nimages/3.png,10\n"), split: 0.5
        )
        #expect(set.classNames == ["9", "10"])
        #expect((names(set.train) + names(set.test)).contains("a,\"b\".png"))
    }

    @Test(
        "Labels are numbers of sets of classes where a line has several; others may have fewer, or none",
        arguments: [
            "path,label1,label_2\nimages/1.png,b,a\nimages/2.png,a,\nimages/3.png,,\nimages/4.png,a,b\n",
            "images/1.png,b,a\nimages/2.png,a\nimages/3.png,\nimages/4.png,a,b,a\n",
        ])
    func severalLabels(text: String) throws {
        let set = try load(try table(text), split: 0.5)
        #expect(set.classNames == ["a", "b"])
        #expect(set.labelSets?.sets == [[], [0], [0, 1]])
        #expect(set.train.count == 2 && set.test.count == 2)
        let labels = zip(greys(set.train) + greys(set.test), set.train.labels + set.test.labels)
        #expect(labels.sorted { $0.0 < $1.0 }.map { $0.1 } == [2, 1, 0, 2])
    }

    @Test(
        "What is wrong in a table is named with its line",
        arguments: [
            ("images/1.png,a\n../secret.png,b\n", "line 2: '../secret.png' is no path in the table's folder"),
            ("images/1.png,a\n/etc/passwd,b\n", "line 2: '/etc/passwd' is no path"),
            ("images/1.png,a\nimages/../../x.png,b\n", "line 2:"),
            ("images/1.png,a\nimages/2.png\n", "line 2: a path and a label are expected"),
            ("images/1.png,a\nimages/2.png,\n", "line 2: has no label"),
            ("images/1.png,a\n\"images/2.png,b\n", "line 2: a quote is not closed"),
            ("one,two,three\nimages/1.png,a,b\n", "line 1: has the columns one, two, three"),
            ("", "lists no images"), ("path,label\n", "lists no images"),
        ])
    func badTables(text: String, words: String) throws {
        let error = refusal(try table(text))
        #expect(error?.kind == .badContent)
        #expect(
            error!.message.contains(folder.path + "/table.csv") && error!.message.contains(words), "\(error!)"
        )
    }

    @Test("A table's file that is not there is one that cannot be read")
    func missing() throws {
        let error = refusal(try table("images/1.png,a\nimages/2.png,a\nimages/3.png,b\nimages/9.png,b\n"))
        #expect(error?.message.contains("images/9.png") == true)
    }

    // MARK: Archives

    @Test("Archives are read in place: WebDataset's labels, or folders", arguments: [false, true])
    func shards(hasFolders: Bool) throws {
        func members(_ greys: [(Int, String)]) -> [(String, [UInt8])] {
            greys.enumerated().flatMap { index, image -> [(String, [UInt8])] in
                let (grey, label) = image
                if hasFolders {
                    return [("\(label)/", []), ("./\(label)/\(index).v1.png", greyPNG(UInt8(grey)))]
                }
                return [
                    ("00\(index).cls", Array("\(label)\n".utf8)), ("00\(index).json", [1]),
                    ("00\(index).png", greyPNG(UInt8(grey))),
                ]
            }
        }
        try folder.write(tar(members([(10, "9"), (20, "10")])), to: "train-000.tar")
        try folder.write(tar(members([(30, "10"), (40, "9")]), isEnded: false), to: "train-001.tar")
        try folder.write(tar(members([(50, "9")])), to: "val-000.tar")
        let set = try load()
        #expect(set.classNames == ["9", "10"])
        #expect(set.train.labels == [0, 1, 0, 1] && greys(set.test) == [50])
        #expect(greys(set.train) == [10, 30, 40, 20] || greys(set.train) == [10, 20, 40, 30])
        #expect(set.train.name(of: 0)?.hasPrefix("train-000.tar/") == true)
        #expect(set.notes.contains { $0.contains("5 .json") } == !hasFolders)
        #expect(refusal("train-000.tar")?.message.contains("no class has two images") == true)
    }

    @Test("Long names, GNU's and pax's, and archives of a whole folder", arguments: [false, true])
    func longNames(usesPax: Bool) throws {
        let long = String(repeating: "long", count: 60)
        let members = [
            ("train/\(long)/1.png", 10), ("train/b/1.png", 20), ("test/\(long)/1.png", 30),
            ("train/b/\(long).png", 40),
        ]
        try folder.write(tar(members.map { ($0, image($1)) }, usesPax: usesPax), to: "all.tar")
        let set = try load("all.tar")
        #expect(set.classNames == ["b", long])
        #expect(greys(set.train) == [20, 10, 40] && greys(set.test) == [30])
    }

    @Test(
        "An archive that is cut off is refused with the member and the place; one that is none is called so")
    func cutShards() throws {
        let whole = tar([
            ("a/1.png", image(1)), ("b/2.png", image(2)), ("a/3.png", image(3)), ("b/4.png", image(4)),
        ])
        for (count, words) in [
            (512 + 30, ["'a/1.png', at byte 512"]), (1024 + 100, ["a member's header"]),
            (2 * 1024 + 512 + 9, ["'a/3.png', at byte 2560"]),
        ] {
            try folder.write(Array(whole.prefix(count)), to: "x.tar")
            let error = refusal("x.tar")
            #expect(error?.kind == .badContent)
            for word in words + ["x.tar: is cut off", "but the archive at byte \(count)"] {
                #expect(error!.message.contains(word), "\(error!)")
            }
        }
        try folder.write([UInt8](repeating: 7, count: 2000), to: "x.tar")
        #expect(refusal("x.tar")?.message.contains("no member of a tar archive begins there") == true)
        try folder.write(tar([("1.png", image(1))]), to: "x.tar")
        #expect(refusal("x.tar")?.message.contains("'1.png' is of no class") == true)
        try folder.write(tar([("readme.txt", [1])]), to: "x.tar")
        #expect(refusal("x.tar")?.message.contains("holds no class with images") == true)
    }

    @Test("Any byte of an archive's header may be anything, and nothing traps")
    func mutatedShards() throws {
        let whole = tar(
            [
                ("a/1.png", image(1)), ("b/\(String(repeating: "x", count: 120)).png", image(2)),
                ("a/3.cls", [65]),
            ], usesPax: true)
        var state: UInt64 = 1
        for _ in 0..<2000 {
            var bytes = whole
            for _ in 0..<3 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 24)
            }
            try folder.write(bytes, to: "x.tar")
            _ = try? load("x.tar", split: 0.5)
        }
    }
}
