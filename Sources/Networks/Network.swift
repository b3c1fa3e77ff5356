import ResinGraph
import ResinTensor

/// A network that sorts images into classes: its layers, and the images they are for.
///
///     let network = Network("small", input: ImageShape(channels: 1, side: 28), classes: 10) {
///         Convolution2D(32, kernel: 3, padding: 1)
///         ReLU()
///         MaxPool2D(kernel: 2)
///         for channels in [64, 128] {
///             Residual(channels, stride: 2, usesProjection: true)
///         }
///         GlobalAveragePool2D()
///         Dense(10)
///     }
///     print(try network.summary().table())
///
/// A network is a description: whether the layers fit the input shows when a graph or a summary is made.
public struct Network: Sendable {
    public var name: String
    public var input: ImageShape
    /// Number of features the last layer has to give.
    public var classCount: Int
    public var layers: Sequential
    /// Names of parameters that training leaves as they are; see `freezing`.
    public internal(set) var frozenParameters: Set<String> = []
    /// The same network for other images and classes; nil where it is one's own.
    var remake: (@Sendable (ImageShape, _ classes: Int) throws -> Network)?
    /// Stands for the layers where they are not one after another.
    private var root: (any Layer)?

    public init(
        _ name: String = "network", input: ImageShape, classes: Int,
        @LayerBuilder layers: () -> [any Layer]
    ) {
        precondition(classes > 0, "a network has at least one class")
        self.name = name
        self.input = input
        self.classCount = classes
        self.layers = Sequential(layers())
    }

    /// A network of one layer, whose own layers are called as it calls them.
    ///
    /// - Parameter remake: makes the same for other images and classes.
    package init(
        _ name: String, input: ImageShape, classes: Int, root: any Layer,
        remake: @escaping @Sendable (ImageShape, _ classes: Int) throws -> Network
    ) {
        self.init(name, input: input, classes: classes) {}
        self.root = root
        self.remake = remake
    }

    /// Shapes, parameters and multiply-adds, layer by layer, for one image.
    ///
    /// - Throws: `ResinError(.usage)` that names the layer that does not fit.
    public func summary() throws -> NetworkSummary { NetworkSummary(of: self, try makeGraph()) }

    /// The network's forward pass behind an input; what a trainer needs besides, it adds itself.
    ///
    /// - Parameters:
    ///   - batch: number of images.
    ///   - mode: which form the layers take; the parameters are the same.
    ///   - makeInput: adds the images, `[batch, height, width, channels]`, to an empty graph.
    /// - Throws: `ResinError(.usage)` that names the layer that does not fit and, when the images are too
    ///   small, gives the smallest that are not; whatever `makeInput` throws.
    package func makeGraph(
        batch: Int, mode: NetworkScope.Mode, input makeInput: (inout Graph) throws -> ValueID
    ) throws -> NetworkGraph {
        var graph = Graph()
        let images = try makeInput(&graph)
        let shape = graph.shape(of: images)
        guard shape == input.batch(of: batch) else {
            throw ResinError(
                .usage, "network '\(name)' takes images of \(input), but these are \(ImageShape(shape))")
        }
        do {
            return try makeGraph(behind: images, in: graph, mode: mode)
        } catch let error as ResinError where error.kind == .usage {
            guard let side = smallestFittingSide else { throw error }
            let smallest = ImageShape(channels: input.channels, side: side)
            throw ResinError(
                .usage, "\(error.message); the smallest square input that fits is \(smallest)")
        }
    }

    /// The same behind a plain value, for shapes, checkpoints and tests.
    package func makeGraph(batch: Int = 1, mode: NetworkScope.Mode = .inference) throws -> NetworkGraph {
        try makeGraph(batch: batch, mode: mode) { $0.addPlainImages(input.batch(of: batch)) }
    }

    private func makeGraph(
        behind images: ValueID, in graph: Graph, mode: NetworkScope.Mode
    ) throws -> NetworkGraph {
        var scope = NetworkScope(graph: graph, mode: mode, frozen: frozenParameters)
        let logits = try (root ?? layers).apply(to: images, in: &scope)
        let shape = scope.shape(of: logits)
        guard shape.rank == 2 else {
            throw ResinError(
                .usage,
                "network '\(name)' ends in images of \(ImageShape(shape)), not in \(classCount) classes; "
                    + "end it with GlobalAveragePool2D(), or Flatten() and Dense(\(classCount))")
        }
        guard shape.channels == classCount else {
            throw ResinError(
                .usage, "network '\(name)' gives \(shape.channels) numbers an image for \(classCount) classes"
            )
        }
        return NetworkGraph(
            graph: scope.graph, images: images, logits: logits, activations: scope.activations,
            entries: scope.entries)
    }

    /// The smallest square image that the layers take; nil when none up to 1024 pixels does, or when it is
    /// not the size that is wrong.
    private var smallestFittingSide: Int? {
        func fits(_ shape: ImageShape) -> Bool {
            var graph = Graph()
            let images = graph.addPlainImages(shape.batch(of: 1))
            return (try? makeGraph(behind: images, in: graph, mode: .inference)) != nil
        }
        if fits(input) { return nil }
        return (1...1024).first { fits(ImageShape(channels: input.channels, side: $0)) }
            .flatMap { $0 > min(input.height, input.width) ? $0 : nil }
    }
}

/// A network's forward pass, and where in it one finds what.
package struct NetworkGraph: Sendable {
    /// A ReLU's output, for probes of dead channels.
    package struct Activation: Hashable, Sendable {
        /// The ReLU's dotted name.
        package var layer: String
        package var value: ValueID
    }

    package var graph: Graph
    package var images: ValueID
    /// `[batch, classes]`, before the softmax.
    package var logits: ValueID
    /// In the order of application.
    package var activations: [Activation]
    /// What each layer and block gave, in the order of application, a block before its layers.
    package var entries: [NetworkScope.Entry]
}

extension Graph {
    /// Images that come from nowhere in particular, as floating-point numbers `[N, H, W, C]`.
    fileprivate mutating func addPlainImages(_ shape: Shape) -> ValueID {
        addRegion(.images(.test), TensorType(shape))
    }
}
