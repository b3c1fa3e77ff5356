import Foundation
import Resin

/// What `--weights` names.
struct StartingFile {
    let path: String
    let content: Safetensors
    /// What the file says of its network's images; nil where it says nothing.
    let description: ModelDescription?

    /// - Parameter place: a file, or a run folder, whose best weights are taken.
    init(_ place: String) throws {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: place, isDirectory: &isFolder)
        path = exists && isFolder.boolValue ? place + "/best.safetensors" : place
        content = try Safetensors(weightsOf: path)
        description = try content.modelDescription(from: path)
    }

    /// As a configuration keeps it.
    var identity: String { URL(fileURLWithPath: path).standardizedFileURL.path }

    /// What is done with the images, where nobody has said it.
    func notes(_ configuration: TrainingConfiguration, meanIsGiven: Bool) -> [String] {
        if meanIsGiven { return [] }
        guard let description else {
            return [
                "\(path) does not say with which mean and deviation its network saw images; here they are "
                    + "\(configuration.mean) and \(configuration.standardDeviation) (--mean imagenet for "
                    + "torchvision's weights)"
            ]
        }
        guard description.mean == configuration.mean,
            description.standardDeviation == configuration.standardDeviation
        else { return [] }
        return [
            "mean \(description.mean) and deviation \(description.standardDeviation) are those of \(path)"
        ]
    }
}

extension TrainCommand {
    /// The weights to begin with, found for the network; says what was left out or adapted.
    func startingWeights(
        _ start: StartingFile?, _ network: Network, _ configuration: TrainingConfiguration
    ) throws -> NetworkWeights? {
        guard let start else { return nil }
        let weights = try NetworkWeights(
            startingFrom: start.content, from: start.path, for: network.freezing(configuration.frozen))
        for line in start.notes(configuration, meanIsGiven: mean != nil) + weights.notes {
            note("note: \(line)")
        }
        return weights
    }
}
