import Foundation
import Resin
import ResinNetworks
import ResinTensor
import ResinTraining

/// What PyTorch made, in float64, of the same weights, batches and settings: `Goldens/make_parity.py`.
struct Parity: Decodable {
    struct Run: Decodable {
        /// Of each step's batch.
        var losses: [Double]
        /// The loss of all images afterwards, in evaluation mode.
        var evaluation: Double
        /// The last layer's, afterwards.
        var bias: [Double]
    }

    var runs: [String: Run]
    /// Each network's tensors and their shapes.
    var stateDicts: [String: [String: [Int]]]

    enum CodingKeys: String, CodingKey {
        case runs
        case stateDicts = "state_dicts"
    }

    static let golden: Parity = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let file = folder.appending(path: "Goldens/parity.json")
        return try! JSONDecoder().decode(Parity.self, from: Data(contentsOf: file))
    }()
}

/// The Swift side of one of the script's runs.
struct ParityCase: Sendable {
    var name: String
    var network: Network
    var imageCount: Int
    var batch: Int
    var optimizer: OptimizerSettings
    var initialiser = Initialiser.kaiming

    var golden: Parity.Run { Parity.golden.runs[name]! }

    func trainer(on device: ComputeDevice) throws -> Trainer {
        let dataset = try Dataset.noise(imageCount, of: network.input)
        let configuration = TrainingConfiguration(network, dataset, batch: batch, optimizer, initialiser)
        return try Trainer(network, dataset, configuration, device: device)
    }

    func run(on device: ComputeDevice) throws -> Parity.Run {
        let trainer = try trainer(on: device)
        let losses = try trainer.takeSteps(golden.losses.count)
        let bias = try trainer.checkpoint().weights.entries.last { $0.name.hasSuffix(".bias") }!
        return Parity.Run(
            losses: losses, evaluation: try trainer.evaluate()!.loss, bias: bias.values.map(Double.init))
    }
}

/// The largest relative difference.
func difference(_ values: [Double], _ expected: [Double]) -> Double {
    guard values.count == expected.count else { return .infinity }
    return zip(values, expected).map { abs($0 - $1) / abs($1) }.max() ?? 0
}
