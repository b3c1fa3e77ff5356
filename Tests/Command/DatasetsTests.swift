import Foundation
import ResinFixtures
import Testing

extension CommandTests {
    @Suite struct Datasets {
        let folder: Folder

        init() throws { folder = try Folder() }

        private func datasets(_ arguments: String...) -> Program {
            Program(["datasets"] + arguments + ["--data-dir", folder.path])
        }

        @Test("list names every set, where it lies, and whether it is there")
        func list() throws {
            for batch in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"] {
                try folder.write("", to: "cifar10/\(batch).bin")
            }
            try folder.write("", to: "cifar10/test_batch.bin")
            let rows = try #require(
                try success(of: datasets("list", "--json")).json() as? [[String: Any]])
            #expect(rows.map { $0["name"] as? String } == ["glyphs", "mnist", "fashion-mnist", "cifar10"])
            #expect(rows.map { $0["is_present"] as? Bool } == [true, false, false, true])
            #expect(rows[3]["folder"] as? String == folder / "cifar10")
            let text = try success(of: datasets("list")).output
            #expect(text.contains("not in \(folder / "mnist"); from https://"), "\(text)")
        }

        @Test("A name that is unknown or needs no fetching is refused")
        func names() throws {
            try expectRefusal(64, "mnist, fashion-mnist, cifar10", by: datasets("fetch", "imagenet"))
            try expectRefusal(64, "made by the program", by: datasets("verify", "glyphs"))
        }

        @Test(
            "Files that are not there are exit 66, from verify and train alike, with the command to get them")
        func missing() throws {
            try expectRefusal(66, "resin datasets fetch mnist", by: datasets("verify", "mnist"))
            try expectRefusal(
                66, "resin datasets fetch cifar10", "data_batch_1.bin",
                by: Program("train", "resnet18", "--data", "cifar10", "--data-dir", folder.path))
        }

        @Test("A server that is not there is exit 1, and leaves no file behind")
        func noServer() throws {
            try expectRefusal(
                1, "127.0.0.1:9", by: datasets("fetch", "mnist", "--url", "http://127.0.0.1:9/"))
            #expect(!folder.holds("mnist/train-images-idx3-ubyte.gz.part"))
        }

        @Test("Without curl it is said which program is missing")
        func noCurl() throws {
            try folder.write("", to: "bin/nothing")
            var program = datasets("fetch", "mnist")
            program.environment["PATH"] = folder / "bin"
            try expectRefusal(1, "'curl' is not installed", by: program)
        }

        @Test(
            "A server's wrong file is exit 65 and gone, and its missing one exit 66",
            .enabled(if: FileServer.isAvailable, "the test's web server needs python3"))
        func wrongFile() throws {
            let server = try FileServer(folder: folder.path)
            try expectRefusal(
                66, "404", "train-images-idx3-ubyte.gz",
                by: datasets("fetch", "mnist", "--url", server.address))
            try folder.write("<html>", to: "train-images-idx3-ubyte.gz")
            try expectRefusal(
                65, "SHA-256", "thrown away", by: datasets("fetch", "mnist", "--url", server.address))
            #expect(!folder.holds("mnist/train-images-idx3-ubyte.gz.part"))
            #expect(!folder.holds("mnist/train-images-idx3-ubyte.gz"))
        }

        @Test(
            "A server that sends more than the published file is stopped there, exit 65, and nothing is kept",
            .enabled(if: FileServer.isAvailable, "the test's web server needs python3"))
        func endless() throws {
            let server = try FileServer(folder: folder.path)
            try server.neverEnd("train-images-idx3-ubyte.gz")
            try expectRefusal(
                65, "more than 11151474 bytes", by: datasets("fetch", "mnist", "--url", server.address))
            #expect(!folder.holds("mnist/train-images-idx3-ubyte.gz.part"))
            #expect(!folder.holds("mnist/train-images-idx3-ubyte.gz"))
        }

        /// `$RESIN_DATA` where it holds MNIST.
        static let realData: String? = {
            guard let directory = ProcessInfo.processInfo.environment["RESIN_DATA"],
                FileManager.default.fileExists(atPath: directory + "/mnist")
            else { return nil }
            return directory
        }()

        @Test(
            "The real MNIST is fetched from a mirror, broken off and taken up, verified, and spoilt",
            .enabled(
                if: FileServer.isAvailable && realData != nil,
                "set RESIN_DATA to a folder that holds mnist; the test's web server needs python3"))
        func real() throws {
            let mirror = try Folder()
            let source = try #require(Self.realData) + "/mnist"
            for name in try FileManager.default.contentsOfDirectory(atPath: source) {
                try mirror.write(
                    [UInt8](Data(contentsOf: URL(fileURLWithPath: source + "/" + name))), to: name)
            }
            let server = try FileServer(folder: mirror.path)
            let images = "train-images-idx3-ubyte.gz"
            try server.breakOff(images, after: 1_000_000)
            let fetch = datasets("fetch", "mnist", "--url", server.address)
            try expectRefusal(1, "1000000 bytes are kept", by: fetch)
            let fetched = try success(of: fetch)
            #expect(fetched.errors.contains("at byte 1000000"), "\(fetched)")
            #expect(try folder.bytes(of: "mnist/" + images) == mirror.bytes(of: images))
            let verified = try success(of: datasets("verify", "mnist")).output
            #expect(verified.split(separator: "\n").count == 5, "\(verified)")
            #expect(!verified.contains("not the published"), "\(verified)")
            try folder.write(
                mirror.bytes(of: "t10k-labels-idx1-ubyte.gz"), to: "mnist/train-labels-idx1-ubyte")
            try expectRefusal(65, "60000 images", "10000 labels", by: datasets("verify", "mnist"))
        }
    }
}
