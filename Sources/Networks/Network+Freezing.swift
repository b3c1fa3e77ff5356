import ResinGraph
import ResinTensor

extension Network {
    /// The names of the parameters of the classifier: those whose shape the number of classes decides, such as `fc.weight`
    /// and `fc.bias`; of NiN, whose last block gives the classes, that block's.
    ///
    /// - Throws: `ResinError(.usage)` where the layers do not fit the input.
    package func classifierParameters() throws -> Set<String> {
        let graph = try makeGraph().graph
        if let other = try remake?(input, classCount + 1).makeGraph().graph {
            let shapes = other.tensorShapes
            return Set(
                graph.parameters.filter { shapes[$0.name] != $0.layout.externalShape }.map(\.name))
        }
        // Of a network of one's own nobody knows how it would be for other classes: its last layer.
        guard let last = graph.parameters.last(where: { $0.role == .filter }) else { return [] }
        let layer = last.name.layerName
        return Set(graph.parameters.map(\.name).filter { $0.layerName == layer })
    }

    /// The same network, some of whose layers keep their weights while it is trained; their batch norms use the running
    /// statistics.
    ///
    /// - Parameter layers: their names, or what their names begin with up to a dot; `backbone` is everything but the
    ///   classifier.
    /// - Throws: `ResinError(.usage)` for a name that no layer has, and where nothing is left to train.
    public func freezing(_ layers: [String]) throws -> Network {
        if layers.isEmpty { return self }
        let names = try makeGraph().graph.parameters.map(\.name)
        var frozen = frozenParameters
        for layer in layers {
            let found =
                layer == Self.backbone
                ? Set(names).subtracting(try classifierParameters())
                : Set(names.filter { $0.hasPrefix(layer + ".") })
            guard !found.isEmpty else {
                let known = names.map(\.layerName).reduce(into: [String]()) { known, name in
                    let top = name.split(separator: ".").first.map(String.init) ?? name
                    if known.last != top { known.append(top) }
                }
                let suggestion =
                    layer.nearest(among: known + [Self.backbone])
                    .map { "; did you mean '\($0)'?" } ?? ""
                throw ResinError(
                    .usage,
                    "network '\(name)' has no layer '\(layer)' with weights\(suggestion); its layers: "
                        + known.joined(separator: ", ") + "; \(Self.backbone) is all but the classifier")
            }
            frozen.formUnion(found)
        }
        guard frozen.count < names.count else {
            throw ResinError(.usage, "all layers of network '\(name)' are frozen: nothing is left to train")
        }
        var network = self
        network.frozenParameters = frozen
        return network
    }

    private static let backbone = "backbone"
}

extension String {
    /// "layer1.0.conv1" of "layer1.0.conv1.weight".
    package var layerName: String { lastIndex(of: ".").map { String(self[..<$0]) } ?? "" }
}
