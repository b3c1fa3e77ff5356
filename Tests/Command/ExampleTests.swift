import Foundation
import ResinTraining
import Testing

extension CommandTests {
    /// The programs in `Examples` that the package builds.
    @Suite struct Examples {
        private func example(_ name: String, _ arguments: [String]) -> Program {
            var program = Program(arguments)
            program.executable =
                Bundle.main.executableURL!.deletingLastPathComponent().path + "/Example" + name
            return program
        }

        @Test(
            "Eight tasks are served at once, with the bits that each picture has alone, in memory that does not grow"
        )
        func predict() throws {
            let folder = try Images.folder.get()
            let calls = 400
            let pictures = (0..<6).map { folder / "images/test/dark/\($0).png" }
            let outcome = try success(of: example("Predict", [folder / "run", "\(calls)"] + pictures))
            let lines = outcome.output.split(separator: "\n")
            #expect(lines.count == 1 + 6 + 2, "\(outcome)")
            #expect(lines[7].hasSuffix(" 0 with other bits"), "\(outcome)")
            let grown = lines[8].split(separator: " ").compactMap { Int($0) }.first
            // A leaked image or answer a call would be more.
            #expect(try #require(grown) < 400 * 4096 * 4, "\(outcome)")
            let bad = try example("Predict", [folder / "nothing", "8", pictures[0]]).run()
            #expect(bad.code == 66, "\(bad)")
        }

        @Test("A loop and a rate of one's own teach LeNet the glyphs, and the checkpoint is one")
        func ownLoop() throws {
            let folder = try Folder()
            let outcome = try success(of: example("OwnLoop", ["300", folder.path]))
            let last = try #require(outcome.output.split(separator: "\n").last { $0.hasPrefix("step 300:") })
            let accuracy = try #require(last.split(separator: " ").last.flatMap { Double($0) })
            // A tenth would be chance.
            #expect(accuracy > 0.6, "\(outcome)")
            let checkpoint = try Checkpoint(
                weights: folder / "lenet.safetensors", optimizer: folder / "lenet.optimizer.safetensors")
            #expect(checkpoint.step == 300)
        }
    }
}
