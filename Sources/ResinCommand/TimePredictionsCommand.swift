import ArgumentParser
import Foundation
import Resin

/// What Benchmarks/latency.py asks: a predictor in a process of its own that waits between its turns.
struct TimePredictionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "time-predictions",
        abstract: "Predicts a picture for each number of seconds that is read; prints milliseconds as JSON.",
        shouldDisplay: false)

    @OptionGroup var model: CheckpointArguments
    @Argument(help: "A picture.")
    var image: String
    @OptionGroup var fitting: FitOptions
    @OptionGroup var deviceOption: DeviceOption
    @Option(help: "Calls at once.")
    var tasks = 1

    private struct Answer: Encodable {
        var milliseconds: [Double]
        /// By class index.
        var probabilities: [Double]
    }

    func run() throws {
        let tasks = try bounded("--tasks", tasks, 1...64)
        let file = try Safetensors(weightsOf: model.path)
        guard var configuration = try model.savedConfiguration(file) else {
            throw ResinError(.usage, "\(model.path): there is no run's config.json beside it")
        }
        let network = try model.network(of: configuration)
        try fitting.apply(to: &configuration)
        let weights = try model.weights(file, for: network)
        let predictor = try Predictor(
            network, weights: weights, configuration, device: deviceOption.choose(),
            settings: Predictor.Settings(largestBatch: tasks))
        let pixels = try RasterImage(contentsOf: image)
        printLine("ready")
        try StandardStreams.finish()
        while let line = readLine() {
            guard let seconds = Double(line) else { throw ResinError(.usage, "'\(line)' is no number") }
            let answer = try waiting { try await Self.time(predictor, pixels, seconds, tasks) }
            try printJSON(answer)
            try StandardStreams.finish()
        }
    }

    private static func time(
        _ predictor: Predictor, _ image: RasterImage, _ seconds: Double, _ tasks: Int
    ) async throws -> Answer {
        let clock = ContinuousClock()
        let start = clock.now
        let times = try await withThrowingTaskGroup(of: [Double].self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    var times: [Double] = []
                    while times.count < 3 || (clock.now - start) / .seconds(1) < seconds {
                        let before = clock.now
                        _ = try await predictor.predict(.pixels(image))
                        times.append((clock.now - before) / .milliseconds(1))
                    }
                    return times
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let classes = try await predictor.predict(.pixels(image)).sorted { $0.index < $1.index }
        return Answer(milliseconds: times, probabilities: classes.map(\.probability))
    }
}
