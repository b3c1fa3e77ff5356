// `stdout` is a variable that nobody sets.
@preconcurrency import Foundation
import Resin

/// What happens where nobody reads what the program writes, or it has nowhere to go.
enum StandardStreams {
    /// To be called first.
    static func prepare() {
        // Writing to a pipe that nobody reads any more is an error like others, and ends no training.
        signal(SIGPIPE, SIG_IGN)
        // A stream that is closed would give its number to the next file that is opened, and get its text
        // into it.
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) == -1 {
            _ = open("/dev/null", O_RDWR)
        }
    }

    /// Writes out what waits in standard output's buffer: a full disk behind it shows here.
    static func finish() throws {
        let isWritten = fflush(nil) == 0
        if isWritten && ferror(stdout) == 0 || isAbandoned(STDOUT_FILENO) { return }
        throw ResinError(
            .cannotWrite, "cannot write the result to standard output; is the disk behind it full?")
    }

    /// Whether it is a pipe whose reader has left, such as `head`, or a terminal that was closed.
    private static func isAbandoned(_ stream: Int32) -> Bool {
        var request = pollfd(fd: stream, events: Int16(POLLOUT), revents: 0)
        return poll(&request, 1, 0) == 1 && Int32(request.revents) & (POLLERR | POLLHUP) != 0
    }
}

/// Prints a value as JSON to standard output.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // JSON knows no such numbers; a loss may be one.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Prints a line of progress or diagnosis to standard error.
func note(_ line: String) {
    writeToStandardError(line + "\n")
}

/// What cannot be written there, because the disk behind it is full or nobody reads it, is lost: that ends no
/// training.
func writeToStandardError(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
}
