import ResinGraph
import ResinTensor

extension Graph {
    /// Convolutions of images of one pixel to results of one take the one tap that sees something else than padding: what
    /// is left of a larger filter is a convolution by 1×1. ResNets end so on images of 32×32.
    ///
    /// Not where the tap would begin at a place where no part of a buffer can.
    func takingOnlyTaps() -> Graph {
        var graph = self
        for index in nodes.indices {
            let node = nodes[index]
            let op = node.op.body.takingOnlyTap(
                inputs: node.inputs.map(shape), outputs: node.outputs.map(shape),
                alignment: FlatLayout.alignment)
            if let op { graph.nodes[index].op = op }
        }
        return graph
    }
}
