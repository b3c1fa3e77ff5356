import ArgumentParser
import Foundation
import Resin

@main
enum Main {
    static func main() {
        AtomicFile.ignoreFileSizeSignal()
        do {
            let arguments = joinNegativeNumbers(CommandLine.arguments.dropFirst())
            var command = try ResinCommand.parseAsRoot(arguments)
            try command.run()
            // Text waits in a buffer: a full disk behind standard output shows here.
            guard fflush(nil) == 0 else {
                throw ResinError(
                    .cannotWrite, "cannot write the result to standard output; is the disk behind it full?")
            }
        } catch let error as ResinError {
            note("resin: \(error.message)")
            exit(error.kind.rawValue)
        } catch let fault as ValueFault {
            note("resin: \(fault.usage.message)")
            exit(fault.usage.kind.rawValue)
        } catch {
            ResinCommand.exit(withError: error)
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
            TrainCommand.self, EvaluateCommand.self, PredictCommand.self, SummaryCommand.self,
            BenchCommand.self, DatasetsCommand.self, DevicesCommand.self, NetworksCommand.self,
            CheckOneCommand.self,
        ])
}

/// Prints a value as JSON to standard output.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // JSON knows no such numbers; a loss may be one.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Prints a line of progress or diagnosis to standard error.
func note(_ line: String) {
    writeToStandardError(line + "\n")
}

/// What cannot be written there, because the disk behind it is full, is lost: that ends no training.
func writeToStandardError(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
}
