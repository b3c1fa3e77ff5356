import ResinGraph
import ResinNetworks
import ResinTensor
import ResinTraining

extension ModelReader {
    mutating func pooling() throws -> Activation {
        let input = try unpadded(try activation(0))
        let (number, channels, size) = try image(input)
        if node.type == "GlobalMaxPool" {
            guard size.area <= 256 else {
                throw ModelFlaw("its images have \(size) pixels; at most 256 are known")
            }
            let pooled = try add(
                GlobalMaxPool2D(), to: number, giving: .features(channels, isFlattenedImage: false))
            return Activation(
                number: pooled.number, shape: pooled.shape, arrangement: .image(channels, 1, 1))
        }
        if node.outputs.count > 1, !node.outputs[1].isEmpty {
            throw ModelFlaw("its second output, which place was the largest, is not known")
        }
        let window = try node.window(image: size)
        let roundsUp = try node.int("ceil_mode", default: 0) != 0
        let shape = try imageShape(channels, size, window, roundsUp: roundsUp)
        let padding = window.padding
        guard
            2 * max(padding.top, padding.bottom) <= window.extent.height,
            2 * max(padding.left, padding.right) <= window.extent.width
        else { throw ModelFlaw("its padding is more than half of the window") }
        if node.type == "MaxPool" {
            guard window.kernel.area <= 256 else {
                throw ModelFlaw("its window has \(window.kernel.area) places; at most 256 are known")
            }
            return try add(MaxPool2D(window: window, roundsUp: roundsUp), to: number, giving: shape)
        }
        guard window.dilation == Extent(1) else { throw ModelFlaw("a dilated average is not known") }
        let countsPadding = try node.int("count_include_pad", default: 0) != 0
        return try add(
            AveragePool2D(window: window, countsPadding: countsPadding, roundsUp: roundsUp), to: number,
            giving: shape)
    }

    /// - Parameter keepsDimensions: whether the result has height and width of 1.
    mutating func globalAverage(keepsDimensions: Bool) throws -> Activation {
        let input = try unpadded(try activation(0))
        guard case .image(let channels, _, _) = input.shape else {
            throw ModelFlaw("it needs images, but its input is \(input.arrangement.described)")
        }
        let places = input.arrangement.dimensions.indices.filter { place in
            let factors = input.arrangement.dimensions[place]
            return place > 0 && factors.allSatisfy { $0.axis == .height || $0.axis == .width }
        }
        return try average(input, channels, over: places, keepsDimensions: keepsDimensions)
    }

    private mutating func average(
        _ input: Activation, _ channels: Int, over places: [Int], keepsDimensions: Bool
    ) throws -> Activation {
        let own = input.shape.arrangement
        let factors = input.arrangement.factors(places)
        guard factors == own.factors([2, 3]) || factors == own.factors([3, 2]) else {
            throw ModelFlaw("known is the mean over height and width alone")
        }
        let pooled = try add(
            GlobalAveragePool2D(), to: input.number, giving: .features(channels, isFlattenedImage: false))
        return Activation(
            number: pooled.number, shape: pooled.shape,
            arrangement: input.arrangement.reduced(places, keepsDimensions: keepsDimensions))
    }

    mutating func mean() throws -> Activation {
        let input = try unpadded(try activation(0))
        guard case .image(let channels, _, _) = input.shape else {
            throw ModelFlaw("known is the mean over height and width of images")
        }
        let axes = try node.ints("axes") ?? (try optionalConstant(1)?.ints())
        guard let axes else { throw ModelFlaw("its axes are all; known is the mean over height and width") }
        let places = try axes.map { try input.arrangement.index($0) }.sorted()
        let keeps = try node.int("keepdims", default: 1) != 0
        return try average(input, channels, over: places, keepsDimensions: keeps)
    }

    mutating func resizing() throws -> Activation {
        let (number, channels, size) = try image(try unpadded(try activation(0)))
        let mode = try node.string("mode", default: "nearest")
        var target: [Int]?
        var factors: [Float]?
        if node.type == "Upsample" {
            factors = try node.floats("scales") ?? (try optionalConstant(1)?.floats())
        } else if opset < 11 {
            factors = try constant(1).floats()
        } else {
            factors = try optionalConstant(2)?.floats()
            target = try optionalConstant(3)?.ints()
            if factors?.isEmpty == true { factors = nil }
        }
        let axes = try node.ints("axes") ?? Array(0..<4)
        guard try node.string("keep_aspect_ratio_policy", default: "stretch") == "stretch",
            (factors == nil) != (target == nil),
            try node.int("antialias", default: 0) == 0,
            (factors ?? []).count + (target ?? []).count == axes.count,
            Set(axes).isSubset(of: 0..<4), Set(axes).count == axes.count
        else { throw ModelFlaw("known are scales or sizes of all axes, stretched, without antialias") }
        var result = [size.height, size.width]
        for (place, axis) in axes.enumerated() {
            if axis < 2 {
                let isSame =
                    factors.map { $0[place] == 1 }
                    ?? [channels, ConstantTensor.batch].contains(target![place])
                guard isSame || axis == 0 && target?[place] == images else {
                    throw ModelFlaw("it changes the number of channels or images")
                }
                continue
            }
            let old = result[axis - 2]
            let new = factors.map { Double(old) * Double($0[place]) } ?? Double(target![place])
            guard new >= 1, new <= Double(Limits.side) else {
                throw ModelFlaw("it makes a side of \(new) pixels")
            }
            result[axis - 2] = Int(new)
        }
        let new = Extent(result[0], result[1])
        // Before opset 11 there was one way to count.
        let places = try node.string(
            "coordinate_transformation_mode", default: opset < 11 ? "asymmetric" : "half_pixel")
        let rounding = try node.string("nearest_mode", default: opset < 11 ? "floor" : "round_prefer_floor")
        let isByWholeFactor = new.height % size.height == 0 && new.width % size.width == 0
        let method: Op.Upsampling.Method
        switch (mode, places) {
        case ("nearest", "asymmetric") where rounding == "floor": method = .nearest
        // By a whole factor it is the same pixel.
        case ("nearest", "half_pixel") where isByWholeFactor && rounding == "round_prefer_floor":
            method = .nearest
        case ("linear", "half_pixel"): method = .bilinear(alignsCorners: false)
        case ("linear", "pytorch_half_pixel") where new.height > 1 && new.width > 1:
            method = .bilinear(alignsCorners: false)
        case ("linear", "align_corners"): method = .bilinear(alignsCorners: true)
        default: throw ModelFlaw("mode '\(mode)' with coordinates '\(places)' is not known")
        }
        return try add(
            Upsample(to: new, method), to: number,
            giving: .image(channels: channels, height: new.height, width: new.width))
    }
}
