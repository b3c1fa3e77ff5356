import Dispatch

/// Runs `work(0)` … `work(count − 1)` on all processors. Each writes elements of its own and sums in an order
/// of its own, so the results do not depend on the number of threads.
func concurrently(_ count: Int, _ work: (Int) -> Void) {
    if count == 1 { return work(0) }
    withoutActuallyEscaping(work) { work in
        // What the calls share, they only read, or write apart from each other.
        nonisolated(unsafe) let work = work
        DispatchQueue.concurrentPerform(iterations: count) { work($0) }
    }
}

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
