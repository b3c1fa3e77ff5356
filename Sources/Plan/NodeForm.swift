import ResinGraph

/// How an executor makes a node: chosen once, when the plan is made, and kept with it.
package protocol NodeForm: Sendable {
    /// The algorithm, where there are several; else empty.
    var name: String { get }
    /// When that one is chosen, and why.
    var reason: String { get }
    /// Scratch memory that the node needs in the arena.
    var workspaceByteCount: Int { get }
    /// Memory in the arena that is filled for it before the first node that has any, and is its own until it has run.
    var preparedByteCount: Int { get }
    /// Whether it can write the node's first output among another value's channels (`Plan.channelViews`).
    var writesChannelViews: Bool { get }
    /// Values that it reads at once of an input, if it can read that among another value's channels: these, and the first of
    /// the input's among them, have to be multiples of it. Nil where it cannot.
    func viewWidth(ofInput index: Int) -> Int?
    /// Whether one launch makes it and the next node: neither may overwrite what the other reads.
    var joinsNext: Bool { get }
}

extension NodeForm {
    package var joinsNext: Bool { false }
    package func viewWidth(ofInput index: Int) -> Int? { nil }
}

/// That of an executor that has no choice and needs no more than its values.
package struct PlainForm: NodeForm {
    package var name: String { "" }
    package var reason: String { "" }
    package var workspaceByteCount = 0
    package var preparedByteCount: Int { 0 }
    package var writesChannelViews = false

    package init(workspaceByteCount: Int = 0, writesChannelViews: Bool = false) {
        self.workspaceByteCount = workspaceByteCount
        self.writesChannelViews = writesChannelViews
    }
}
