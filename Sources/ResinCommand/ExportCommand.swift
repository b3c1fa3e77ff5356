import ArgumentParser
import Resin

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a network with its weights for other programs (ONNX).",
        discussion: """
            The model takes float32 images N×channels×height×width, normalised as the network saw them, and
            gives logits N×classes; N is any number. Its metadata hold the names of classes and how images
            come to the network, as in files of weights here. A bare file of weights needs --network, and
            --classes or --labels with --mean.
            """)

    @OptionGroup var model: CheckpointArguments
    @OptionGroup var bareClasses: BareClassOptions
    @Option(help: ArgumentHelp("The file to write.", valueName: "file.onnx"))
    var onnx: String
    @Option(
        help: ArgumentHelp(
            "The version of ONNX's operators, \(ONNXExport.opsets.lowerBound) to "
                + "\(ONNXExport.opsets.upperBound) (default: 17).", valueName: "n"))
    var opset: Int?
    @Flag(help: "Fold each batch norm into the convolution before it.")
    var foldNorms = false

    func run() throws {
        let opset = try bounded("--opset", opset ?? 17, ONNXExport.opsets)
        try AtomicFile.check(onnx)
        let file = try Safetensors(weightsOf: model.path)
        let (network, configuration) = try makeConfiguration(file)
        let weights = try model.weights(file, for: network)
        let export = try ONNXExport(
            of: network, weights: weights, configuration, opset: opset, foldsNorms: foldNorms)
        try export.write(to: onnx)
        note(
            "wrote \(onnx): \(configuration.network) for \(network.classCount.grouped) classes, opset \(opset)"
        )
    }

    private func makeConfiguration(_ weights: Safetensors) throws -> (Network, TrainingConfiguration) {
        if let saved = try model.savedConfiguration(weights) {
            try bareClasses.checkThatNoneIsGiven()
            return (try model.network(of: saved), saved)
        }
        return try model.bareModel(
            model.bareNetwork(), classNames: bareClasses.names(of: weights, from: model.path))
    }
}
