import Foundation
import Resin
import ResinDataset
import ResinNetworks
import ResinTensor
import ResinTraining
import Testing

/// What PyTorch made, in float64, of the same weights, batches and settings: `Goldens/make_parity.py`.
struct Parity: Decodable {
    struct Run: Decodable {
        /// Of each step's batch.
        var losses: [Double]
        /// The loss of all images afterwards, in evaluation mode.
        var evaluation: Double
        /// The last layer's, afterwards.
        var bias: [Double]
        /// Each step's learning rate, where there is a schedule.
        var rates: [Double]?
        /// The evaluation's loss of the weights' moving averages, where there are any.
        var averaged: Double?
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
    /// Where images have several classes or none.
    var labelSets: LabelSets?
    /// What else is configured.
    var configure: @Sendable (inout TrainingConfiguration) -> Void = { _ in }

    var golden: Parity.Run { Parity.golden.runs[name]! }

    func trainer(on device: ComputeDevice) throws -> Trainer {
        var dataset = try Dataset.noise(imageCount, of: network.input)
        dataset.labelSets = labelSets
        var configuration = TrainingConfiguration(network, dataset, batch: batch, optimizer, initialiser)
        configure(&configuration)
        return try Trainer(network, dataset, configuration, device: device)
    }

    func run(on device: ComputeDevice) throws -> Parity.Run {
        let trainer = try trainer(on: device)
        var (losses, rates): ([Double], [Double]) = ([], [])
        for step in golden.losses.indices {
            rates.append(Double(trainer.learningRate(atStep: trainer.step)))
            losses += try trainer.takeSteps(1)
            if trainer.configuration.schedule.kind == .plateau, (step + 1) % trainer.stepsPerEpoch == 0 {
                trainer.plateau.observe(
                    try trainer.evaluate()!.loss, patience: trainer.configuration.schedule.plateauPatience)
            }
        }
        let averaged = try trainer.evaluateAverages()?.loss
        let bias = try trainer.checkpoint().weights.entries.last { $0.name.hasSuffix(".bias") }!
        return Parity.Run(
            losses: losses, evaluation: try trainer.evaluate()!.loss, bias: bias.values.map(Double.init),
            rates: rates, averaged: averaged)
    }
}

extension ParityCase {
    /// Losses, evaluations, rates and the last layer's bias are PyTorch's.
    func expectParity(on device: ComputeDevice, within tolerance: Double) throws {
        let golden = golden
        let run = try run(on: device)
        let losses = difference(run.losses, golden.losses)
        let evaluation = difference([run.evaluation], [golden.evaluation])
        // A bias may pass through zero: relative to the largest.
        let largest = golden.bias.map(abs).max()!
        if let rates = golden.rates {
            // That of one-cycle ends near zero.
            #expect(zip(run.rates!, rates).allSatisfy { abs($0 - $1) < 1e-6 * rates.max()! })
        }
        if let averaged = golden.averaged {
            #expect(difference([try #require(run.averaged)], [averaged]) < tolerance)
        }
        let bias = zip(run.bias, golden.bias).map { abs($0 - $1) / largest }.max()!
        #expect(losses < tolerance)
        #expect(evaluation < tolerance)
        #expect(bias < tolerance)
    }
}

/// The largest relative difference.
func difference(_ values: [Double], _ expected: [Double]) -> Double {
    guard values.count == expected.count else { return .infinity }
    return zip(values, expected).map { abs($0 - $1) / abs($1) }.max() ?? 0
}
