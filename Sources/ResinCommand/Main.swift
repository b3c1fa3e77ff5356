import ArgumentParser
import Foundation
import Resin

@main
enum Main {
    static func main() {
        AtomicFile.ignoreFileSizeSignal()
        do {
            var command = try ResinCommand.parseAsRoot()
            try command.run()
        } catch let error as ResinError {
            FileHandle.standardError.write(Data("resin: \(error.message)\n".utf8))
            exit(error.kind.rawValue)
        } catch {
            ResinCommand.exit(withError: error)
        }
    }
}

struct ResinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resin",
        abstract: "Trains and runs convolutional networks on any OpenCL device.",
        version: "0.1.0",
        subcommands: [
            TrainCommand.self, EvaluateCommand.self, SummaryCommand.self, BenchCommand.self,
            DevicesCommand.self, NetworksCommand.self,
        ])
}

/// Prints a value as JSON to standard output.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Prints a line of progress or diagnosis to standard error.
func note(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}
