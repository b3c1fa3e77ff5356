import ResinTensor

/// What steps make their images from: all that a plan needs to know of a set.
package enum StepInput: Hashable, Sendable {
    /// Images of one size, all on the device: `[images, height, width, channels]`.
    case uniform(Shape)
    /// Images of one size, of which a ring for a few steps lies on the device: the ring's shape, and images of the set.
    case ring(Shape, count: Int)
    case photographs(PhotographPlan)

    /// Images of the set.
    package var count: Int {
        switch self {
        case .uniform(let shape): shape.images
        case .ring(_, let count): count
        case .photographs(let plan): plan.count
        }
    }

    /// On the device.
    package var byteCount: Int {
        switch self {
        // Pixels, labels and order.
        case .uniform(let shape), .ring(let shape, _): shape.count + 4 * shape.images + 4 * shape.images
        case .photographs(let plan): plan.byteCount + plan.samplesByteCount
        }
    }

    /// On the host, on the way to the device.
    package var stagingByteCount: Int {
        switch self {
        case .uniform: 0
        // Pixels and labels.
        case .ring(let shape, _): shape.count + 4 * shape.images
        case .photographs(let plan): plan.stagingByteCount
        }
    }
}
