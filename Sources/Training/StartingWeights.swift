import ResinGraph
import ResinNetworks
import ResinTensor

extension NetworkWeights {
    /// Weights of a network that may have been for other classes or other colours, to begin training from.
    ///
    /// The classifier is left out where it is for another number of classes, or not there: it begins anew. The filter that
    /// sees the images is summed over its channels for grey images, and repeated for coloured ones from grey ones, so that a
    /// grey image gives what it gave. All else is as with other weights.
    ///
    /// - Parameter path: the file's, for errors.
    /// - Throws: as `init(_:from:for:)`; `ResinError(.usage)` where the classifier is frozen, but has to begin anew.
    public init(startingFrom file: Safetensors, from path: String, for network: Network) throws {
        let graph = try network.makeGraph().graph
        let classifier = try network.classifierParameters()
        do {
            try self.init(startingFrom: file, from: path, classifier: classifier, for: graph)
        } catch let error as ResinError where error.kind == .badContent {
            throw Self.explained(error, file, from: path, for: network, graph)
        }
        let isReplaced = classifier.contains { tensors[$0] == nil }
        if isReplaced, let name = classifier.intersection(network.frozenParameters).min() {
            throw ResinError(
                .usage,
                "'\(name)' is frozen, but \(path) has no such classifier for \(network.classCount.grouped) classes; "
                    + "leave it out of --freeze, so that it is trained")
        }
    }

    /// The names of a network's tensors that are not among these.
    func missing(from network: Network) throws -> [String] {
        let graph = try network.makeGraph().graph
        let names = graph.parameters.map(\.name) + graph.statistics.map(\.name)
        return names.filter { tensors[$0] == nil }
    }

    private init(
        startingFrom file: Safetensors, from path: String, classifier: Set<String>, for graph: Graph
    ) throws {
        try self.init(unchecked: file, from: path, for: graph)
        let shapes = graph.tensorShapes
        let order = graph.parameters.map(\.name) + graph.statistics.map(\.name)
        let found = classifier.filter { tensors[$0] != nil }
        let isAnother = classifier.contains { tensors[$0].map(\.shape) != shapes[$0] }
        // One with some of its tensors is damaged, not another.
        if isAnother, found.isEmpty || found.count == classifier.count {
            notes.append(note(onClassifier: classifier, in: graph, from: path))
            for name in classifier { tensors[name] = nil }
        }
        try adaptColours(of: graph, from: path)
        try check(
            order.filter { tensors[$0] != nil || !classifier.contains($0) || !isAnother }, of: graph,
            from: path)
    }

    private func note(onClassifier names: Set<String>, in graph: Graph, from path: String) -> String {
        let shapes = graph.tensorShapes
        let ordered = graph.parameters.map(\.name).filter(names.contains)
        let list = ordered.map { name in
            let there = tensors[name].map { "\($0.shape) there" } ?? "not there"
            return "'\(name)' (\(there), \(shapes[name]!) here)"
        }
        return "the classifier begins anew, for that of \(path) is for other classes: "
            + list.joined(separator: ", ")
    }

    /// The first filter sees the images.
    private mutating func adaptColours(of graph: Graph, from path: String) throws {
        guard let first = graph.parameters.first(where: { $0.role == .filter }),
            case .filter(let outputs, let inputs, let height, let width) = first.layout,
            let entry = tensors[first.name], entry.shape.count == 4, entry.shape[1] != inputs,
            entry.shape == [outputs, entry.shape[1], height, width], entry.shape[1] == 1 || inputs == 1
        else { return }
        let (channels, area) = (entry.shape[1], height * width)
        let values = entry.values
        var adapted = [Float](repeating: 0, count: first.layout.count)
        for output in 0..<outputs {
            for pixel in 0..<area {
                if inputs == 1 {
                    adapted[output * area + pixel] = (0..<channels).reduce(0) {
                        $0 + values[(output * channels + $1) * area + pixel]
                    }
                } else {
                    let share = values[output * area + pixel] / Float(inputs)
                    for channel in 0..<inputs { adapted[(output * inputs + channel) * area + pixel] = share }
                }
            }
        }
        tensors[first.name] = Safetensors.Entry(
            entry.name, shape: first.layout.externalShape, values: adapted)
        notes.append(
            "'\(first.name)' of \(path) is for images of \(channels) channels: its filters are "
                + (inputs == 1
                    ? "summed over them, for grey images"
                    : "repeated for \(inputs), each a share, for images in colour"))
    }
}
