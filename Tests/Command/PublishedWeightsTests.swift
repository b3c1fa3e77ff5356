import Foundation
import Testing

extension CommandTests {
    /// Weights that others trained, where this machine has them: EfficientNet-Lite0 in a folder `shared/models` beside the
    /// package's.
    @Suite struct PublishedWeights {
        private static let models = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../shared/models").standardizedFileURL.path
        private static var isThere: Bool {
            FileManager.default.fileExists(atPath: models + "/efficientnet-lite0.safetensors")
        }

        private struct Expected: Decodable {
            struct Reading: Decodable {
                /// Class and probability.
                var top5: [[Double]]
            }
            var bilinear: Reading
        }

        /// The expected probabilities are those of an image that was rounded to whole pixels before it was cropped.
        @Test(
            "EfficientNet-Lite0 names a cat and a cup of coffee as PyTorch does",
            .enabled(if: isThere, "left out: there is no shared/models"))
        func efficientNetLite0() throws {
            let expected = try JSONDecoder().decode(
                [String: Expected].self,
                from: JSONSerialization.data(
                    withJSONObject: ["cat", "coffee"].reduce(into: [String: Any]()) { result, name in
                        let data = try Data(contentsOf: URL(filePath: Self.models + "/expected.json"))
                        let all = try JSONSerialization.jsonObject(with: data) as? [String: Any]
                        result[name] = all?[name]
                    }))
            let (mean, deviation) = ("0.498039216", "0.501960784")
            let outcome = try success(
                of: Program([
                    "predict", Self.models + "/efficientnet-lite0.safetensors", Self.models + "/cat.jpg",
                    Self.models + "/coffee.jpg", "--network", "efficientnet_lite0", "--classes", "1000",
                    "--mean", [mean, mean, mean].joined(separator: ","),
                    "--std", [deviation, deviation, deviation].joined(separator: ","), "--eval-crop", "1",
                    "--json",
                ]))
            let images = try #require(try outcome.json() as? [[String: Any]])
            for (image, name) in zip(images, ["cat", "coffee"]) {
                let classes = try #require(image["predictions"] as? [[String: Any]])
                let top = try #require(expected[name]).bilinear.top5
                for (found, wanted) in zip(classes, top.prefix(3)) {
                    #expect(found["index"] as? Int == Int(wanted[0]), "\(name)")
                    #expect(abs(try #require(found["probability"] as? Double) - wanted[1]) < 0.03, "\(name)")
                }
            }
        }
    }
}
