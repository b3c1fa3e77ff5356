import ArgumentParser
import Foundation
import Resin

struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict", abstract: "Says which classes PNG, JPEG and WebP images are of.",
        discussion: """
            Images may be grey or colour and of any size. The run's config.json beside the checkpoint says
            what they are brought to. A bare safetensors file, such as a state_dict saved from PyTorch, needs
            --network and the --data that it was trained on, for the size, mean and deviation of the images
            and the names of the classes.
            """)

    @OptionGroup var model: CheckpointArguments
    @Argument(help: "PNG, JPEG and WebP files.")
    var images: [String]

    @Option(help: ArgumentHelp("Classes to name an image (default: 5).", valueName: "n"))
    var top: Int?
    @OptionGroup var source: DataSource
    @OptionGroup var deviceOption: DeviceOption
    @Flag(help: "As JSON.")
    var json = false

    private struct Row: Encodable {
        var file: String
        var predictions: [Class]
    }

    private struct Class: Encodable {
        var index: Int
        var name: String
        var probability: Double

        enum CodingKeys: String, CodingKey {
            case index, probability
            case name = "class"
        }
    }

    func run() throws {
        let named = try bounded("--top", top ?? 5, 1...Limits.classes)
        let file = try Safetensors(contentsOf: model.path)
        let (network, configuration) = try makeConfiguration(file)
        let weights = try model.weights(file, for: network)
        if let top, top > network.classCount {
            note("note: --top \(top), but there are only \(network.classCount) classes; all are named")
        }
        // One after another: a folder of photographs would not fit the memory.
        let pictures = try images.map {
            try RasterImage(
                contentsOf: $0, forSide: configuration.imageSize?.first ?? network.input.height,
                honoursOrientation: source.exif ?? true, report: { note("note: \($0)") }
            ).prepared(for: network, configuration)
        }
        let device = try deviceOption.choose()
        note("device \(device)")
        let predictions = try Prediction.all(
            for: pictures, by: network, weights: weights, configuration, device: device)
        let rows = zip(images, predictions).map { file, classes in
            Row(
                file: file,
                predictions: classes.prefix(named).map {
                    Class(index: $0.index, name: $0.className, probability: $0.probability)
                })
        }
        if json { return try printJSON(rows) }
        for row in rows {
            let classes = row.predictions.map { "\($0.name) \(decimals(100 * $0.probability, 1)) %" }
            printLine("\(row.file): \(classes.joined(separator: ", "))")
        }
    }

    private func makeConfiguration(_ weights: Safetensors) throws -> (Network, TrainingConfiguration) {
        if let saved = try model.savedConfiguration() {
            if source.data != nil || source.dataDir != nil || source.split != nil {
                throw ResinError(
                    .usage,
                    "the run beside \(model.path) says what its images are; --data, --data-dir and --split go "
                        + "with --network, for a bare file of weights")
            }
            return (try model.network(of: saved), saved)
        }
        guard model.network == nil || source.data != nil else {
            throw ResinError(
                .usage,
                "say with --data what \(model.path) was trained on: the size, mean and deviation of the images "
                    + "and the names of the classes come from there")
        }
        let data = source.identity ?? ""
        var (network, _, configuration) = try model.bareModel(data: data) {
            try source.load(data, side: $0, split: nil, seed: 42)
        }
        if let names = try weights.classNames(from: model.path), names.count == network.classCount {
            configuration.classNames = names
        }
        return (network, configuration)
    }
}
