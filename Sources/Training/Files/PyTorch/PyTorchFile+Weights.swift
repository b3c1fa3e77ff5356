import ResinTensor

extension PyTorchFile {
    /// Where trainers keep weights, in the order in which they are taken. Averaged ones come first, for they
    /// are what such a training is evaluated by and what is published of it: `best.safetensors` of a run with
    /// `--ema` is of them, and timm's loader takes them, too.
    static let keysOfWeights =
        ["state_dict_ema", "model_ema", "ema", "state_dict", "model_state_dict", "model", "net", "module"]

    /// The tensors of a `state_dict`, or of the one that a trainer's checkpoint has among other things, with
    /// notes on which that was and on what is no tensor in it.
    ///
    /// - Throws: `ResinError(.badContent)` that names the file and what is wrong or missing.
    func weights(in file: borrowing ReadableFile) throws -> Safetensors {
        guard case .dictionary(let top) = root else {
            throw ResinError(
                .badContent,
                "\(path) holds \(root.kind), expected a dictionary of tensors: save model.state_dict()")
        }
        let (place, note) = chosen(in: top)
        var entries: [(name: String, tensor: PickledTensor)] = []
        var indices: [String: Int] = [:]
        var others: [PickleValue] = []
        for (key, value) in objects.dictionaries[place] {
            guard case .text(let name) = key, case .tensor(let tensor) = value else {
                others.append(key)
                continue
            }
            guard name.utf8.count <= Self.longestName else {
                throw ResinError(
                    .badContent,
                    "\(path): a tensor's name has \(name.utf8.count) bytes, of \(Self.longestName) at most: "
                        + "\(name.prefix(100))")
            }
            if let index = indices[name] {
                entries[index].tensor = objects.tensors[tensor]
            } else {
                indices[name] = entries.count
                entries.append((name, objects.tensors[tensor]))
            }
        }
        guard !entries.isEmpty else {
            throw ResinError(
                .badContent,
                "\(path) holds no weights: expected tensors by their names, on top or in one of "
                    + "\(Self.list(Self.keysOfWeights.map { .text($0) })); found \(Self.list(others))")
        }
        guard entries.count <= Self.mostTensors else {
            throw ResinError(
                .badContent,
                "\(path) has \(entries.count.grouped) tensors, of \(Self.mostTensors.grouped) at most; "
                    + "networks have some thousands")
        }
        // Tied weights are in a file once, and in a network twice.
        var bytesLeft = 4 * min(file.byteCount, Int.max / 4)
        var weights = Safetensors()
        for (name, tensor) in entries {
            weights.entries.append(try entry(name, tensor, in: file, bytesLeft: &bytesLeft))
        }
        if let note { weights.notes.append(note) }
        if !others.isEmpty {
            weights.notes.append("\(path): \(Self.list(others)), no tensors, are passed over")
        }
        return weights
    }

    private static let longestName = 1_000
    /// So many names are looked up in a network in a moment.
    private static let mostTensors = 20_000

    private static func list(_ keys: [PickleValue]) -> String {
        guard !keys.isEmpty else { return "nothing" }
        let names = keys.prefix(8).map { key in
            if case .text(let name) = key { "'\(name.prefix(100))'" } else { "\(key.kind)" }
        }
        let more = keys.count > 8 ? " and \((keys.count - 8).grouped) more" : ""
        return names.joined(separator: ", ") + more
    }

    /// The dictionary whose tensors are the weights, and a note where it is not the one on top.
    private func chosen(in top: Int) -> (dictionary: Int, note: String?) {
        let all = Self.keysOfWeights.compactMap { inner($0, of: top, depth: 2) }
        guard let first = all.first else { return (top, nil) }
        let others = all.dropFirst().map { "'\($0.path)'" }
        let more = others.isEmpty ? "" : ", before \(others.joined(separator: ", "))"
        return (first.dictionary, "\(path) is a trainer's checkpoint: its '\(first.path)' is taken\(more)")
    }

    /// What lies under a key, where it is a dictionary with tensors or, wrapped once more, has one.
    private func inner(_ key: String, of dictionary: Int, depth: Int) -> (path: String, dictionary: Int)? {
        guard depth > 0, case .dictionary(let place)? = objects.value(of: key, in: dictionary) else {
            return nil
        }
        let holdsTensors = objects.dictionaries[place].contains {
            if case .tensor = $0.value { true } else { false }
        }
        if holdsTensors { return (key, place) }
        for name in Self.keysOfWeights {
            if let found = inner(name, of: place, depth: depth - 1) {
                return ("\(key).\(found.path)", found.dictionary)
            }
        }
        return nil
    }
}
