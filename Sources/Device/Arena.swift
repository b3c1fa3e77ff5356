import ResinOpenCL
import ResinPlan
import ResinTensor

/// The memory in which all of an executor's plans place their values: one buffer, or several where one allocation may not
/// have it all, as on NVIDIA's devices, which give away a quarter of their memory at a time.
struct Arena {
    let byteCount: Int
    private let pieceByteCount: Int
    private let pieces: [Buffer]

    /// Room for a plan.
    init(_ plan: Plan, _ context: Context) throws {
        byteCount = plan.arenaByteCount
        pieceByteCount = plan.pieceByteCount
        pieces = try stride(from: 0, to: plan.arenaByteCount, by: plan.pieceByteCount).map {
            try Buffer(
                context: context, byteCount: min(plan.pieceByteCount, plan.arenaByteCount - $0))
        }
    }

    /// The buffer that holds what lies at an offset, and where in it.
    func location(_ offset: Int) -> (Buffer, offset: Int) {
        (pieces[offset / pieceByteCount], offset % pieceByteCount)
    }

    func part(at offset: Int, byteCount: Int) throws -> Buffer {
        let (piece, offset) = location(offset)
        return try piece.subBuffer(offset: offset, byteCount: byteCount)
    }

    /// Not a number, everywhere.
    func spoil(_ queue: Queue) throws {
        for piece in pieces { try queue.fill(piece, byte: 0xFF) }
    }
}
