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
                let arguments = joinNegativeNumbers(CommandLine.arguments.dropFirst())
                var command = try ResinCommand.parseAsRoot(arguments)
                try command.run()
            } catch  where ResinCommand.exitCode(for: error) == .success {
                // What --help and --version ask for.
                print(ResinCommand.fullMessage(for: error))
            }
            try StandardStreams.finish()
            return 0
        } catch let error as ResinError {
            writeToStandardError("resin: \(error.message)\n")
            return error.kind.rawValue
        } catch let fault as ValueFault {
            note("resin: \(fault.usage.message)")
            return fault.usage.kind.rawValue
        } catch {
            let message = ResinCommand.fullMessage(for: error)
            let lines = message.split(separator: "\n", omittingEmptySubsequences: false)
            for line in lines where !message.isEmpty { note(String(line)) }
            return ResinCommand.exitCode(for: error).rawValue
        }
    }
}

/// `--lr -1` as `--lr=-1`: the parser would take a number below zero for an option, and call the value missing
/// instead of saying what is wrong with it.
private func joinNegativeNumbers(_ arguments: some Sequence<String>) -> [String] {
    var joined: [String] = []
    for argument in arguments {
        if argument.hasPrefix("-"), let first = argument.split(separator: ",").first, Double(first) != nil,
            let option = joined.last, option.hasPrefix("--"), option != "--", !option.contains("=")
        {
            joined[joined.count - 1] = "\(option)=\(argument)"
        } else {
            joined.append(argument)
        }
    }
    return joined
}

struct ResinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resin",
        abstract: "Trains and runs convolutional networks on any OpenCL device.",
        version: "0.1.0",
        subcommands: [
            TrainCommand.self, RateRangeCommand.self, EvaluateCommand.self, PredictCommand.self,
            ExportCommand.self, SummaryCommand.self, ExplainCommand.self, BenchCommand.self,
            DatasetsCommand.self, DevicesCommand.self,
            NetworksCommand.self,
            KernelsCommand.self, CheckOneCommand.self, TimePredictionsCommand.self,
        ])
}
