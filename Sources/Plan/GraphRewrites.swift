import ResinGraph

/// What an executor wants made of a graph before it is planned, beside the fusion that all want.
package struct GraphRewrites: Hashable, Sendable {
    /// See `Graph.takingOnlyTaps`.
    package var takesOnlyTaps = false
    /// See `Graph.joiningLoss`.
    package var joinsLoss = false
    /// Channels from which on a convolution or pooling takes its activation's exponentials itself: whole vectors are
    /// computed. Measured on a CPU with LeNet's first layer, of 6 channels: vectors of 16 would be computed for them, where a
    /// launch of its own takes them one behind the other.
    package var leastExponentialChannels = 16

    package init() {}
}

extension Graph {
    func rewritten(_ rewrites: GraphRewrites) -> Graph {
        let joined = rewrites.joinsLoss ? joiningLoss() : self
        let fused = joined.joiningPads().splittingAtOnce().fused(
            leastExponentialChannels: rewrites.leastExponentialChannels)
        return rewrites.takesOnlyTaps ? fused.takingOnlyTaps() : fused
    }
}
