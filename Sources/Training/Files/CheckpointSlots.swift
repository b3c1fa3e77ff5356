/// The checkpoint files that lie in a run folder, by slot: 0 is `last`, n is `last.n`. Holds the step of
/// every file that is whole.
struct CheckpointSlots {
    enum Part: String, CaseIterable {
        // The order in which they are placed: weights last, for they are what other programs look at.
        case optimizer = ".optimizer.safetensors"
        case weights = ".safetensors"
    }

    /// Where the two files of a checkpoint lie; a crash can leave them in different slots.
    struct Pair: Equatable {
        var step: Int
        var weights: Int
        var optimizer: Int
    }

    private var steps: [Part: [Int: Int]] = [.optimizer: [:], .weights: [:]]
    /// All slots of which a file exists, whole or not.
    private(set) var occupied: Set<Int> = []

    init(in folder: String) {
        for name in FileCalls.names(in: folder) {
            guard let (slot, part) = Self.place(ofFile: name) else { continue }
            occupied.insert(slot)
            guard let metadata = try? Safetensors.metadata(of: folder + "/" + name) else { continue }
            steps[part]![slot] = Checkpoint.step(in: metadata)
        }
    }

    static func fileName(_ slot: Int, _ part: Part) -> String {
        (slot == 0 ? "last" : "last.\(slot)") + part.rawValue
    }

    static func place(ofFile name: String) -> (slot: Int, part: Part)? {
        for part in Part.allCases where name.hasSuffix(part.rawValue) {
            let stem = name.dropLast(part.rawValue.count)
            if stem == "last" { return (0, part) }
            guard stem.hasPrefix("last."), let slot = Int(stem.dropFirst(5)), slot > 0,
                name == fileName(slot, part)
            else { continue }
            return (slot, part)
        }
        return nil
    }

    func isConsistent(_ slot: Int) -> Bool {
        steps[.weights]![slot] != nil && steps[.weights]![slot] == steps[.optimizer]![slot]
    }

    /// All files that belong together, highest step first; of one step, those in one slot, the newest, first.
    var pairs: [Pair] {
        var pairs: [Pair] = []
        for (weights, step) in steps[.weights]! {
            for (optimizer, other) in steps[.optimizer]! where other == step {
                pairs.append(Pair(step: step, weights: weights, optimizer: optimizer))
            }
        }
        func order(_ pair: Pair) -> (Int, Int, Int, Int) {
            (-pair.step, pair.weights == pair.optimizer ? 0 : 1, pair.weights, pair.optimizer)
        }
        return pairs.sorted { order($0) < order($1) }
    }
}
