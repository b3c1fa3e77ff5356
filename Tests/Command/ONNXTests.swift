import Foundation
import ResinFixtures
import Testing

extension CommandTests {
    /// A run as a model of ONNX, and back.
    @Suite struct ONNX {
        let folder: Folder

        init() throws {
            folder = try Folder()
            try folder.write(greyJPEG, to: "grey.jpg")
        }

        @Test("A model that was exported predicts what its run predicts, to the last digit")
        func predictions() throws {
            let run = try Runs.finished.get().path
            let exported = try success(
                of: Program("export", run, "--onnx", folder / "model.onnx", "--opset", "13"))
            #expect(exported.errors.contains("model.onnx: nin for 10 classes, opset 13"))
            func predicting(_ place: String, _ more: String...) throws -> String {
                try success(of: Program(["predict", place, folder / "grey.jpg", "--json"] + more)).output
            }
            #expect(try predicting(folder / "model.onnx") == predicting(run))
            // The same network on larger images, and under other names.
            try folder.write(
                Array((0..<10).map { "name \($0)" }.joined(separator: "\n").utf8), to: "names.txt")
            let larger = try predicting(
                folder / "model.onnx", "--input", "1x96x96", "--labels", folder / "names.txt")
            #expect(larger.contains("\"name "))
        }

        @Test("What is refused has its exit code, and says what is wrong")
        func refused() throws {
            let run = try Runs.finished.get().path
            func export(_ more: String...) -> Program { Program(["export", run] + more) }
            try expectRefusal(64, "--opset is 12", by: export("--onnx", folder / "a.onnx", "--opset", "12"))
            try expectRefusal(
                64, "--classes and --labels", by: export("--onnx", folder / "a.onnx", "--classes", "3"))
            try expectRefusal(74, "its folder is not there", by: export("--onnx", folder / "none/a.onnx"))
            #expect(!FileManager.default.fileExists(atPath: folder / "a.onnx"))
            func predict(_ more: String...) -> Program { Program(["predict"] + more + [folder / "grey.jpg"]) }
            try folder.write([8, 7, 1, 2, 3], to: "torn.onnx")
            try expectRefusal(65, "torn.onnx is not an ONNX model", by: predict(folder / "torn.onnx"))
            try expectRefusal(66, "none.onnx", by: predict(folder / "none.onnx"))
            try success(of: export("--onnx", folder / "a.onnx"))
            try expectRefusal(
                64, "--network goes with files of weights", by: predict(folder / "a.onnx", "--network", "nin")
            )
            try expectRefusal(64, "tells 10 classes apart", by: predict(folder / "a.onnx", "--classes", "3"))
            try expectRefusal(
                64, "takes images of 1 channels", by: predict(folder / "a.onnx", "--input", "3x67x67"))
        }
    }
}
