/// The source's places that one place of a resampled line is made of: Pillow's bilinear filter, a triangle that reaches
/// one place of the coarser grid to each side, with weights of 22 bits.
///
/// In integers alone, so that every machine has the same: of the line's `source` places, `target` are made, and place x
/// has in place i the weight 2R − |(2x + 1)·T − (2i + 1)·S| ≥ 0, S and T for source and target and R for the larger,
/// divided by the sum of these and rounded. `Kernels/operators/image_crop.cl` holds the same.
package struct Footprint: Hashable, Sendable {
    package static let weightBits = 22

    package let range: Range<Int>
    /// The twofold distance between the first place and the centre, in units of 1 / T of a source's place.
    private let firstDistance: Int
    private let step: Int
    private let largest: Int

    package init(of place: Int, source: Int, target: Int) {
        largest = 2 * max(source, target)
        step = 2 * target
        let centre = (2 * place + 1) * source
        // Where the weight is above zero.
        let below = centre - largest - target
        let first = below < 0 ? 0 : below / step + 1
        range = first..<min((centre + largest - target + step - 1) / step, source)
        firstDistance = (2 * first + 1) * target - centre
    }

    /// In units of 2⁻²²; they add up to one, but for rounding.
    package var weights: [Int32] {
        let shares = range.indices.map { largest - abs(firstDistance + ($0 - range.lowerBound) * step) }
        let sum = shares.reduce(0, +)
        return shares.map { Int32(($0 << (Self.weightBits + 1) + sum) / (2 * sum)) }
    }

    /// A sum of bytes times weights, rounded to a byte.
    package static func byte(_ sum: Int) -> UInt8 {
        UInt8(min(max((sum + 1 << (weightBits - 1)) >> weightBits, 0), 255))
    }
}

extension ImageSample {
    /// The part of the image that the network's image is made of, where that has this size; a pixel of the box where it
    /// is made of none.
    public func neededPiece(for target: PixelSize) -> PixelBox {
        let rows = Self.needed(box.height, resized.height, windowTop, target.height)
        let columns = Self.needed(box.width, resized.width, windowLeft, target.width)
        return PixelBox(
            top: box.top + rows.lowerBound, left: box.left + columns.lowerBound, height: rows.count,
            width: columns.count)
    }

    private static func needed(_ source: Int, _ resized: Int, _ first: Int, _ count: Int) -> Range<Int> {
        let places = max(first, 0)..<max(min(first + count, resized), max(first, 0))
        if places.isEmpty { return 0..<1 }
        let beginning = Footprint(of: places.lowerBound, source: source, target: resized).range
        let end = Footprint(of: places.upperBound - 1, source: source, target: resized).range
        return beginning.lowerBound..<end.upperBound
    }
}
