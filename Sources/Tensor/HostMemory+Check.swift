extension HostMemory {
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
        let have = availableByteCount
        guard need > have else { return }
        throw ResinError(
            .outOfMemory,
            "\(purpose): needs \(need.megabytes) of the machine's memory, of which \(have.megabytes) are left; "
                + advice)
    }
}
