import ArgumentParser
import Foundation
import Resin

@main
enum Main {
    static func main() {
        StandardStreams.prepare()
        AtomicFile.ignoreFileSizeSignal()
        exit(run())
    }

    private static func run() -> Int32 {
        do {
            do {
                var command = try ResinCommand.parseAsRoot()
                try command.run()
            } catch  where ResinCommand.exitCode(for: error) == .success {
                // What --help and --version ask for.
                print(ResinCommand.fullMessage(for: error))
            }
            try StandardStreams.finish()
            return 0
        } catch let error as ResinError {
            note("resin: \(error.message)")
            return error.kind.rawValue
        } catch {
            let message = ResinCommand.fullMessage(for: error)
            if !message.isEmpty { note(message) }
            return ResinCommand.exitCode(for: error).rawValue
        }
    }
}

struct ResinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resin",
        abstract: "Trains and runs convolutional networks on any OpenCL device.",
        version: "0.1.0",
        subcommands: [
            TrainCommand.self, EvaluateCommand.self, PredictCommand.self, SummaryCommand.self,
            ExplainCommand.self, BenchCommand.self, DatasetsCommand.self, DevicesCommand.self,
            NetworksCommand.self,
            KernelsCommand.self, CheckOneCommand.self,
        ])
}
