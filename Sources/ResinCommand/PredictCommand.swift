import ArgumentParser
import Foundation
import Resin

struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict", abstract: "Says which classes pictures are of (JPEG, PNG, WebP).",
        discussion: """
            Pictures may be grey or colour, of any size, and in folders; one that cannot be read does not
            stop the others. The run's config.json beside the checkpoint, or the file itself, says
            what they are brought to. A file saved from PyTorch, such as a state_dict, needs
            --network, and --classes or --labels with --mean; or the --data that it was trained on.
            """)

    @OptionGroup var model: CheckpointArguments
    @Argument(help: "Pictures, and folders of pictures.")
    var images: [String]

    @Option(help: ArgumentHelp("Classes to name an image (default: 5).", valueName: "n"))
    var top: Int?
    @OptionGroup var bareClasses: BareClassOptions
    @OptionGroup var source: DataSource
    @OptionGroup var fitting: FitOptions
    @OptionGroup var loading: LoadingOptions
    @OptionGroup var deviceOption: DeviceOption
    @Flag(help: "As JSON.")
    var json = false
    @Option(
        help: ArgumentHelp(
            "Write file,rank,class,probability, too; with --features, the features in their place.",
            valueName: "file.csv"))
    var csv: String?
    @Option(
        help: ArgumentHelp(
            "With --csv: write a layer's values, one row a picture: the file, then the values.",
            discussion:
                "Of a layer that gives images, each channel's mean over the pixels. Layers are called as in "
                + "'resin summary'.", valueName: "layer"))
    var features: String?
    @Option(
        help: ArgumentHelp(
            "Write a PNG a picture that shows where its likeliest class is seen (Grad-CAM).",
            discussion:
                "The picture as the network sees it; the map's largest value is pale yellow, half of it red, none "
                + "leaves the picture as it is. Files are called PICTURE.CLASS.png.", valueName: "dir"))
    var heatmap: String?
    @Option(
        help: ArgumentHelp(
            "With --heatmap: the layer to look at (default: the last map before the global pooling).",
            valueName: "layer"))
    var heatmapLayer: String?

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
        if features != nil && csv == nil {
            throw ResinError(.usage, "--features wants --csv, the file that the values are written to")
        }
        if heatmapLayer != nil && heatmap == nil {
            throw ResinError(.usage, "--heatmap-layer wants --heatmap, the folder that maps are written to")
        }
        if let heatmap { try HeatmapFolder.check(heatmap) }
        let named = try bounded("--top", top ?? 5, 1...Limits.classes)
        let file: Safetensors
        let network: Network
        var configuration: TrainingConfiguration
        (file, network, configuration) = try load()
        try fitting.apply(to: &configuration)
        if let exif = source.exif { configuration.honoursOrientation = exif }
        let weights = try model.weights(file, for: network)
        if let top, top > network.classCount {
            note("note: --top \(top), but there are only \(network.classCount) classes; all are named")
        }
        let files = try PhotographFiles(images, honoursOrientation: configuration.honoursOrientation)
        if let leftOut = files.leftOut { note("note: \(leftOut)") }
        for image in files.unreadable { note(image.reason) }
        let device = try deviceOption.choose()
        note("device \(device)")
        // One size, that of the run's batch: so a set is predicted as fast as it is evaluated, and to the same bits.
        let settings = Predictor.Settings(
            largestBatch: max(min(configuration.batch, files.paths.count), 1), plansEverySize: false,
            decodingThreads: try loading.checked(source).threads, featureLayer: features,
            heatmapLayer: heatmap == nil ? nil : heatmapLayer.map { .named($0) } ?? .last)
        let predictor = try Predictor(
            network, weights: weights, configuration, device: device, settings: settings)
        let paths = files.paths
        let results = try waiting { try await predictor.results(for: paths.map { .file($0) }) }
        for case .success(let image) in results {
            if let flaw = image.flaw { note("note: \(flaw)") }
        }
        var errors = files.unreadable.map(\.error)
        var rows: [Row] = []
        var pictures: [(file: String, image: PredictedImage)] = []
        for (file, result) in zip(paths, results) {
            switch result {
            case .failure(let error):
                if error.kind == .notFinite { throw error }
                note(error.message)
                errors.append(error)
            case .success(let image):
                pictures.append((file, image))
                rows.append(
                    Row(
                        file: file,
                        predictions: image.classes.prefix(named).map {
                            Class(index: $0.index, name: $0.className, probability: $0.probability)
                        }))
            }
        }
        try show(rows)
        if let csv {
            if features == nil { try write(rows, to: csv) } else { try write(pictures, to: csv) }
        }
        if let heatmap {
            let folder = try HeatmapFolder(heatmap)
            for picture in pictures {
                let map = try waiting { try await predictor.heatmap(of: .file(picture.file)) }
                try folder.write(map, of: picture.file)
            }
            note("\(pictures.count.grouped) heat maps are in \(heatmap)")
        }
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

    /// `file,0,1,…`, a line for each picture.
    private func write(_ pictures: [(file: String, image: PredictedImage)], to path: String) throws {
        let count = pictures.first?.image.features.count ?? 0
        var text = "file," + (0..<count).map(String.init).joined(separator: ",") + "\n"
        for (file, image) in pictures {
            let values = image.features.map { "\($0)" }.joined(separator: ",")
            text += "\(file.csvField),\(values)\n"
        }
        try AtomicFile.write(Data(text.utf8), to: path)
    }

    private func load() throws -> (Safetensors, Network, TrainingConfiguration) {
        if model.isONNX {
            let (imported, configuration) = try model.importedModel(bareClasses)
            return (imported.weights, imported.network, configuration)
        }
        let file = try Safetensors(weightsOf: model.path)
        let (network, configuration) = try makeConfiguration(file)
        return (file, network, configuration)
    }

    private func makeConfiguration(_ weights: Safetensors) throws -> (Network, TrainingConfiguration) {
        if let saved = try model.savedConfiguration(weights) {
            try bareClasses.checkThatNoneIsGiven()
            if source.data != nil || source.dataDir != nil || source.split != nil {
                throw ResinError(
                    .usage,
                    "\(model.path), or the run beside it, says what its images are; --data, --data-dir and --split "
                        + "go with --network, for a bare file of weights")
            }
            return (try model.network(of: saved), saved)
        }
        if let network = model.network, source.data == nil {
            return try model.bareModel(
                network, classNames: bareClasses.names(of: weights, from: model.path))
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
