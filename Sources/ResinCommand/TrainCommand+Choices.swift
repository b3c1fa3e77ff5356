import ArgumentParser
import Foundation
import Resin

/// Images a step.
enum BatchSize: Equatable, ExpressibleByArgument, Decodable {
    case count(Int)
    /// As many as the device has memory for.
    case auto

    var count: Int? { if case .count(let count) = self { count } else { nil } }

    init?(argument: String) {
        if argument == "auto" {
            self = .auto
        } else if let count = Int(argument) {
            self = .count(count)
        } else {
            return nil
        }
    }

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let count = try? value.decode(Int.self) {
            self = .count(count)
        } else if try value.decode(String.self) == "auto" {
            self = .auto
        } else {
            throw DecodingError.dataCorruptedError(in: value, debugDescription: "neither a number nor auto")
        }
    }
}

extension Sampler: ExpressibleByArgument {}
extension TrainingConfiguration.LossFunction: ExpressibleByArgument {}

/// What can be chosen once the data are there.
extension TrainCommand {
    /// What `--class-weights` says of a set's classes.
    static func classWeights(
        _ text: String, for dataset: Dataset, _ loss: TrainingConfiguration.LossFunction
    ) throws -> [Float] {
        if text == "balanced" {
            let counts = dataset.trainingCounts
            let images = Double(dataset.train.count)
            return counts.map { count in
                switch loss {
                // A class without images has none that count.
                case .crossEntropy: count == 0 ? 0 : Float(images / (Double(counts.count) * Double(count)))
                case .binary: count == 0 ? 1 : Float((images - Double(count)) / Double(count))
                }
            }
        }
        let bytes = try JSONText.bytes(of: text, limit: 1 << 24)
        var weights: [String: Float] = [:]
        let lines = String(decoding: bytes, as: UTF8.self).split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (number, line) in lines.enumerated() where !line.allSatisfy(\.isWhitespace) {
            // A class's name may have commas, its weight has none.
            let comma = line.lastIndex(of: ",")
            let name = comma.map { String(line[..<$0]).unquotedField } ?? ""
            guard let comma,
                let weight = Float(line[line.index(after: comma)...].trimmingCharacters(in: .whitespaces)),
                weight.isFinite
            else {
                if number == 0 { continue }  // a header
                throw ResinError(
                    .badContent,
                    "\(text): line \(number + 1): a class and its weight are expected, such as cat,2.5; found "
                        + "'\(line)'")
            }
            guard dataset.classNames.contains(name) else {
                throw ResinError(
                    .badContent,
                    "\(text): line \(number + 1): there is no class '\(name)'; the classes are "
                        + dataset.classNames.prefix(20).joined(separator: ", "))
            }
            guard weights.updateValue(weight, forKey: name) == nil else {
                throw ResinError(.badContent, "\(text): line \(number + 1): '\(name)' has a weight already")
            }
        }
        let missing = dataset.classNames.filter { weights[$0] == nil }
        guard missing.isEmpty else {
            throw ResinError(
                .badContent,
                "\(text): has no weight for \(missing.prefix(20).joined(separator: ", ")); every class needs one"
            )
        }
        return dataset.classNames.map { weights[$0]! }
    }

    /// What `--focal` says: gamma, or gamma and alpha.
    static func focal(_ text: String) throws -> TrainingConfiguration.Focal {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            .map { Float($0.trimmingCharacters(in: .whitespaces)) }
        guard (1...2).contains(parts.count), let gamma = parts[0], parts.allSatisfy({ $0 != nil }) else {
            throw ValueFault(
                key: "focal", option: "--focal", value: "'\(text)'",
                allowed: "gamma, or gamma and alpha, such as 2 or 2,0.25")
        }
        return TrainingConfiguration.Focal(gamma: gamma, alpha: parts.count > 1 ? parts[1] : nil)
    }

    /// Images a step; before what `auto` is can be known, the fewest that it may be.
    var givenBatch: Int? { batch == .auto ? max(shards ?? 1, 1) : batch?.count }

    /// Takes the largest power of two, times the shards, that the device has memory for, and no more than there are images.
    func chooseBatch(
        for network: Network, _ dataset: Dataset, _ configuration: inout TrainingConfiguration,
        _ device: ComputeDevice
    ) throws {
        let before = configuration.batch
        configuration.batch = try Trainer.largestBatch(
            network, dataset, configuration, loading.checked(dataOptions.source), device: device)
        // That of photographs is in proportion to the batch.
        if lr == nil, dataset.train is any PhotographSource {
            configuration.optimizer.learningRate *= Float(configuration.batch) / Float(before)
        }
        note("note: --batch auto is \(configuration.batch) here")
    }
}

extension String {
    /// Of a line of CSV.
    fileprivate var unquotedField: String {
        let text = trimmingCharacters(in: .whitespaces)
        guard text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return text }
        return String(text.dropFirst().dropLast()).replacing("\"\"", with: "\"")
    }
}
