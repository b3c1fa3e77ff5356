import ArgumentParser
import Foundation
import Resin

extension DatasetsCommand {
    struct CheckCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Says what is in a folder of images, and what is wrong with it.",
            discussion: """
                Images by class and part, their sizes, formats, colours and orientations, files that are equal, what cannot \
                be read and why, and what is left out. Exit code 65 where something cannot be read.
                """)

        @Argument(help: "A folder of images, a table of paths and labels (.csv), or an archive (.tar).")
        var data: String
        @Flag(help: "Decode every image, which finds damage that headers do not show.")
        var decode = false
        @Flag(help: "As JSON.")
        var json = false

        private struct Row: Encodable {
            struct Class: Encodable {
                var name: String
                var images: [String: Int]
            }

            struct Equal: Encodable {
                var files: [String]
                var acrossParts, acrossClasses: Bool
            }

            struct Unreadable: Encodable {
                var file, reason: String
            }

            struct LeftOut: Encodable {
                var kind: String
                var count: Int
                var example: String
            }

            var images: Int
            var parts: [String: Int]
            var classes: [Class]
            /// Height and width.
            var leastSize, medianSize, largestSize: [Int]?
            var formats, colours, orientations: [String: Int]
            var duplicates: [Equal]
            var unreadable: [Unreadable]
            var damaged: [String]
            var leftOut: [LeftOut]
            var isDecoded: Bool
        }

        func run() throws {
            let found = try LoadingReporter.showing(.auto) { try PhotographCheck(of: data, decodes: decode) }
            if json {
                try printJSON(row(found))
            } else {
                for line in lines(found) { printLine(line) }
            }
            if !found.unreadable.isEmpty { throw ExitCode(ResinError.Kind.badContent.rawValue) }
        }

        private func row(_ found: PhotographCheck) -> Row {
            func size(_ index: Int) -> [Int]? {
                found.sizes.isEmpty ? nil : [found.sizes[index].height, found.sizes[index].width]
            }
            return Row(
                images: found.imageCount,
                parts: Dictionary(
                    uniqueKeysWithValues: found.parts.map { ($0.name, $0.imageCount) }),
                classes: found.classNames.enumerated().map { label, name in
                    Row.Class(
                        name: name,
                        images: Dictionary(
                            uniqueKeysWithValues: found.parts.map { ($0.name, $0.counts[label]) }))
                },
                leastSize: size(0), medianSize: size(1), largestSize: size(2), formats: found.formats,
                colours: found.colours,
                orientations: Dictionary(uniqueKeysWithValues: found.orientations.map { ("\($0)", $1) }),
                duplicates: found.duplicates.map {
                    Row.Equal(files: $0.names, acrossParts: $0.crossesParts, acrossClasses: $0.crossesClasses)
                },
                unreadable: found.unreadable.map { Row.Unreadable(file: $0.name, reason: $0.reason) },
                damaged: found.flaws,
                leftOut: found.leftOut.map {
                    Row.LeftOut(kind: $0.kind, count: $0.count, example: $0.example)
                },
                isDecoded: decode)
        }

        /// Of lists, at most; `--json` has all.
        private static let longestList = 50

        private func lines(_ found: PhotographCheck) -> [String] {
            func list<Key: Comparable>(_ counts: [Key: Int], _ name: (Key) -> String) -> String {
                counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
                    .map { "\(name($0.key)) \($0.value.grouped)" }.joined(separator: ", ")
            }
            var lines = [
                "\(data): \(found.imageCount.grouped) images in \(found.classNames.count.grouped) classes; "
                    + (decode ? "all were decoded" : "headers were read, no image was decoded")
            ]
            lines += classTable(found)
            if let least = found.sizes.first, let largest = found.sizes.last {
                lines.append("height × width: least \(least), median \(found.sizes[1]), largest \(largest)")
            }
            lines.append("formats: " + list(found.formats) { $0 })
            lines.append("colours: " + list(found.colours) { $0 })
            let turned = found.orientations.filter { $0.key != 1 }
            let turnedCount = turned.values.reduce(0, +)
            lines.append(
                "orientation: "
                    + (turned.isEmpty
                        ? "all are stored upright"
                        : "\(turnedCount.grouped) are turned upright by EXIF ("
                            + list(turned) { "orientation \($0):" } + ")"))
            lines += duplicateLines(found.duplicates)
            if !found.flaws.isEmpty {
                lines.append("damaged, but could be read: \(found.flaws.count.grouped)")
                lines += shortened(found.flaws)
            }
            lines.append(
                "cannot be read: \(found.unreadable.isEmpty ? "none" : found.unreadable.count.grouped)")
            lines += shortened(found.unreadable.map(\.reason))
            if !found.leftOut.isEmpty {
                lines.append(
                    "left out: \(found.leftOut.reduce(0) { $0 + $1.count }.grouped) files or folders")
                lines += shortened(
                    found.leftOut.map { "\($0.count.grouped) \($0.kind), such as \($0.example)" })
            }
            return lines + found.notes.map { "note: \($0)" }
        }

        private func classTable(_ found: PhotographCheck) -> [String] {
            let shown = found.classNames.prefix(Self.longestList)
            let width = (shown.map(\.count) + ["all classes".count]).max() ?? 0
            func row(_ name: String, _ counts: [String]) -> String {
                "  " + name.padding(toLength: width, withPad: " ", startingAt: 0)
                    + counts.map { String(repeating: " ", count: max(12 - $0.count, 1)) + $0 }.joined()
            }
            var lines = [row("class", found.parts.map(\.name))]
            for (label, name) in shown.enumerated() {
                lines.append(row(name, found.parts.map { $0.counts[label].grouped }))
            }
            if found.classNames.count > shown.count {
                lines.append(
                    "  and \((found.classNames.count - shown.count).grouped) more (--json lists all)")
            }
            return lines + [row("all classes", found.parts.map { $0.counts.reduce(0, +).grouped })]
        }

        private func duplicateLines(_ duplicates: [PhotographCheck.Duplicates]) -> [String] {
            if duplicates.isEmpty { return ["equal files: none"] }
            // Those that spoil a result come first.
            let ordered =
                duplicates.filter(\.crossesParts)
                + duplicates.filter { !$0.crossesParts && $0.crossesClasses }
                + duplicates.filter { !$0.crossesParts && !$0.crossesClasses }
            let files = duplicates.reduce(0) { $0 + $1.names.count }
            return [
                "equal files: \(files.grouped) in \(duplicates.count.grouped) group\(duplicates.count == 1 ? "" : "s"), "
                    + "\(duplicates.count(where: \.crossesParts).grouped) of them across parts, "
                    + "\(duplicates.count(where: \.crossesClasses).grouped) across classes"
            ]
                + shortened(
                    ordered.map { group in
                        (group.crossesParts ? "across parts: " : "")
                            + (group.crossesClasses ? "across classes: " : "")
                            + group.names.prefix(5).joined(separator: " = ")
                            + (group.names.count > 5 ? " and \((group.names.count - 5).grouped) more" : "")
                    })
        }

        private func shortened(_ items: [String]) -> [String] {
            items.prefix(Self.longestList).map { "  " + $0 }
                + (items.count > Self.longestList
                    ? ["  and \((items.count - Self.longestList).grouped) more (--json lists all)"] : [])
        }
    }
}
