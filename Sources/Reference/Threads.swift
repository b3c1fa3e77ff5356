import ResinTensor

/// Splits 0 ..< `count` into ranges of `size`, the last one shorter, and runs them on all processors.
func concurrently(_ count: Int, inRangesOf size: Int, _ work: (Range<Int>) -> Void) {
    concurrently((count + size - 1) / size) { index in
        work(index * size..<min(index * size + size, count))
    }
}

/// Elements that one call of an element-wise operator's work takes: large against the cost of a call. A
/// multiple of four, for the four random words of a counter.
let elementwiseRange = 16384

/// `count` accumulators that hold zero.
func withAccumulators(_ count: Int, _ body: (UnsafeMutableBufferPointer<Double>) -> Void) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { accumulators in
        accumulators.initialize(repeating: 0)
        body(accumulators)
    }
}

/// sums[i] += factor · row[i].
@inline(__always)
func accumulate(
    _ factor: Float, _ row: UnsafeMutablePointer<Float>, into sums: UnsafeMutablePointer<Double>, count: Int
) {
    let factor = Double(factor)
    for index in 0..<count { sums[index] += factor * Double(row[index]) }
}
