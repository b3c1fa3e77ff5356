import Foundation
import Resin

/// The file of `--config`: a JSON object with options of `train`, its keys the options' names in snake_case.
struct RecipeFile {
    let path: String
    private let values: KeyedDecodingContainer<Name>

    /// - Throws: `ResinError`: `.missingFile`, or `.badContent` where it is not a JSON object or has a key that is
    ///   not known.
    init(_ path: String) throws {
        self.path = path
        let file = try ReadableFile(path)
        do {
            // More is no recipe, and is not read.
            values = try JSONDecoder().decode(Object.self, from: Data(file.prefix(1 << 20))).values
        } catch {
            throw ResinError(
                .badContent,
                "\(path) is not a JSON object; a recipe looks like {\"network\": \"nin\", \"epochs\": 10}")
        }
        let known = Key.all.map(\.name)
        for key in values.allKeys.map(\.stringValue).sorted() where !known.contains(key) {
            let suggestion = key.nearest(among: known).map { "did you mean '\($0)'? " } ?? ""
            throw ResinError(
                .badContent,
                "\(path): there is no option '\(key)'; \(suggestion)known options: "
                    + known.joined(separator: ", "))
        }
    }

    /// Gives the command the file's values where it has none of its own.
    ///
    /// - Throws: `ResinError(.badContent)` that names the key whose value is of another type.
    func apply(to command: inout TrainCommand) throws {
        for key in Key.all {
            guard let name = values.allKeys.first(where: { $0.stringValue == key.name }) else { continue }
            do {
                try key.set(&command, values, name)
            } catch {
                throw ResinError(.badContent, "\(path): the value of '\(key.name)' must be \(key.expected)")
            }
        }
    }

    /// Any key at all: the unknown ones are to be named.
    fileprivate struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private struct Object: Decodable {
        var values: KeyedDecodingContainer<Name>
        init(from decoder: any Decoder) throws { values = try decoder.container(keyedBy: Name.self) }
    }
}

/// An option as a recipe has it.
private struct Key {
    var name: String
    /// "a whole number", for the message.
    var expected: String
    /// Decodes the value and sets it where the command has none.
    var set: (inout TrainCommand, KeyedDecodingContainer<RecipeFile.Name>, RecipeFile.Name) throws -> Void

    init<Value: RecipeValue>(_ name: String, _ path: WritableKeyPath<TrainCommand, Value?>) {
        self.name = name
        expected = Value.expected
        set = { command, values, key in
            let value = try values.decode(Value.self, forKey: key)
            if command[keyPath: path] == nil { command[keyPath: path] = value }
        }
    }

    /// What is comma-separated on the command line is a list in a file.
    init<Element: RecipeValue & CustomStringConvertible>(
        _ name: String, list: Element.Type, _ path: WritableKeyPath<TrainCommand, String?>
    ) {
        self.name = name
        expected = "a list, each of which is \(Element.expected)"
        set = { command, values, key in
            let list = try values.decode([Element].self, forKey: key)
            if command[keyPath: path] == nil {
                command[keyPath: path] = list.map(\.description).joined(separator: ",")
            }
        }
    }

    /// In the order of `resin help train`. What belongs to one call only, such as `--resume`, is no key.
    static var all: [Key] {
        [
            Key("network", \.network),
            Key("data", \.dataOptions.source.data),
            Key("data_dir", \.dataOptions.source.dataDir),
            Key("split", \.dataOptions.source.split),
            Key("limit", \.dataOptions.limit),
            Key("limit_test", \.dataOptions.limitTest),
            Key("resize", \.resize),
            Key("mean", list: Float.self, \.mean),
            Key("std", list: Float.self, \.std),
            Key("augment", list: String.self, \.augment),
            Key("device", \.deviceOption.device),
            Key("math", \.deviceOption.math),
            Key("precision", \.deviceOption.precision),
            Key("final_relu", \.networkArguments.finalRelu),
            Key("dropout", \.networkArguments.dropout),
            Key("ones", \.networkArguments.ones),
            Key("third_width", \.networkArguments.thirdWidth),
            Key("head", \.networkArguments.head),
            Key("shortcut", \.networkArguments.shortcut),
            Key("variant", \.networkArguments.variant),
            Key("epochs", \.epochs),
            Key("batch", \.batch),
            Key("optimizer", \.optimizer),
            Key("lr", \.lr),
            Key("momentum", \.momentum),
            Key("nesterov", \.nesterov),
            Key("weight_decay", \.weightDecay),
            Key("schedule", \.schedule),
            Key("warmup_epochs", \.warmupEpochs),
            Key("label_smoothing", \.labelSmoothing),
            Key("patience", \.patience),
            Key("init", \.initialiser),
            Key("seed", \.seed),
            Key("on_nan", \.onNaN),
            Key("out", \.out),
            Key("save_every", \.saveEvery),
            Key("keep", \.keep),
            Key("progress", \.progress),
        ]
    }
}

/// A type that options have.
private protocol RecipeValue: Decodable {
    static var expected: String { get }
}

extension Int: RecipeValue { fileprivate static var expected: String { "a whole number" } }
extension UInt64: RecipeValue { fileprivate static var expected: String { "a whole number from 0 on" } }
extension Double: RecipeValue { fileprivate static var expected: String { "a number" } }
extension Float: RecipeValue { fileprivate static var expected: String { "a number" } }
extension Bool: RecipeValue { fileprivate static var expected: String { "true or false" } }
extension String: RecipeValue { fileprivate static var expected: String { "text" } }

extension RecipeValue where Self: CaseIterable & RawRepresentable<String> {
    fileprivate static var expected: String {
        "one of " + allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
    }
}

extension MathMode: RecipeValue {}
extension Precision: RecipeValue {}
extension OptimizerSettings.Name: RecipeValue {}
extension Schedule.Kind: RecipeValue {}
extension Initialiser: RecipeValue {}
extension TrainingConfiguration.NaNPolicy: RecipeValue {}
extension ProgressStyle: RecipeValue {}
extension NetworkOptions.Head: RecipeValue {}
extension NetworkOptions.Shortcut: RecipeValue {}
extension NetworkOptions.Variant: RecipeValue {}
