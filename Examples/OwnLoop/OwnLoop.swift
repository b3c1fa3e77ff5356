// Trains LeNet on the built-in glyphs with a loop and a learning rate of its own, and writes a checkpoint:
//
//     ExampleOwnLoop [STEPS] [FOLDER]
//
// An actor keeps the trainer; the loop that drives it can be cancelled between steps.

import Foundation
import Resin

/// Owns the trainer, which belongs to one task at a time.
actor Training {
    private let trainer: Trainer
    let stepsPerEpoch: Int

    init() throws {
        let data = try Dataset.named("glyphs", seed: 42)
        let network = try Network.named(
            "lenet", input: ImageShape(channels: 1, side: 28), classes: data.classNames.count)
        let configuration = TrainingConfiguration(
            network: network, data: data.name, classNames: data.classNames, mean: data.mean,
            standardDeviation: data.standardDeviation, epochs: 1, batch: 64,
            optimizer: .adam(learningRate: 0.002))
        trainer = try Trainer(network, data, configuration, device: .best())
        stepsPerEpoch = trainer.stepsPerEpoch
        print("training \(network.name) on \(trainer.device.name)")
    }

    func step(learningRate: Float) throws -> StepResult { try trainer.trainStep(learningRate: learningRate) }

    func accuracy() throws -> Double { try trainer.evaluate()?.accuracy ?? 0 }

    /// How long the classifier's gradient is, as a vector.
    func gradientNorm() throws -> Double {
        let name = trainer.parameterNames.last { $0.hasSuffix("weight") }!
        return try trainer.gradient(name).values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    }

    func save(to folder: String) throws {
        try trainer.writeCheckpoint(
            weights: folder + "/lenet.safetensors", optimizer: folder + "/lenet.optimizer.safetensors")
    }
}

/// One cycle of our own: up to the highest rate in a fifth of the steps, and down to nothing along a quarter of a cosine.
func learningRate(step: Int, of steps: Int) -> Float {
    let rise = max(steps / 5, 1)
    if step < rise { return 0.004 * Float(step + 1) / Float(rise) }
    return Float(0.004 * cos(.pi / 2 * Double(step - rise) / Double(max(steps - rise, 1))))
}

@main
struct OwnLoop {
    static func main() async {
        let arguments = CommandLine.arguments
        do {
            try await train(
                steps: arguments.count > 1 ? Int(arguments[1]) ?? 300 : 300,
                folder: arguments.count > 2 ? arguments[2] : ".")
        } catch {
            FileHandle.standardError.write(Data("ExampleOwnLoop: \(error)\n".utf8))
            exit((error as? ResinError)?.kind.rawValue ?? 1)
        }
    }

    static func train(steps: Int, folder: String) async throws {
        let training = try Training()
        let loop = Task {
            var sum = 0.0
            for step in 0..<steps {
                let result = try await training.step(learningRate: learningRate(step: step, of: steps))
                sum += result.loss
                guard (step + 1) % 100 == 0 || step + 1 == steps else { continue }
                print(
                    "step \(step + 1): loss \(sum / Double(step % 100 + 1)), rate \(result.learningRate), "
                        + "gradient \(try await training.gradientNorm()), "
                        + "test accuracy \(try await training.accuracy())")
                sum = 0
            }
        }
        // Ctrl-C ends the loop between two steps, and what was learnt is saved.
        signal(SIGINT, SIG_IGN)
        let interruption = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        interruption.setEventHandler { loop.cancel() }
        interruption.resume()
        do {
            try await loop.value
        } catch is CancellationError {
            print("stopped")
        }
        interruption.cancel()
        try await training.save(to: folder)
    }
}
