import ArgumentParser
import Foundation
import Resin

struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict", abstract: "Says which classes pictures are of (JPEG, PNG, WebP).",
        discussion: """
            Pictures may be grey or colour, of any size, and in folders; one that cannot be read does not
            stop the others. The run's config.json beside the checkpoint says
            what they are brought to. A bare safetensors file, such as a state_dict saved from PyTorch, needs
            --network and the --data that it was trained on, for the size, mean and deviation of the images
            and the names of the classes.
            """)

    @OptionGroup var model: CheckpointArguments
    @Argument(help: "Pictures, and folders of pictures.")
    var images: [String]

    @Option(help: ArgumentHelp("Classes to name an image (default: 5).", valueName: "n"))
    var top: Int?
    @OptionGroup var source: DataSource
    @OptionGroup var fitting: FitOptions
    @OptionGroup var loading: LoadingOptions
    @OptionGroup var deviceOption: DeviceOption
    @Flag(help: "As JSON.")
    var json = false
    @Option(help: ArgumentHelp("Write file,rank,class,probability, too.", valueName: "file.csv"))
    var csv: String?

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
        if let csv { try AtomicFile.check(csv) }
        let named = try bounded("--top", top ?? 5, 1...Limits.classes)
        let file = try Safetensors(contentsOf: model.path)
        var (network, configuration) = try makeConfiguration(file)
        try fitting.apply(to: &configuration)
        let weights = try model.weights(file, for: network)
        if let top, top > network.classCount {
            note("note: --top \(top), but there are only \(network.classCount) classes; all are named")
        }
        let files = try PhotographFiles(
            images, honoursOrientation: source.exif ?? configuration.honoursOrientation)
        if let leftOut = files.leftOut { note("note: \(leftOut)") }
        for image in files.unreadable { note(image.reason) }
        let device = try deviceOption.choose()
        note("device \(device)")
        let predictions = try Prediction.all(
            for: files, by: network, weights: weights, configuration, loading.checked(source), device: device
        ) { note("note: \($0)") }
        var errors = files.unreadable.map(\.error)
        var rows: [Row] = []
        for (file, prediction) in zip(files.paths, predictions) {
            switch prediction {
            case .failure(let error):
                note(error.message)
                errors.append(error)
            case .success(let classes):
                rows.append(
                    Row(
                        file: file,
                        predictions: classes.prefix(named).map {
                            Class(index: $0.index, name: $0.className, probability: $0.probability)
                        }))
            }
        }
        try show(rows)
        if let csv { try write(rows, to: csv) }
        if !errors.isEmpty {
            let pictures = files.paths.count + files.unreadable.count
            throw ResinError(
                errors.allSatisfy { $0.kind == .missingFile } ? .missingFile : .badContent,
                "\(errors.count.grouped) of \(pictures.grouped) pictures cannot be read; the others were predicted"
            )
        }
    }

    private func show(_ rows: [Row]) throws {
        if json { return try printJSON(rows) }
        for row in rows {
            let classes = row.predictions.map { "\($0.name) \(decimals(100 * $0.probability, 1)) %" }
            printLine("\(row.file): \(classes.joined(separator: ", "))")
        }
    }

    /// `file,rank,class,probability`, a line for each class that is named.
    private func write(_ rows: [Row], to path: String) throws {
        var text = "file,rank,class,probability\n"
        for row in rows {
            for (rank, prediction) in row.predictions.enumerated() {
                text +=
                    "\(row.file.csvField),\(rank + 1),\(prediction.name.csvField),\(prediction.probability)\n"
            }
        }
        try AtomicFile.write(Data(text.utf8), to: path)
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
