import Foundation
import Resin

/// The file of `--config`: a JSON object with options of `train`, its keys the options' names in snake_case.
struct RecipeFile {
    let path: String
    private let values: KeyedDecodingContainer<Name>
    /// The keys whose values the command has taken.
    private var taken: Set<String> = []

    /// - Throws: `ResinError`: `.missingFile`, or `.badContent` where it is not a JSON object or has a key that is
    ///   not known.
    init(_ path: String) throws {
        self.path = path
        do {
            // More is no recipe.
            let bytes = try JSONText.bytes(of: path, limit: 1 << 20)
            values = try JSONText.decode(Object.self, from: bytes, place: path).values
        } catch let error as ResinError where error.kind == .badContent {
            throw ResinError(
                .badContent,
                "\(error.message); a recipe is a JSON object such as {\"network\": \"nin\", \"epochs\": 10}")
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
    mutating func apply(to command: inout TrainCommand) throws {
        for key in Key.all {
            guard let name = values.allKeys.first(where: { $0.stringValue == key.name }) else { continue }
            do {
                if try key.set(&command, values, name) { taken.insert(key.name) }
            } catch {
                throw ResinError(.badContent, "\(path): the value of '\(key.name)' must be \(key.expected)")
            }
        }
    }

    /// Says of a value that breaks its rule where it stands: here, or on the command line.
    func error(of fault: ValueFault) -> ResinError {
        guard let key = fault.option.map(Self.key(ofOption:)), taken.contains(key) else { return fault.usage }
        return ValueFault(key: key, value: fault.value, allowed: fault.allowed).badContent(in: path)
    }

    /// What a combination of options that does not work is, if one of them stands here.
    func error(of usage: ResinError, options: [String]) -> ResinError {
        guard usage.kind == .usage, options.contains(where: { taken.contains(Self.key(ofOption: $0)) }) else {
            return usage
        }
        return ResinError(.badContent, "\(path): \(usage.message)")
    }

    /// "--no-final-relu" is the key `final_relu`.
    private static func key(ofOption option: String) -> String {
        String(option.trimmingPrefix("--no-").trimmingPrefix("--")).replacing("-", with: "_")
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
    /// Decodes the value and sets it where the command has none; whether it did.
    var set: (inout TrainCommand, KeyedDecodingContainer<RecipeFile.Name>, RecipeFile.Name) throws -> Bool

    init<Value: RecipeValue>(_ name: String, _ path: WritableKeyPath<TrainCommand, Value?>) {
        self.name = name
        expected = Value.expected
        set = { command, values, key in
            let value = try values.decode(Value.self, forKey: key)
            if command[keyPath: path] != nil { return false }
            command[keyPath: path] = value
            return true
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
            if command[keyPath: path] != nil { return false }
            command[keyPath: path] = list.map(\.description).joined(separator: ",")
            return true
        }
    }

    /// In the order of `resin help train`. What belongs to one call only, such as `--resume`, is no key.
    static var all: [Key] {
        [
            Key("network", \.network),
            Key("data", \.dataOptions.source.data),
            Key("data_dir", \.dataOptions.source.dataDir),
            Key("split", \.dataOptions.source.split),
            Key("on_bad_image", \.dataOptions.source.onBadImage),
            Key("exif", \.dataOptions.source.exif),
            Key("limit", \.limit),
            Key("validation", \.validation),
            Key("limit_test", \.dataOptions.limitTest),
            Key("resize", \.resize),
            Key("mean", list: Float.self, \.mean),
            Key("std", list: Float.self, \.std),
            Key("augment", list: String.self, \.augment),
            Key("fit", \.fitting.fit),
            Key("eval_crop", \.fitting.evalCrop),
            Key("stream", \.loading.stream),
            Key("decode_threads", \.loading.decodeThreads),
            Key("device", \.deviceOption.device),
            Key("math", \.deviceOption.math),
            Key("precision", \.deviceOption.precision),
            Key("final_relu", \.networkArguments.finalRelu),
            Key("dropout", \.networkArguments.dropout),
            Key("stochastic_depth", \.networkArguments.stochasticDepth),
            Key("width", \.networkArguments.width),
            Key("ones", \.networkArguments.ones),
            Key("third_width", \.networkArguments.thirdWidth),
            Key("head", \.networkArguments.head),
            Key("shortcut", \.networkArguments.shortcut),
            Key("variant", \.networkArguments.variant),
            Key("epochs", \.epochs),
            Key("batch", \.batch),
            Key("shards", \.shards),
            Key("optimizer", \.optimizer),
            Key("lr", \.lr),
            Key("momentum", \.momentum),
            Key("nesterov", \.nesterov),
            Key("weight_decay", \.weightDecay),
            Key("schedule", \.schedule),
            Key("warmup_epochs", \.warmupEpochs),
            Key("beta1", \.optimization.beta1),
            Key("beta2", \.optimization.beta2),
            Key("eps", \.optimization.eps),
            Key("alpha", \.optimization.alpha),
            Key("clip", \.optimization.clip),
            Key("head_lr", \.optimization.headLr),
            Key("layer_decay", \.optimization.layerDecay),
            Key("decay", \.optimization.decay),
            Key("ema", \.optimization.ema),
            Key("warmup_steps", \.optimization.warmupSteps),
            Key("milestones", list: Int.self, \.optimization.milestones),
            Key("min_lr", \.optimization.minLr),
            Key("restarts", \.optimization.restarts),
            Key("plateau_patience", \.optimization.plateauPatience),
            Key("loss", \.loss),
            Key("focal", list: Float.self, \.focal),
            Key("label_smoothing", \.labelSmoothing),
            Key("class_weights", \.classWeights),
            Key("sampler", \.sampler),
            Key("patience", \.patience),
            Key("init", \.initialiser),
            Key("weights", \.weights),
            Key("freeze", list: String.self, \.freeze),
            Key("seed", \.seed),
            Key("on_nan", \.onNaN),
            Key("out", \.out),
            Key("save_every", \.saveEvery),
            Key("keep", \.keep),
            Key("progress", \.progress),
            Key("tensorboard", \.tensorboard),
            Key("tensorboard_histograms", \.tensorboardHistograms),
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

extension BatchSize: RecipeValue { fileprivate static var expected: String { "a whole number or \"auto\"" } }
extension BadImagePolicy: RecipeValue {}
extension Sampler: RecipeValue {}
extension TrainingConfiguration.LossFunction: RecipeValue {}
extension MathMode: RecipeValue {}
extension TestFit: RecipeValue {}
extension Streaming: RecipeValue {}
extension Precision: RecipeValue {}
extension OptimizerSettings.Name: RecipeValue {}
extension OptimizerSettings.DecayScope: RecipeValue {}
extension Schedule.Kind: RecipeValue {}
extension Initialiser: RecipeValue {}
extension TrainingConfiguration.NaNPolicy: RecipeValue {}
extension ProgressStyle: RecipeValue {}
extension NetworkOptions.Head: RecipeValue {}
extension NetworkOptions.Shortcut: RecipeValue {}
extension NetworkOptions.Variant: RecipeValue {}
