/// A launch of a plan on a device, as people and scripts see it.
package struct LaunchDescription: Hashable, Sendable {
    /// The node that it works for, by its index in the plan's graph.
    package var node: Int
    package var kernel: String
    /// What the kernel's program is built from: files of Kernels, in their order, and the compiler's options.
    package var files: [String]
    package var options: [String]
    package var global: [Int]
    package var local: [Int]
    /// Bytes of each argument that is passed by value; nil for buffers and local memory.
    package var argumentByteCounts: [Int?]

    package init(
        node: Int, kernel: String, files: [String], options: [String], global: [Int], local: [Int],
        argumentByteCounts: [Int?]
    ) {
        self.node = node
        self.kernel = kernel
        self.files = files
        self.options = options
        self.global = global
        self.local = local
        self.argumentByteCounts = argumentByteCounts
    }
}
