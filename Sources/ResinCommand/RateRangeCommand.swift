import ArgumentParser
import Foundation
import Resin

struct RateRangeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lr-range", abstract: "Finds a learning rate: trains some steps at rates that rise.",
        discussion: """
            Takes train's options. Each step has a larger rate than the one before (Smith, 2017); the rate at which the loss \
            falls the most is suggested. Nothing is kept of the training.
            """)

    @OptionGroup var training: TrainCommand
    @Option(help: ArgumentHelp("The first step's rate (default: 1e-6).", valueName: "rate"))
    var from: Float?
    @Option(help: ArgumentHelp("The last step's rate (default: 10).", valueName: "rate"))
    var to: Float?
    @Option(help: ArgumentHelp("Steps (default: 100).", valueName: "n"))
    var steps: Int?
    @Option(help: ArgumentHelp("Write the curve as a page, too.", valueName: "file.html"))
    var page: String?
    @Flag(help: "As JSON.")
    var json = false

    private struct Result: Encodable {
        /// null where the loss never falls.
        var suggestion, divergedRate: Float?
        var points: [RateRange.Point]

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(suggestion, forKey: .suggestion)
            try values.encode(divergedRate, forKey: .divergedRate)
            try values.encode(points, forKey: .points)
        }

        enum CodingKeys: String, CodingKey { case suggestion, divergedRate, points }
    }

    func run() throws {
        guard training.resume == nil, training.out == nil, training.lr == nil, training.tensorboard == nil
        else {
            throw ResinError(
                .usage,
                "lr-range tries rates from --from to --to on a training of its own; leave out --lr, --out, "
                    + "--resume and --tensorboard")
        }
        let rates = (from: from ?? 1e-6, to: to ?? 10)
        guard rates.from > 0, rates.to > rates.from, rates.to.isFinite else {
            throw ResinError(
                .usage,
                "--from is \(rates.from) and --to \(rates.to); both must be above 0, and --to the larger one")
        }
        let steps = try bounded("--steps", steps ?? 100, 10...100_000)
        if let page { try AtomicFile.check(page) }
        var (command, recipe) = (training, try training.config.map(RecipeFile.init))
        try recipe?.apply(to: &command)
        let new = try command.makeTraining(recipe) {
            // Which would end the test, or change its rates.
            $0.onNaN = .skip
            $0.schedule = Schedule()
        }
        let trainer = new.trainer
        note("device \(new.device); batch \(trainer.configuration.batch), \(steps) steps")
        let range = try RateRange(trainer, rates.from...rates.to, steps: steps)
        let title = "\(trainer.configuration.network) on \(trainer.configuration.data)"
        if let page { try RateRangePage(title, range).write(to: page) }
        if json {
            return try printJSON(
                Result(suggestion: range.suggestion, divergedRate: range.divergedRate, points: range.points))
        }
        for point in range.points.enumerated().filter({ $0.offset % max(1, range.points.count / 20) == 0 }) {
            printLine(
                "lr \(short(point.element.rate)): loss \(decimals(point.element.smoothedLoss, 4))")
        }
        if let rate = range.divergedRate { printLine("diverged at \(short(rate))") }
        printLine(
            range.suggestion.map { "suggested: --lr \(short($0))" }
                ?? "the loss never falls between \(short(rates.from)) and \(short(rates.to)); try others (--from, --to), or "
                + "more --steps")
    }

    private func short(_ rate: Float) -> String { String(format: "%.2g", rate) }
}
