import ArgumentParser
import Foundation
import Resin

/// What a bare file of weights does not say of its classes.
struct BareClassOptions: ParsableArguments {
    @Option(help: ArgumentHelp("With --network: how many classes there are.", valueName: "n"))
    var classes: Int?
    @Option(help: ArgumentHelp("With --network: a file with a class's name a line.", valueName: "file"))
    var labels: String?

    func checkThatNoneIsGiven() throws {
        guard classes == nil && labels == nil else {
            throw ResinError(
                .usage, "--classes and --labels go with --network, for a bare file of weights")
        }
    }

    /// Those of --labels, or of the file; numbers where only how many is known.
    ///
    /// - Parameters:
    ///   - path: of the weights, for errors.
    ///   - count: how many there are, where that is known.
    func names(of weights: Safetensors, from path: String, count: Int? = nil) throws -> [String] {
        let names = try allNames(of: weights, from: path, count: count)
        if let count, let other = [names.count, classes ?? count].first(where: { $0 != count }) {
            throw ResinError(
                .usage, "\(path) tells \(count) classes apart, not \(other); see --classes and --labels")
        }
        return names
    }

    private func allNames(of weights: Safetensors, from path: String, count: Int?) throws -> [String] {
        if let labels {
            let bytes = try JSONText.bytes(of: labels, limit: 1 << 24)
            var names = String(decoding: bytes, as: UTF8.self).split(
                omittingEmptySubsequences: false, whereSeparator: \.isNewline
            ).map { $0.trimmingCharacters(in: .whitespaces) }
            while names.last?.isEmpty == true { names.removeLast() }
            guard (1...Limits.classes).contains(names.count), !names.contains("") else {
                throw ResinError(
                    .badContent,
                    "\(labels): has \(names.count) lines; expected is the name of a class in each, 1 to \(Limits.classes)"
                )
            }
            if let classes, classes != names.count {
                throw ResinError(.usage, "--classes is \(classes), but \(labels) names \(names.count)")
            }
            return names
        }
        if let names = try weights.classNames(from: path) { return names }
        guard let classes = classes ?? count else {
            throw ResinError(
                .usage,
                "say with --classes how many classes \(path) has, or with --labels their names; or with --data "
                    + "what it was trained on")
        }
        return (0..<(try bounded("--classes", classes, 1...Limits.classes))).map(String.init)
    }
}
