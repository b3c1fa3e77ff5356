import Foundation
import ResinDataset
import ResinNetworks
import ResinTensor

/// Which network weights are of, and what images come to before it sees them. Files of weights say it in their metadata, so
/// that such a file is enough to predict with.
public struct ModelDescription: Codable, Equatable, Sendable {
    public var network: String
    public var options: NetworkOptions
    public var input: ImageShape
    /// See `TrainingConfiguration` for these.
    public var imageSize: [Int]?
    public var honoursOrientation: Bool
    public var mean: [Float]
    public var standardDeviation: [Float]
    public var fit: TestFit?
    public var evalCrop: Double
    public var loss: TrainingConfiguration.LossFunction

    public init(_ configuration: TrainingConfiguration) {
        network = configuration.network
        options = configuration.options
        input = configuration.input
        imageSize = configuration.imageSize
        honoursOrientation = configuration.honoursOrientation
        mean = configuration.mean
        standardDeviation = configuration.standardDeviation
        fit = configuration.fit
        evalCrop = configuration.evalCrop
        loss = configuration.loss
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        network = try values.value(.network)
        options = try values.value(.options)
        input = try values.value(.input)
        imageSize = try values.optional(.imageSize)
        honoursOrientation = try values.value(.honoursOrientation)
        mean = try values.value(.mean)
        standardDeviation = try values.value(.standardDeviation)
        fit = try values.optional(.fit)
        evalCrop = try values.value(.evalCrop)
        loss = try values.optional(.loss) ?? .crossEntropy
    }

    public enum CodingKeys: String, CodingKey {
        case network, options, input
        case imageSize = "image_size"
        case honoursOrientation = "exif"
        case mean
        case standardDeviation = "std"
        case fit
        case evalCrop = "eval_crop"
        case loss
    }

    /// What runs the network, of data that are not named.
    ///
    /// - Parameter place: where it was read, for errors.
    /// - Throws: `ResinError(.badContent)` where it is of no network, or values are out of range.
    public func configuration(classNames: [String], place: String) throws -> TrainingConfiguration {
        let model: Network
        do {
            guard !classNames.isEmpty, ImageShape.isWithinLimits([input.channels, input.height, input.width])
            else {
                throw ResinError(.usage, "\(classNames.count) classes, images of \(input)")
            }
            try options.check()
            model = try Network.named(network, input: input, classes: classNames.count, options: options)
            _ = try model.makeGraph()
        } catch let error as ResinError where error.kind == .usage {
            throw ResinError(.badContent, "\(place): \(error.message)")
        } catch let fault as ValueFault {
            throw fault.badContent(in: place)
        }
        return try configuration(of: model, classNames: classNames, place: place)
    }

    /// The same for a network that is not found by its name.
    package func configuration(
        of model: Network, classNames: [String], place: String
    ) throws -> TrainingConfiguration {
        var configuration = TrainingConfiguration(
            network: model, data: "", classNames: classNames, mean: mean,
            standardDeviation: standardDeviation,
            epochs: 1, batch: 128, optimizer: .sgd(learningRate: 0.1))
        configuration.options = options
        configuration.imageSize = model.input == input ? imageSize : [model.input.height, model.input.width]
        configuration.honoursOrientation = honoursOrientation
        configuration.fit = fit
        configuration.evalCrop = evalCrop
        configuration.loss = loss
        // Of 128 large images a network may be given no more than some.
        configuration.batch = max(1, min(128, Limits.batchValues / model.input.valueCount))
        do { try configuration.check() } catch { throw error.badContent(in: place) }
        return configuration
    }
}

extension Safetensors {
    private static let modelKey = "model"

    /// What the file says of the network and its images; nil where it says nothing.
    ///
    /// - Parameter path: the file's, for errors.
    /// - Throws: `ResinError(.badContent)` where what it says is no description.
    public func modelDescription(from path: String) throws -> ModelDescription? {
        try metadata[Self.modelKey].map {
            try JSONText.decode(
                ModelDescription.self, from: Array($0.utf8), place: Self.modelPlace(path))
        }
    }

    /// What runs the network of the file; nil where the file does not say which it is, or of which classes.
    ///
    /// - Throws: `ResinError(.badContent)`.
    public func configuration(from path: String) throws -> TrainingConfiguration? {
        guard let description = try modelDescription(from: path), let names = try classNames(from: path)
        else { return nil }
        return try description.configuration(classNames: names, place: Self.modelPlace(path))
    }

    private static func modelPlace(_ path: String) -> String { "\(path): '\(modelKey)' of its metadata" }

    /// As the metadata have it.
    package static func metadata(of configuration: TrainingConfiguration) -> [String: String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Plain values: cannot fail.
        let description = try! encoder.encode(ModelDescription(configuration))
        return [
            "network": configuration.network, classNamesKey: text(ofClassNames: configuration.classNames),
            modelKey: String(decoding: description, as: UTF8.self),
        ]
    }
}
