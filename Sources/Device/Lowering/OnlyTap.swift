import ResinGraph
import ResinPlan
import ResinTensor

/// A pass of a convolution of images of one pixel to results of one: of a filter with more taps all but one see nothing but
/// padding, and what is left is a convolution by 1×1. ResNets end so on images of 32×32.
struct OnlyTap {
    /// The node's operator with the filter of that tap alone.
    let op: Op
    /// The filter, or its gradient, and which bytes of it are the tap's.
    let filter: ValueID
    let bytes: Range<Int>

    /// Nil where there are more pixels or fewer taps, or where a part of a buffer could not begin at the tap.
    init?(_ node: Node, in graph: Graph) {
        let (window, image, result): (Window, Shape, Shape)
        switch node.op {
        case .convolution2D(var op):
            (window, image) = (op.window, graph.shape(of: node.inputs[0]))
            (result, filter) = (graph.shape(of: node.outputs[0]), node.inputs[1])
            op.window = Window(kernel: 1)
            self.op = .convolution2D(op)
        case .convolution2DInputGradient(var op):
            (window, image) = (op.window, op.inputShape)
            (result, filter) = (graph.shape(of: node.inputs[0]), node.inputs[1])
            op.window = Window(kernel: 1)
            self.op = .convolution2DInputGradient(op)
        case .convolution2DFilterGradient(var op):
            (window, image) = (op.window, graph.shape(of: node.inputs[0]))
            (result, filter) = (graph.shape(of: node.inputs[1]), node.outputs[0])
            op.window = Window(kernel: 1)
            self.op = .convolution2DFilterGradient(op)
        default: return nil
        }
        // The result's pixel begins at −padding.
        let tap = window.padding.height * window.kernel.width + window.padding.width
        let byteCount = 4 * image.channels * result.channels
        bytes = tap * byteCount..<(tap + 1) * byteCount
        guard window.kernel.area > 1, image.height * image.width == 1, result.height * result.width == 1,
            bytes.lowerBound % FlatLayout.alignment == 0
        else { return nil }
    }
}
