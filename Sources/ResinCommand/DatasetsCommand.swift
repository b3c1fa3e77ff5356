import ArgumentParser
import Foundation
import Resin

struct DatasetsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "datasets",
        abstract: "Lists, fetches and verifies the published data sets; checks folders of images.",
        subcommands: [
            ListCommand.self, FetchCommand.self, VerifyCommand.self, CheckCommand.self, TimeCommand.self,
        ])

    struct DirectoryOption: ParsableArguments {
        @Option(
            help: ArgumentHelp(
                "Folder in which the sets lie, one folder each.",
                discussion: "Without it: $RESIN_DATA, else the user's cache folder.", valueName: "dir"))
        var dataDir: String?

        var path: String { dataDir ?? Dataset.defaultDirectory() }
    }

    struct ListCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists the sets, and which of them are there.")

        @OptionGroup var directory: DirectoryOption
        @Flag(help: "As JSON.")
        var json = false

        private struct Row: Encodable {
            var name: String
            var train, test, classes: Int
            var isPresent: Bool
            var folder: String?
            var address: String?
        }

        func run() throws {
            let rows = try Dataset.knownNames.map { name in
                guard name != "glyphs" else {
                    return Row(name: name, train: 6_000, test: 1_000, classes: 10, isPresent: true)
                }
                let set = try PublishedDataset.named(name)
                return Row(
                    name: name, train: set.trainCounts.reduce(0, +), test: set.testCounts.reduce(0, +),
                    classes: set.classNames.count, isPresent: set.isPresent(in: directory.path),
                    folder: set.folder(in: directory.path), address: set.address)
            }
            if json { return try printJSON(rows) }
            let width = rows.map(\.name.count).max() ?? 0
            for row in rows {
                let name = row.name.padding(toLength: width, withPad: " ", startingAt: 0)
                let place =
                    row.folder.map { row.isPresent ? "in \($0)" : "not in \($0); from \(row.address ?? "")" }
                    ?? "made by the program"
                printLine("\(name)  \(row.train) + \(row.test) images, \(row.classes) classes; \(place)")
            }
        }
    }

    struct FetchCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fetch", abstract: "Downloads a set, checks its SHA-256, and puts it into place.",
            discussion: "A download that was broken off goes on where it was. It is done by curl.")

        @Argument(help: "The set: \(PublishedDataset.all.map(\.name).joined(separator: ", ")).")
        var name: String
        @Option(
            help: ArgumentHelp(
                "Address of a folder with the same files, such as a mirror's.", valueName: "url"))
        var url: String?
        @OptionGroup var directory: DirectoryOption

        func run() throws {
            let set = try PublishedDataset.named(name)
            try set.fetch(into: directory.path, from: url) { event in
                switch event {
                case .present(let path):
                    printLine("\(path): there already, SHA-256 (its own or its content's) as published")
                case .downloading(let address, let offset):
                    note(offset == 0 ? "fetching \(address)" : "going on with \(address) at byte \(offset)")
                case .fetched(let path, let byteCount):
                    printLine("\(path): \(byteCount) bytes, SHA-256 (its own or its content's) as published")
                case .unpacked(let folder): printLine("\(folder): unpacked")
                }
            }
        }
    }

    struct VerifyCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify", abstract: "Compares a set's files with what is published.",
            discussion: """
                Files whose bytes are not the published ones, such as a set in another order, may still be
                right: numbers of images, images a class, mean and deviation are compared in any case.
                """)

        @Argument(help: "The set: \(PublishedDataset.all.map(\.name).joined(separator: ", ")).")
        var name: String
        @OptionGroup var directory: DirectoryOption

        func run() throws {
            let set = try PublishedDataset.named(name)
            let found = try set.verify(in: directory.path)
            for (path, origin) in found.files {
                switch origin {
                case .published: printLine("\(path): the published file (SHA-256)")
                case .publishedContent:
                    printLine("\(path): the published content in another container (SHA-256 of the content)")
                case .other: printLine("\(path): not the published bytes (SHA-256)")
                }
            }
            guard found.differences.isEmpty else {
                throw ResinError(
                    .badContent,
                    "\(name) in \(set.folder(in: directory.path)) is not what is published: "
                        + found.differences.joined(separator: "; "))
            }
            printLine(
                "\(name): \(found.trainCount) training and \(found.testCount) test images; numbers of "
                    + "images, images a class, mean and deviation are as published")
            if found.files.isEmpty {
                printLine(
                    "\(name): SHA-256 not checked: \(set.files[0].name), whose sum is known, is not there")
            } else if !found.isPublished {
                printLine("\(name): its bytes are not the published ones: another order, or other images")
            }
        }
    }
}
