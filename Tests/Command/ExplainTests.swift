import Foundation
import ResinTestDevices
import Testing

extension CommandTests {
    @Suite(.needsDevice) struct Explain {
        private func kernels(_ options: [String] = []) throws -> [String] {
            let outcome = try success(of: Program(["explain", "lenet", "--batch", "2", "--json"] + options))
            let plan = try #require(try outcome.json() as? [String: Any])
            let launches = try #require(plan["launches"] as? [[String: Any]])
            return launches.compactMap { $0["kernel"] as? String }
        }

        @Test("--augment plans for photographs, changed as it says in a training step")
        func photographs() throws {
            func operators(_ kernels: [String]) -> [String] {
                ["image_input", "image_crop", "image_adjustments", "image_normalisation"]
                    .filter { name in kernels.contains { $0.hasPrefix(name) } }
            }
            #expect(operators(try kernels()) == ["image_input"])
            let augment = ["--augment", "randaugment,cutmix"]
            #expect(
                operators(try kernels(augment)) == [
                    "image_crop", "image_adjustments", "image_normalisation",
                ])
            #expect(
                operators(try kernels(augment + ["--mode", "infer"])) == [
                    "image_crop", "image_normalisation",
                ])
        }

        @Test("An augmentation that the images cannot have is refused")
        func refused() throws {
            let outcome = try Program(
                "explain", "lenet", "--input", "2x28x28", "--augment", "jitter"
            ).run()
            #expect(outcome.code == 64 && outcome.errors.contains("--augment"), "\(outcome)")
        }
    }
}
