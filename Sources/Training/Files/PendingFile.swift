import ResinTensor

/// A file on its way: a temporary in the target's folder, which takes the target's name in one step by
/// `place`. Whoever drops it before has changed nothing: the temporary is removed.
package struct PendingFile: ~Copyable {
    private let target: String
    private let temporary: String
    private let calls: FileCalls
    private var descriptor: Int32
    private var isPlaced = false

    package init(for target: String, calls: FileCalls) throws(ResinError) {
        self.target = target
        self.calls = calls
        var created: Int32 = -1
        do throws(FileCallFailure) {
            temporary = try TemporaryName.claim(for: target) { path throws(FileCallFailure) in
                created = try calls.create(path)
            }
        } catch {
            throw error.error(writing: target)
        }
        descriptor = created
    }

    package borrowing func append(_ bytes: UnsafeRawBufferPointer) throws(ResinError) {
        do throws(FileCallFailure) {
            try calls.write(bytes, to: descriptor, of: temporary)
        } catch {
            throw error.error(writing: target)
        }
    }

    /// Brings the content to the disk, so that a rename that survives a power failure never shows less.
    /// Nothing can be appended afterwards.
    package mutating func seal() throws(ResinError) {
        do throws(FileCallFailure) {
            try calls.synchronise(descriptor, of: temporary)
            let closing = descriptor
            descriptor = -1
            // Network file systems report a failed write only here.
            try calls.close(closing, of: temporary)
        } catch {
            throw error.error(writing: target)
        }
    }

    /// Gives a sealed file its name. The folder has still to be synchronised.
    package consuming func place() throws(ResinError) {
        precondition(descriptor < 0, "seal \(target) before it is placed")
        do throws(FileCallFailure) {
            try calls.rename(temporary, to: target)
        } catch {
            throw error.error(writing: target)
        }
        isPlaced = true
    }

    deinit {
        if descriptor >= 0 { try? calls.close(descriptor, of: temporary) }
        if !isPlaced { try? calls.remove(temporary) }
    }
}
