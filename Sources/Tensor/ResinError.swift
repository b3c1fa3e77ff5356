/// What went wrong for the person who runs Resin, in words that say what to do.
///
/// A user's or a device's fault is thrown as a `ResinError`; a programmer's fault is a `precondition`.
public struct ResinError: Error, CustomStringConvertible, Equatable, Sendable {
    /// Sorts errors by who can mend them; the command line turns it into the process's exit code.
    public enum Kind: Int32, Sendable {
        case failure = 1
        /// A value became infinite or not a number.
        case notFinite = 3
        /// A wrong option, name or combination of options.
        case usage = 64
        /// A file whose content is wrong.
        case badContent = 65
        /// A file that is not there.
        case missingFile = 66
        /// No such device, or it was lost.
        case noDevice = 69
        /// A self-check failed.
        case selfCheck = 70
        /// The device's memory is too small.
        case outOfMemory = 71
        /// Writing failed.
        case cannotWrite = 74
    }

    public var kind: Kind
    /// One sentence or more: what, where, what was expected, what to do.
    public var message: String

    /// - Parameters:
    ///   - message: control characters in it, which names may have, are shown and not obeyed.
    ///   - lines: follows the message, a list or what a driver wrote; its line feeds are obeyed.
    public init(_ kind: Kind, _ message: String, lines: String = "") {
        self.kind = kind
        let escaped = lines.split(separator: "\n", omittingEmptySubsequences: false).map(\.controlsEscaped)
        self.message = message.controlsEscaped + escaped.joined(separator: "\n")
    }

    public var description: String { message }
}
