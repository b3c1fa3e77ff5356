extension HostMemory {
    /// Left to what nobody plans: libraries, drivers and their compilers, threads' stacks.
    private static let reserve = 1 << 28

    /// Bytes that may be planned with, of those available.
    package static var plannableByteCount: Int { max(availableByteCount - reserve, 0) }

    /// To be asked before much is allocated: Swift ends a program whose allocation fails.
    ///
    /// - Parameters:
    ///   - need: bytes.
    ///   - purpose: what for; begins the message.
    ///   - advice: what makes the need smaller, or the memory larger.
    /// - Throws: `ResinError(.outOfMemory)` with need and have.
    package static func check(
        _ need: Int, for purpose: String, advice: String = "free memory, or raise the limit (ulimit -v)"
    ) throws {
        let have = plannableByteCount
        guard need > have else { return }
        throw ResinError(
            .outOfMemory,
            "\(purpose): needs \(need.megabytes) of the machine's memory, of which \(have.megabytes) are left; "
                + advice)
    }
}
