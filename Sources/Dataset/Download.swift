import Foundation
import ResinTensor

extension PublishedDataset {
    /// What became of one file.
    package enum FetchEvent {
        case present(path: String)
        /// From byte `offset` on: 0, or where an earlier download was broken off.
        case downloading(address: String, offset: Int)
        case fetched(path: String, byteCount: Int)
        case unpacked(folder: String)
    }

    /// Downloads the set's files by `curl` into `directory`/`name`. A file grows as `….part`, from which a
    /// download that was broken off goes on; it gets its name when its SHA-256 is the published one.
    ///
    /// - Parameter base: the address of the folder that holds the files, in place of the publisher's.
    /// - Throws: `ResinError`: `.failure` where the download fails, `.missingFile` where the server has no
    ///   such file, `.badContent` where what came, or what is there already, is not the published file;
    ///   `.cannotWrite`.
    package func fetch(
        into directory: String, from base: String? = nil, report: (FetchEvent) throws -> Void = { _ in }
    ) throws {
        let folder = directory + "/" + name
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ResinError(
                .cannotWrite, "cannot make the folder \(folder); check the path and the permissions.")
        }
        let base = base ?? address
        for file in files {
            let path = try fetch(
                file, into: folder, from: base.hasSuffix("/") ? base : base + "/", report: report)
            if format == .cifar10 {
                try unpack(path, in: folder)
                try report(.unpacked(folder: folder + "/" + CIFAR10.folderName))
            }
        }
    }

    private func fetch(
        _ file: File, into folder: String, from base: String, report: (FetchEvent) throws -> Void
    ) throws -> String {
        let stem = file.name.hasSuffix(".gz") ? String(file.name.dropLast(3)) : file.name
        if let path = Format.find(stem, in: folder) {
            guard try file.check(path) != .other else {
                throw ResinError(
                    .badContent,
                    "\(path): is there, but is not the published file; move it away to fetch that one, or keep "
                        + "it ('resin datasets verify \(name)' looks at what is in it).")
            }
            try report(.present(path: path))
            return path
        }
        let path = folder + "/" + file.name
        let part = path + ".part"
        if Self.byteCount(of: part) > 0, try file.check(part) != .other {
            // Broken off between the last byte and the new name.
        } else {
            let kept = Self.byteCount(of: part)
            // A rest that is as long as the file, and not it, is of something else.
            let offset = kept < file.largestByteCount ? kept : 0
            func download(from offset: Int) throws -> Bool {
                try report(.downloading(address: base + file.name, offset: offset))
                return try self.download(
                    base + file.name, to: part, from: offset, limit: file.largestByteCount)
                    && file.check(part) != .other
            }
            var isRight = try download(from: offset)
            // What was there before may have been of something else, or the server may not go on in the
            // middle.
            if !isRight && offset > 0 { isRight = try download(from: 0) }
            guard isRight else {
                let sum = try Checksum.ofFile(part)
                try? FileManager.default.removeItem(atPath: part)
                throw ResinError(
                    .badContent,
                    "\(base + file.name): SHA-256: expected \(file.bytes.sha256), found \(sum); what came is not the "
                        + "published file and was thrown away. Try again, or another --url.")
            }
        }
        try place(part, as: path, in: folder)
        try report(.fetched(path: path, byteCount: Self.byteCount(of: path)))
        return path
    }

    private static func byteCount(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Appends what the address holds from `offset` on; false where the server cannot go on there. Nothing
    /// beyond `limit` bytes is stored, and a server that sends more has something else.
    private func download(
        _ address: String, to part: String, from offset: Int, limit: Int
    ) throws -> Bool {
        // Non-blocking: a named pipe would otherwise wait for its reader.
        let descriptor = open(
            part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | (offset == 0 ? O_TRUNC : O_APPEND), 0o666)
        guard descriptor >= 0 else { throw cannotWrite(part) }
        defer { close(descriptor) }
        var left = limit - offset
        let outcome = try ChildProgram.curl.run(
            [
                "--fail", "--location", "--silent", "--show-error", "--connect-timeout", "30",
                // A line that has gone dead ends the download, which can then be taken up again.
                "--speed-limit", "100", "--speed-time", "60",
            ] + (offset > 0 ? ["--continue-at", String(offset)] : []) + ["--", address],
            output: { bytes in
                left -= bytes.count
                guard left >= 0 else {
                    try? FileManager.default.removeItem(atPath: part)
                    throw ResinError(
                        .badContent,
                        "\(address): the server sends more than \(limit) bytes, and so not the published file; what "
                            + "came was thrown away. Try again, or another --url.")
                }
                var written = 0
                while written < bytes.count {
                    let count = write(descriptor, bytes.baseAddress! + written, bytes.count - written)
                    if count < 0 && errno == EINTR { continue }
                    guard count >= 0 else { throw cannotWrite(part) }
                    written += count
                }
            })
        switch outcome.code {
        case 0:
            guard fsync(descriptor) == 0 else { throw cannotWrite(part) }
            return true
        // No ranges there, or the file ends before: start anew.
        case 33, 36: return false
        case 22 where offset > 0: return false
        case 22:
            try? FileManager.default.removeItem(atPath: part)
            throw ResinError(
                .missingFile,
                "\(address): the server does not give it (\(outcome.complaint)); try another --url.")
        default:
            let left = Self.byteCount(of: part)
            if left == 0 { try? FileManager.default.removeItem(atPath: part) }
            throw ResinError(
                .failure,
                "\(address): the download failed (\(outcome.complaint)); "
                    + (left > 0
                        ? "\(left) bytes are kept, run the command again to go on from there." : "try again.")
            )
        }
    }

    private func place(_ part: String, as path: String, in folder: String) throws {
        guard rename(part, path) == 0 else { throw cannotWrite(path) }
        // The name is durable when the folder is.
        let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw cannotWrite(path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw cannotWrite(path) }
    }

    private func cannotWrite(_ path: String) -> ResinError {
        ResinError(
            .cannotWrite,
            "cannot write \(path): \(String(cString: strerror(errno))); free space, or check the permissions."
        )
    }

    /// Into a folder beside, which gets its name when all is there.
    private func unpack(_ archive: String, in folder: String) throws {
        let target = folder + "/" + CIFAR10.folderName
        let names = CIFAR10.trainNames + CIFAR10.testNames
        if names.allSatisfy({ FileManager.default.fileExists(atPath: target + "/" + $0) }) { return }
        let temporary = folder + "/.unpacking"
        try? FileManager.default.removeItem(atPath: temporary)
        do {
            try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
        } catch {
            throw cannotWrite(temporary)
        }
        defer { try? FileManager.default.removeItem(atPath: temporary) }
        let outcome = try ChildProgram.tar.run(["-xzf", archive, "-C", temporary, "--no-same-owner"])
        let unpacked = temporary + "/" + CIFAR10.folderName
        let isComplete = names.allSatisfy { FileManager.default.fileExists(atPath: unpacked + "/" + $0) }
        let fault = outcome.complaint.isEmpty ? "files are missing in it" : outcome.complaint
        guard outcome.code == 0, isComplete else {
            throw ResinError(
                .failure,
                "\(archive): cannot be unpacked (\(fault)); move it away and fetch it again."
            )
        }
        try? FileManager.default.removeItem(atPath: target)
        guard rename(unpacked, target) == 0 else { throw cannotWrite(target) }
    }
}
