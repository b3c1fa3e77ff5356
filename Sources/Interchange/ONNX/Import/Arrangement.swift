/// How the elements of an ONNX tensor lie in a value of the network: each dimension of the tensor as parts of the value's
/// axes. So reshaping and transposing move nothing until an operator needs the value in its own order.
struct Arrangement: Equatable, Sendable {
    enum Axis: Sendable { case batch, channels, height, width }

    /// A part of an axis: with others, index of the axis = Σ index of the part · stride.
    struct Factor: Equatable, Sendable {
        var axis: Axis
        /// 0 of the batch, which is open.
        var size: Int
        var stride: Int
    }

    /// Outermost factor first; none where the dimension is 1.
    private(set) var dimensions: [[Factor]]

    init(_ dimensions: [[Factor]]) { self.dimensions = dimensions.map(Self.merged) }

    private static let batch = Factor(axis: .batch, size: 0, stride: 1)

    private static func whole(_ axis: Axis, _ size: Int) -> [Factor] {
        [Factor(axis: axis, size: size, stride: 1)]
    }

    /// `[N, C, H, W]`, of a value `[N, H, W, C]`.
    static func image(_ channels: Int, _ height: Int, _ width: Int) -> Arrangement {
        Arrangement([[batch], whole(.channels, channels), whole(.height, height), whole(.width, width)])
    }

    /// `[N, F]`.
    static func features(_ count: Int) -> Arrangement { Arrangement([[batch], whole(.channels, count)]) }

    /// Without what has one element, and neighbours that are one part together as one.
    private static func merged(_ factors: [Factor]) -> [Factor] {
        var result: [Factor] = []
        for factor in factors where factor.size != 1 {
            if let last = result.last, last.axis == factor.axis, factor.axis != .batch,
                last.stride == factor.stride * factor.size
            {
                result[result.count - 1] = Factor(
                    axis: factor.axis, size: last.size * factor.size, stride: factor.stride)
            } else {
                result.append(factor)
            }
        }
        return result
    }

    /// Of each dimension; `ConstantTensor.batch` for that of the images.
    var sizes: [Int] {
        dimensions.map { $0.contains(Self.batch) ? ConstantTensor.batch : $0.reduce(1) { $0 * $1.size } }
    }

    var rank: Int { dimensions.count }

    /// The dimension that is all of the channels, and nothing else.
    func dimension(ofChannels count: Int) -> Int? {
        dimensions.firstIndex(of: Self.merged(Self.whole(.channels, count)))
    }

    /// What some dimensions are made of together.
    func factors(_ indices: some Sequence<Int>) -> [Factor] {
        Self.merged(indices.flatMap { dimensions[$0] })
    }

    /// Counted from the end where it is negative.
    ///
    /// - Throws: `ModelFlaw` where there is no such dimension.
    func index(_ axis: Int, of rank: Int? = nil) throws -> Int {
        let rank = rank ?? self.rank
        guard (-rank..<rank).contains(axis) else { throw ModelFlaw("there is no axis \(axis) among \(rank)") }
        return axis < 0 ? axis + rank : axis
    }

    /// - Parameters:
    ///   - target: as ONNX's Reshape has it; `ConstantTensor.batch` for the number of images.
    ///   - images: how many the model says there are, where it does: then that number means them all.
    func reshaped(_ target: [Int], images: Int?) throws -> Arrangement {
        let factors = dimensions.flatMap { $0 }
        let misfit = ModelFlaw("\(described) cannot be reshaped to \(Self.text(target))")
        guard let first = target.first, factors.first == Self.batch,
            factors.dropFirst().allSatisfy({ $0 != Self.batch })
        else { throw misfit }
        let total = factors.dropFirst().reduce(1) { $0 * $1.size }
        var sizes = Array(target.dropFirst())
        for index in sizes.indices where sizes[index] == 0 {
            guard index + 1 < rank, self.sizes[index + 1] != ConstantTensor.batch else { throw misfit }
            sizes[index] = self.sizes[index + 1]
        }
        let open = sizes.firstIndex(of: -1)
        if let open { sizes[open] = 1 }
        let (known, isTooMuch) = ConstantTensor.product(sizes)
        guard !isTooMuch, known > 0 else { throw misfit }
        // Where the images' number is what is left, all else has to be there.
        guard first == 0 || first == ConstantTensor.batch || first == images || first == -1 && open == nil
        else {
            throw misfit
        }
        if let open {
            guard total % known == 0 else { throw misfit }
            sizes[open] = total / known
        } else if known != total {
            throw misfit
        }
        var left = Array(factors.dropFirst().reversed())
        var result = [[Self.batch]]
        for size in sizes {
            var dimension: [Factor] = []
            var wanted = size
            while wanted > 1 {
                guard let factor = left.popLast() else { throw misfit }
                if factor.size <= wanted {
                    guard wanted % factor.size == 0 else { throw misfit }
                    dimension.append(factor)
                    wanted /= factor.size
                } else {
                    guard factor.size % wanted == 0 else { throw misfit }
                    let inner = factor.size / wanted
                    dimension.append(
                        Factor(axis: factor.axis, size: wanted, stride: factor.stride * inner))
                    left.append(Factor(axis: factor.axis, size: inner, stride: factor.stride))
                    wanted = 1
                }
            }
            result.append(dimension)
        }
        return Arrangement(result)
    }

    func transposed(_ order: [Int]) throws -> Arrangement {
        guard order.sorted() == Array(dimensions.indices) else {
            throw ModelFlaw("\(order) is no order of \(rank) dimensions")
        }
        return Arrangement(order.map { dimensions[$0] })
    }

    /// With dimensions of 1 at these places of the result.
    func unsqueezed(_ axes: [Int]) throws -> Arrangement {
        let places = Set(try axes.map { try index($0, of: rank + axes.count) })
        guard places.count == axes.count else { throw ModelFlaw("an axis stands twice in \(axes)") }
        var result = dimensions
        for place in places.sorted() { result.insert([], at: place) }
        return Arrangement(result)
    }

    /// Without these dimensions, which are 1; nil for all that are.
    func squeezed(_ axes: [Int]?) throws -> Arrangement {
        let places =
            try axes.map { try $0.map { try index($0) } }
            ?? dimensions.indices.filter { dimensions[$0].isEmpty }
        guard places.allSatisfy({ dimensions[$0].isEmpty }) else {
            throw ModelFlaw("\(described) has more than one element along axes \(places)")
        }
        return Arrangement(dimensions.indices.filter { !places.contains($0) }.map { dimensions[$0] })
    }

    /// With one element along these dimensions, or without the dimensions.
    func reduced(_ places: [Int], keepsDimensions: Bool) -> Arrangement {
        Arrangement(
            dimensions.indices.compactMap {
                places.contains($0) ? (keepsDimensions ? [] : nil) : dimensions[$0]
            })
    }

    /// With so many channels in the dimension that is all of them.
    func replacingChannels(_ old: Int, by new: Int) throws -> Arrangement {
        guard let place = dimension(ofChannels: old) else {
            throw ModelFlaw("\(described) has no dimension of \(old) channels")
        }
        var result = dimensions
        result[place] = Self.whole(.channels, new)
        return Arrangement(result)
    }

    /// How many groups of channels were taken in turn, where the second of `[N, C, H, W]` is the channels so shuffled.
    var shuffledGroups: Int? {
        guard rank == 4, dimensions[1].count == 2, dimensions[1].allSatisfy({ $0.axis == .channels }) else {
            return nil
        }
        let (outer, inner) = (dimensions[1][0], dimensions[1][1])
        return outer.stride == 1 && inner.stride == outer.size ? inner.size : nil
    }

    var described: String { "a tensor of shape \(Self.text(sizes))" }

    private static func text(_ sizes: [Int]) -> String {
        "[" + sizes.map { $0 == ConstantTensor.batch ? "N" : "\($0)" }.joined(separator: ", ") + "]"
    }
}
