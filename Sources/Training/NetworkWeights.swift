import ResinGraph
import ResinNetworks
import ResinTensor

/// A file's weights, found for a network and checked: each of its tensors is there, of the right shape, finite.
///
/// PyTorch's files name tensors in more ways than one. A prefix common to all names is left out, as wrappers put it
/// there (`module.`, `_orig_mod.`, `model.`), DenseNet's older names become torchvision's of today, and what only
/// training uses (auxiliary classifiers, counters) is passed over.
public struct NetworkWeights: Sendable {
    /// By the network's names.
    var tensors: [String: Safetensors.Entry]
    /// How many batches each batch norm has seen, where the file says.
    private(set) var counters: [String: Int64] = [:]
    /// What was chosen, passed over or read under another name: sentences for the person who gave the file.
    public internal(set) var notes: [String]

    /// Of a parameter or statistic of the network, in the order of files.
    package func values(of name: String) -> [Float] { tensors[name]!.values }

    /// - Parameter path: the file's, for errors.
    /// - Throws: `ResinError`: `.badContent` that names the tensor that is missing, extra or of another shape, with
    ///   the likely cause where the weights are those of a network that Resin knows, or a running variance that is
    ///   negative; `.notFinite` that names the tensor that is not finite.
    public init(_ file: Safetensors, from path: String, for network: Network) throws {
        let graph = try network.makeGraph().graph
        do {
            try self.init(file, from: path, for: graph)
        } catch let error as ResinError where error.kind == .badContent {
            throw Self.explained(error, file, from: path, for: network, graph)
        }
    }

    /// The error with its likely cause, where the weights are those of a network that is known.
    static func explained(
        _ error: ResinError, _ file: Safetensors, from path: String, for network: Network, _ graph: Graph
    ) -> ResinError {
        guard let found = try? renamed(file, from: path, for: graph),
            let cause = NetworkIdentity.difference(
                between: found.tensors.mapValues(\.shape), and: graph.tensorShapes, of: network)
        else { return error }
        return ResinError(.badContent, "\(error.message). The likely cause: it holds \(cause)")
    }

    init(_ file: Safetensors, from path: String, for graph: Graph) throws {
        self = try Self(unchecked: file, from: path, for: graph)
        try check(graph.parameters.map(\.name) + graph.statistics.map(\.name), of: graph, from: path)
    }

    init(unchecked file: Safetensors, from path: String, for graph: Graph) throws {
        (tensors, counters, notes) = try Self.renamed(file, from: path, for: graph)
    }

    /// - Parameter order: the tensors that must be there.
    func check(_ order: [String], of graph: Graph, from path: String) throws {
        let shapes = graph.tensorShapes
        if let name = tensors.keys.filter({ shapes[$0] == nil }).min() {
            throw ResinError(
                .badContent, "\(path): tensor '\(tensors[name]!.name)' does not belong to this network")
        }
        for name in order {
            let shape = shapes[name]!
            guard let entry = tensors[name] else {
                throw ResinError(
                    .badContent,
                    "\(path): tensor '\(name)' of shape \(shape) is missing; the file is incomplete, or of another "
                        + "network")
            }
            guard entry.shape == shape else {
                throw ResinError(
                    .badContent,
                    "\(path): tensor '\(name)' has shape \(entry.shape), but this network's has \(shape)")
            }
        }
        for name in order {
            try tensors[name]!.checkThatItIsFinite(in: path)
            if name.hasSuffix(".running_var"), let value = tensors[name]!.values.first(where: { $0 < 0 }) {
                throw tensors[name]!.damaged(in: path, "it holds variances, and one is \(value)")
            }
        }
    }

    /// The file's tensors by the network's names.
    private static func renamed(
        _ file: Safetensors, from path: String, for graph: Graph
    ) throws -> (tensors: [String: Safetensors.Entry], counters: [String: Int64], notes: [String]) {
        let known = graph.tensorShapes
        let entries = file.entries.filter { !$0.isCounter }
        for entry in file.entries where entry.isCounter {
            // Written so that it holds for what is not a number too.
            if let value = entry.values.first(where: { !($0 >= 0) }) {
                throw entry.damaged(in: path, "it counts batches, and is \(value)")
            }
        }
        let prefix = commonPrefix(entries.map(\.name), known)
        var notes = file.notes
        if !prefix.isEmpty {
            notes.append("the names in \(path) all begin with '\(prefix)', which is left out")
        }
        var tensors: [String: Safetensors.Entry] = [:]
        var auxiliary = Set<Substring>()
        for entry in entries {
            var name = String(entry.name.dropFirst(prefix.count))
            if known[name] == nil {
                name = name.inTodaysDenseNet
                if let head = auxiliaryHeads.first(where: { name.hasPrefix("\($0).") }) {
                    auxiliary.insert(head)
                    continue
                }
            }
            guard tensors.updateValue(entry, forKey: name) == nil else {
                throw ResinError(
                    .badContent, "\(path): two tensors are '\(name)', '\(entry.name)' one of them; keep one")
            }
        }
        if !auxiliary.isEmpty {
            notes.append(
                "\(path): the auxiliary classifiers \(auxiliary.sorted().joined(separator: ", ")), which only training "
                    + "uses, are left out")
        }
        let counters = file.entries.compactMap { entry -> (String, Int64)? in
            guard case .int64(let values) = entry.contents, values.count == 1, entry.isCounter else {
                return nil
            }
            return (String(entry.name.dropFirst(prefix.count)), values[0])
        }
        return (tensors, Dictionary(counters) { first, _ in first }, notes)
    }

    /// What all names begin with, whole components, as far as leaving it out gives the most names that are known.
    private static func commonPrefix(_ names: [String], _ known: [String: [Int]]) -> String {
        guard let first = names.first else { return "" }
        var candidates = [""]
        // Wrappers are few, and each candidate is tried with all names.
        for component in first.split(separator: ".", omittingEmptySubsequences: false).dropLast().prefix(8) {
            let longer = candidates.last! + component + "."
            guard names.allSatisfy({ $0.hasPrefix(longer) }) else { break }
            candidates.append(longer)
        }
        func matches(_ prefix: String) -> Int {
            names.count { known[String($0.dropFirst(prefix.count)).inTodaysDenseNet] != nil }
        }
        // The first of equals, which is the shortest.
        return candidates.map { ($0, matches($0)) }.reduce(("", -1)) { $1.1 > $0.1 ? $1 : $0 }.0
    }

    /// As torchvision calls them in GoogLeNet and Inception v3.
    private static let auxiliaryHeads: [Substring] = ["aux1", "aux2", "AuxLogits"]
}

extension Safetensors.Entry {
    /// Batch norm's number of batches, and that of the models in PyTorch's `AveragedModel`: nothing here needs them.
    fileprivate var isCounter: Bool { name.hasSuffix(".num_batches_tracked") || name == "n_averaged" }

    fileprivate func damaged(in path: String, _ reason: String) -> ResinError {
        ResinError(
            .badContent,
            "\(path): tensor '\(name)' is damaged: \(reason); take another copy of the file, or another checkpoint"
        )
    }

    /// - Throws: `ResinError(.notFinite)` that names the tensor and the element.
    package func checkThatItIsFinite(in path: String) throws {
        if isFinite { return }
        let place = values.firstIndex { !$0.isFinite }!
        throw ResinError(
            .notFinite,
            "\(path): tensor '\(name)' is not finite: element \(place) is \(values[place]); the training diverged, or "
                + "the file is damaged: take another checkpoint")
    }
}

extension String {
    /// torchvision's older files have `denselayer1.norm.1.weight` where today's have `denselayer1.norm1.weight`.
    fileprivate var inTodaysDenseNet: String {
        replacing(#/(denselayer\d+\.(?:norm|relu|conv))\.([12])\./#) { "\($0.output.1)\($0.output.2)." }
    }
}
