import ResinGraph
import ResinTensor

/// Images enlarged by a factor, or brought to a size, by the nearest pixel or bilinearly: PyTorch's `Upsample`.
/// C×H×W → C×H′×W′.
public struct Upsample: Layer {
    public enum Target: Sendable {
        case factor(Int)
        case size(Extent)
    }

    public var target: Target
    public var method: Op.Upsampling.Method

    public init(by factor: Int, _ method: Op.Upsampling.Method = .nearest) {
        precondition(factor > 0, "images are enlarged by a whole number")
        target = .factor(factor)
        self.method = method
    }

    public init(to size: Extent, _ method: Op.Upsampling.Method = .nearest) {
        target = .size(size)
        self.method = method
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        try scope.requireImage(input, for: "upsampling")
        let image = scope.shape(of: input)
        let size =
            switch target {
            case .factor(let factor): Extent(factor * image.height, factor * image.width)
            case .size(let size): size
            }
        return try scope.apply(.upsampling(Op.Upsampling(to: size, method)), to: [input])[0]
    }
}
