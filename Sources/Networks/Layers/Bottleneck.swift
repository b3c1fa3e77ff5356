import ResinGraph
import ResinTensor

/// torchvision's form of the residual block with two 3×3 convolutions (He et al., "Deep residual learning for
/// image recognition", CVPR 2016, Figure 5 left): without biases, and with batch norm on the shortcut where it is a
/// convolution, which is where channels or size change.
///
/// C×H×W → channels×⌈H / stride⌉×⌈W / stride⌉.
public struct BasicBlock: Layer {
    public var channels: Int
    public var stride: Int

    public init(_ channels: Int, stride: Int = 1) {
        self.channels = channels
        self.stride = stride
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let residual = try Sequential {
            Convolution2D(channels, kernel: 3, stride: stride, padding: 1, bias: false).named("conv1")
            BatchNorm().named("bn1")
            ReLU().named("relu1")
            Convolution2D(channels, kernel: 3, padding: 1, bias: false).named("conv2")
            BatchNorm().named("bn2")
        }.apply(to: input, in: &scope)
        return try scope.addShortcut(of: input, to: residual, stride: stride, name: "relu2")
    }
}

/// The residual block with a bottleneck (He et al., CVPR 2016, Figure 5 right): 1×1 down to `inner` channels, 3×3 with the
/// stride, as torchvision has it, 1×1 up to four times `channels`.
///
/// C×H×W → 4·channels×⌈H / stride⌉×⌈W / stride⌉.
public struct Bottleneck: Layer {
    public static let expansion = 4

    public var channels: Int
    public var inner: Int
    public var groups: Int
    public var stride: Int

    /// - Parameters:
    ///   - inner: of the narrow convolutions; nil for `channels`.
    ///   - groups: of the 3×3 convolution (Xie et al., "Aggregated residual transformations", CVPR 2017).
    public init(_ channels: Int, inner: Int? = nil, groups: Int = 1, stride: Int = 1) {
        self.channels = channels
        self.inner = inner ?? channels
        self.groups = groups
        self.stride = stride
    }

    public func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        let residual = try Sequential {
            Convolution2D(inner, kernel: 1, bias: false).named("conv1")
            BatchNorm().named("bn1")
            ReLU().named("relu1")
            Convolution2D(
                inner, kernel: 3, stride: stride, padding: 1, groups: groups, bias: false
            ).named("conv2")
            BatchNorm().named("bn2")
            ReLU().named("relu2")
            Convolution2D(Self.expansion * channels, kernel: 1, bias: false).named("conv3")
            BatchNorm().named("bn3")
        }.apply(to: input, in: &scope)
        return try scope.addShortcut(of: input, to: residual, stride: stride, name: "relu3")
    }
}

extension NetworkScope {
    /// relu(residual + shortcut): the shortcut is the input, or where the shapes differ a 1×1 convolution of it
    /// with batch norm, `downsample`.
    fileprivate mutating func addShortcut(
        of input: ValueID, to residual: ValueID, stride: Int, name: String
    ) throws -> ValueID {
        var shortcut = input
        if stride != 1 || shape(of: input) != shape(of: residual) {
            let downsample = Sequential {
                Convolution2D(shape(of: residual).channels, kernel: 1, stride: stride, bias: false)
                BatchNorm()
            }
            shortcut = try apply(downsample, to: input, name: "downsample")
        }
        let sum = try add(residual, shortcut)
        return try apply(ReLU(), to: sum, name: name)
    }
}
