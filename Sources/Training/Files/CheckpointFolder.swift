import Foundation
import ResinTensor

/// The checkpoints of a run: `last.safetensors` with `last.optimizer.safetensors`, the ones before as
/// `last.1…`, `last.2…`, and `best…`.
///
/// Whenever the process dies, `last.safetensors` is there and whole if it was before, and two files of one
/// step are found by `newestConsistent`. One process writes at a time.
public struct CheckpointFolder: Sendable {
    public let path: String
    /// Number of checkpoints kept in all, not counting the best.
    public let keep: Int
    private let calls: FileCalls

    public init(path: String, keep: Int = 2) {
        self.init(path: path, keep: keep, calls: FileCalls())
    }

    package init(path: String, keep: Int, calls: FileCalls) {
        precondition(keep >= 1, "at least one checkpoint is kept, not \(keep)")
        self.path = path
        self.keep = keep
        self.calls = calls
    }

    /// Makes `checkpoint` the last one. Throws `ResinError(.cannotWrite)`; the previous ones are then as
    /// before or, where the failure came late, still found by `newestConsistent`. A checkpoint that is not
    /// finite is `ResinError(.notFinite)` and replaces none.
    ///
    /// - Parameter clearing: removes what the folder held before a new run, once the checkpoint's content is
    ///   on the disk.
    public func save(_ checkpoint: Checkpoint, clearing: () throws -> Void = {}) throws {
        try checkThatItIsFinite(checkpoint)
        removeLeftovers()
        // The content first: a disk that is full shows before anything has moved.
        let optimizer = try pending(checkpoint.optimizer, file(0, .optimizer))
        let weights = try pending(checkpoint.weights, file(0, .weights))
        try clearing()
        try preserveNewest()
        // The old pair is durable under its new name before the old name is given away.
        try synchronise()
        try optimizer.place()
        try weights.place()
        try synchronise()
        try removeSurplus()
    }

    /// Keeps `checkpoint` as the best so far. `best.safetensors` is always whole; a crash just between its
    /// two renames leaves an older one beside the newer optimizer state, and `best` then finds none.
    public func saveBest(_ checkpoint: Checkpoint) throws {
        try checkThatItIsFinite(checkpoint)
        removeLeftovers()
        let optimizer = try pending(checkpoint.optimizer, bestFile(.optimizer))
        let weights = try pending(checkpoint.weights, bestFile(.weights))
        try optimizer.place()
        try weights.place()
        try synchronise()
    }

    private func checkThatItIsFinite(_ checkpoint: Checkpoint) throws {
        guard let name = checkpoint.firstNotFinite else { return }
        throw ResinError(
            .notFinite,
            "tensor '\(name)' is not finite after step \(checkpoint.step): this checkpoint is not kept, and those "
                + "in \(path) stay. Train anew with a smaller --lr or another --init")
    }

    /// The checkpoint of the highest step of which both files are whole; `nil` where there is none. Temporary
    /// and torn files are passed over. Throws `ResinError(.badContent)` where there is none but a last one that
    /// is not whole.
    public func newestConsistent() throws -> Checkpoint? {
        var failure: (any Error)?
        for pair in CheckpointSlots(in: path).pairs {
            do {
                return try Checkpoint(
                    weights: file(pair.weights, .weights), optimizer: file(pair.optimizer, .optimizer))
            } catch {
                // A file can still be unreadable where its header is whole: a bad disk.
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        // No crash leaves a last checkpoint without a whole one: its files say what has happened to them.
        let names = CheckpointSlots.Part.allCases.map { file(0, $0) }
        guard names.allSatisfy({ FileManager.default.fileExists(atPath: $0) }) else { return nil }
        return try Checkpoint(weights: file(0, .weights), optimizer: file(0, .optimizer))
    }

    /// What `newestConsistent` has in the metadata of the optimizer's file, without reading the tensors.
    func newestMetadata() throws -> [String: String]? {
        guard let pair = CheckpointSlots(in: path).pairs.first else { return nil }
        return try Safetensors.metadata(of: file(pair.optimizer, .optimizer))
    }

    /// The best checkpoint; `nil` where its two files are not there, not whole or not of one step.
    public func best() -> Checkpoint? {
        try? Checkpoint(weights: bestFile(.weights), optimizer: bestFile(.optimizer))
    }

    /// Whether a file of that name is one of a checkpoint's.
    static func owns(_ name: String) -> Bool {
        CheckpointSlots.place(ofFile: name) != nil
            || CheckpointSlots.Part.allCases.contains { name == "best" + $0.rawValue }
    }

    private func file(_ slot: Int, _ part: CheckpointSlots.Part) -> String {
        path + "/" + CheckpointSlots.fileName(slot, part)
    }

    private func bestFile(_ part: CheckpointSlots.Part) -> String { path + "/best" + part.rawValue }

    private func pending(_ content: Safetensors, _ target: String) throws -> PendingFile {
        var pending = try PendingFile(for: target, calls: calls)
        try content.forEachChunk { try pending.append($0) }
        try pending.seal()
        return pending
    }

    private func removeLeftovers() {
        TemporaryName.removeLeftovers(in: path, calls: calls, isOwn: RunFolder.owns)
    }

    private func synchronise() throws {
        do throws(FileCallFailure) {
            try calls.synchroniseFolder(path)
        } catch {
            throw error.error(writing: path)
        }
    }

    /// Gives the newest checkpoint names outside slot 0, which is about to be overwritten.
    private func preserveNewest() throws {
        let slots = CheckpointSlots(in: path)
        guard let newest = slots.pairs.first else { return }
        switch (newest.weights, newest.optimizer) {
        case (0, 0):
            // Even where one is kept, it needs a second place until the new one is complete.
            for slot in stride(from: max(keep, 2) - 1, through: 1, by: -1) where slots.isConsistent(slot - 1)
            {
                try preserve(slot - 1, .optimizer, in: slot)
                try preserve(slot - 1, .weights, in: slot)
            }
        // A crash left slot 0 mixed. Moving it down whole would overwrite the good pair in slot 1, so only
        // the half that the newest pair needs moves, and nothing where the pair lies further down.
        case (0, _): try preserve(0, .weights, in: 1)
        case (_, 0): try preserve(0, .optimizer, in: 1)
        default: break
        }
    }

    /// Gives the content of one slot's file a second name, in one step, by a hard link.
    private func preserve(_ slot: Int, _ part: CheckpointSlots.Part, in other: Int) throws {
        let source = file(slot, part)
        let target = file(other, part)
        do throws(FileCallFailure) {
            let temporary = try TemporaryName.claim(for: target) { temporary throws(FileCallFailure) in
                try calls.link(source, to: temporary)
            }
            // rename does nothing where both are already one file, and leaves the temporary; hence the
            // remove.
            defer { try? calls.remove(temporary) }
            try calls.rename(temporary, to: target)
        } catch  where error.call == .link && Self.noLinks.contains(error.code) {
            try pending(try Safetensors(contentsOf: source), target).place()
        } catch {
            throw error.error(writing: target)
        }
    }

    /// How file systems without hard links (FAT, some network and user-space ones) refuse.
    private static let noLinks: Set<Int32> = [EPERM, ENOTSUP, EOPNOTSUPP, ENOSYS, EMLINK, EXDEV]

    private func removeSurplus() throws {
        for slot in CheckpointSlots(in: path).occupied where slot >= keep {
            for part in CheckpointSlots.Part.allCases {
                do throws(FileCallFailure) {
                    try calls.remove(file(slot, part))
                } catch {
                    throw error.error(writing: file(slot, part))
                }
            }
        }
    }
}
