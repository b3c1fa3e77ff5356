import FoundationEssentials
import ResinDataset
import ResinTensor

/// Which images of a set that was divided by chance a run tests on; `split.json`.
struct Division: Codable {
    var test: [String]
}

extension RunFolder {
    static let divisionName = "split.json"
    private var divisionPath: String { path + "/" + Self.divisionName }

    /// Writes down which images are tested on, where chance has chosen them.
    func write(divisionOf dataset: Dataset) throws {
        guard dataset.isDivided else { return }
        let names = (0..<dataset.test.count).compactMap { dataset.test.name(of: $0) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .withoutEscapingSlashes]
        try AtomicFile.write(encoder.encode(Division(test: names)), to: divisionPath)
    }

    /// A set, divided as this run found it.
    ///
    /// - Throws: `ResinError(.badContent)` where test images are gone, or the file is damaged.
    public func divided(_ dataset: Dataset) throws -> Dataset {
        guard dataset.isDivided, FileManager.default.fileExists(atPath: divisionPath) else { return dataset }
        let division = try JSONText.decode(
            Division.self, from: JSONText.bytes(of: divisionPath), place: divisionPath)
        guard !division.test.isEmpty, Set(division.test).count == division.test.count else {
            throw ValueFault(
                key: "test", value: "a list of \(division.test.count)",
                allowed: "at least one name, and none of them twice"
            ).badContent(in: divisionPath)
        }
        return try dataset.divided(testingOn: division.test)
    }
}
