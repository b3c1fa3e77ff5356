/// How the operands of tensor cores come to local memory: STAGING of Kernels/gpu/tile.cl.
package enum Staging: Int, Comparable, Sendable {
    /// In the order in which they are multiplied, word by word through registers.
    case words
    /// As they lie in memory, in pieces of 16 bytes: through registers, to be taken by `ldmatrix`.
    case pieces
    /// The same, by `cp.async`.
    case asynchronousPieces

    package static func < (one: Staging, other: Staging) -> Bool { one.rawValue < other.rawValue }
}

/// The part of a matrix product that a work-group holds, with its operands in local memory (Kernels/gpu/tile.cl).
/// The sum has the same order with every tile of a kind, so the choice among them is one of speed alone.
package struct GroupTile: Hashable, Sendable {
    /// Of the result: TILE_M, TILE_N.
    package var rows, columns: Int
    /// What is summed between two barriers, in words of local memory: TILE_WORDS. A word is one operand, or on tensor cores
    /// in mixed precision two.
    package var depth: Int
    /// A work-item's share: THREAD_M, THREAD_N.
    package var itemRows, itemColumns: Int
    /// Speed against the largest tile's where both are full: a smaller tile reads more for each product.
    private var efficiency: Double
    /// Whether NVIDIA's tensor cores make the sums, from operands rounded to TF32, or of 16 bits in mixed precision: TENSOR.
    package var usesTensorCores = false

    /// The largest first. Narrow tiles are deeper, so that every work-item has something to bring.
    package static let all = [
        GroupTile(rows: 128, columns: 128, depth: 8, itemRows: 8, itemColumns: 8, efficiency: 1),
        GroupTile(rows: 128, columns: 64, depth: 8, itemRows: 8, itemColumns: 8, efficiency: 0.9),
        GroupTile(rows: 64, columns: 64, depth: 8, itemRows: 8, itemColumns: 4, efficiency: 0.75),
        GroupTile(rows: 128, columns: 32, depth: 16, itemRows: 8, itemColumns: 4, efficiency: 0.7),
        GroupTile(rows: 64, columns: 32, depth: 16, itemRows: 4, itemColumns: 4, efficiency: 0.5),
    ]

    /// The same, deeper: there is less to do for each barrier. The efficiencies are estimates from what is read from
    /// local memory for each product; no GPU has measured them.
    package static let onTensorCores = [
        GroupTile(
            rows: 128, columns: 128, depth: 16, itemRows: 8, itemColumns: 8, efficiency: 1,
            usesTensorCores: true),
        GroupTile(
            rows: 128, columns: 64, depth: 16, itemRows: 8, itemColumns: 8, efficiency: 0.9,
            usesTensorCores: true),
        GroupTile(
            rows: 64, columns: 64, depth: 16, itemRows: 4, itemColumns: 8, efficiency: 0.7,
            usesTensorCores: true),
        GroupTile(
            rows: 128, columns: 32, depth: 16, itemRows: 4, itemColumns: 8, efficiency: 0.7,
            usesTensorCores: true),
        GroupTile(
            rows: 64, columns: 32, depth: 16, itemRows: 4, itemColumns: 8, efficiency: 0.5,
            usesTensorCores: true),
    ]

    package var workItems: Int { rows / itemRows * (columns / itemColumns) }
    /// Of both operands two chunks, with the padding of tile.cl, or the two or three of tile_pieces.cl.
    func localByteCount(_ staging: Staging) -> Int {
        let padding = usesTensorCores ? 8 : 4
        let chunks =
            switch staging {
            case .words: 2 * (rows + padding + columns + padding)
            case .pieces: 2 * (rows + columns)
            case .asynchronousPieces: 3 * (rows + columns)
            }
        return 4 * depth * chunks
    }

    func definitions(_ staging: Staging) -> [(String, Int)] {
        [
            ("TILE_M", rows), ("TILE_N", columns), ("TILE_WORDS", depth), ("THREAD_M", itemRows),
            ("THREAD_N", itemColumns), ("TENSOR", usesTensorCores ? 1 : 0),
            ("STAGING", staging.rawValue),
        ] + (staging > .words && workItems == 256 ? [(Self.registers, 128)] : [])
    }

    /// The definition that says how many registers a work-item may have, where a compiler takes such an order: with 128 two
    /// groups of 256 share a multiprocessor of NVIDIA's, whose 65,536 smaller ones share without. Operands that come word by
    /// word need more.
    static let registers = "REGISTERS"

    /// What NVIDIA's compiler is told by it.
    static func registerLimit(in options: [String]) -> String? {
        options.lazy.compactMap { option in
            option.hasPrefix("-D\(registers)=")
                ? "-cl-nv-maxrregcount=" + option.dropFirst("-D\(registers)=".count) : nil
        }.first
    }

    func groups(rows: Int, columns: Int) -> Int {
        divide(rows, by: self.rows) * divide(columns, by: self.columns)
    }

    /// Work-items that keep a large GPU busy (132 multiprocessors of 512); on a smaller one more are no harm.
    static let busyWorkItems = 1 << 16

    /// The fastest tile by a simple model: sums computed, those past the edges included, by the tile's
    /// efficiency and the share of a large GPU that the groups fill.
    ///
    /// - Parameter batches: products of that size at once.
    static func best(
        of tiles: [GroupTile], rows: Int, columns: Int, batches: Int = 1, isSplit: Bool = false
    ) -> GroupTile {
        func time(_ tile: GroupTile) -> Double {
            let groups = batches * tile.groups(rows: rows, columns: columns)
            let filled = isSplit ? 1 : min(Double(groups * tile.workItems) / Double(busyWorkItems), 1)
            return Double(groups * tile.rows * tile.columns) / (tile.efficiency * filled)
        }
        return tiles.min { time($0) < time($1) }!
    }
}

/// Floats that one load may bring: addresses are multiples of 16 bytes where counts of channels are of 4.
func loadWidth(channels: Int) -> Int { channels % 4 == 0 ? 4 : 1 }
