import ResinGraph
import ResinNetworks
import ResinTensor
import ResinTraining

extension ModelReader {
    mutating func concatenation() throws -> Activation {
        let inputs = try node.inputs.indices.map { try unpadded(try activation($0)) }
        guard !inputs.isEmpty else { throw ModelFlaw("it has no input") }
        let axis = try inputs[0].arrangement.index(try node.int("axis", default: 1))
        guard inputs.allSatisfy({ $0.arrangement.dimension(ofChannels: $0.shape.channels) == axis }) else {
            throw ModelFlaw("axis \(axis) is not that of the channels of all its inputs")
        }
        let channels = inputs.reduce(0) { $0 + $1.shape.channels }
        if inputs.allSatisfy({ $0.arrangement.rank == 2 }) {
            let values = try inputs.map { try features($0).value }
            guard values.allSatisfy({ if case .features(_, true) = $0.shape { false } else { true } }) else {
                throw ModelFlaw("it puts flattened images together")
            }
            return try add(
                .concatenate, values.map(\.number), giving: .features(channels, isFlattenedImage: false))
        }
        // In whatever order, as long as all have the same.
        let isAlike = try inputs.allSatisfy {
            try $0.arrangement.replacingChannels($0.shape.channels, by: 1)
                == inputs[0].arrangement.replacingChannels(inputs[0].shape.channels, by: 1)
        }
        guard isAlike, case .image(_, let height, let width) = inputs[0].shape,
            inputs.allSatisfy({ if case .image = $0.shape { true } else { false } })
        else {
            let values = try inputs.map { try image($0) }
            guard values.allSatisfy({ $0.size == values[0].size }) else { throw misfit(inputs) }
            return try add(
                .concatenate, values.map(\.number),
                giving: .image(channels: channels, height: values[0].size.height, width: values[0].size.width)
            )
        }
        return try add(
            .concatenate, inputs.map(\.number),
            giving: .image(channels: channels, height: height, width: width),
            try inputs[0].arrangement.replacingChannels(inputs[0].shape.channels, by: channels))
    }

    private func misfit(_ inputs: [Activation]) -> ModelFlaw {
        ModelFlaw(
            "its inputs do not fit each other: " + inputs.map(\.arrangement.described).joined(separator: ", ")
        )
    }

    private mutating func channels(_ range: Range<Int>, of input: Activation) throws -> Activation {
        let shape: ValueShape =
            switch input.shape {
            case .image(_, let height, let width): .image(channels: range.count, height: height, width: width)
            case .features(_, let isFlattenedImage):
                if isFlattenedImage {
                    throw ModelFlaw("it takes some features of a flattened image")
                } else {
                    .features(range.count, isFlattenedImage: false)
                }
            }
        return try add(
            SlicedChannels(channels: range), to: input.number, giving: shape,
            try input.arrangement.replacingChannels(input.shape.channels, by: range.count))
    }

    mutating func split() throws -> [Activation] {
        let input = try unpadded(try activation(0))
        let channels = input.shape.channels
        let axis = try input.arrangement.index(try node.int("axis", default: 0))
        guard input.arrangement.dimension(ofChannels: channels) == axis else {
            throw ModelFlaw("axis \(axis) of \(input.arrangement.described) is not that of the channels")
        }
        let parts = node.outputs.count
        let part = (channels + parts - 1) / parts
        let counts =
            try node.ints("split") ?? (try optionalConstant(1)?.ints())
            ?? (0..<parts).map { min(part, channels - $0 * part) }
        guard counts.count == parts, counts.allSatisfy({ $0 > 0 && $0 <= channels }),
            counts.reduce(0, +) == channels
        else {
            throw ModelFlaw("\(channels) channels are not \(counts)")
        }
        var first = 0
        return try counts.map { count in
            defer { first += count }
            return try self.channels(first..<first + count, of: input)
        }
    }

    mutating func slice() throws -> Activation {
        var input = try unpadded(try activation(0))
        func setting(_ name: String, _ index: Int) throws -> [Int]? {
            try node.ints(name) ?? (try optionalConstant(index)?.ints())
        }
        guard let starts = try setting("starts", 1), let ends = try setting("ends", 2),
            starts.count == ends.count
        else {
            throw ModelFlaw("its starts and ends do not fit each other")
        }
        let axes = try setting("axes", 3) ?? Array(starts.indices)
        let steps = try setting("steps", 4) ?? starts.map { _ in 1 }
        guard axes.count == starts.count, steps.count == starts.count, steps.allSatisfy({ $0 == 1 }) else {
            throw ModelFlaw("known are steps of 1")
        }
        for (place, axis) in axes.enumerated() {
            let axis = try input.arrangement.index(axis)
            let size = input.arrangement.sizes[axis]
            if size == ConstantTensor.batch {
                guard starts[place] == 0, ends[place] >= 1 << 30 || ends[place] == ConstantTensor.batch else {
                    throw ModelFlaw("it takes some of the images")
                }
                continue
            }
            func clamped(_ index: Int) -> Int { min(max(index < 0 ? index &+ size : index, 0), size) }
            let (first, end) = (clamped(starts[place]), clamped(ends[place]))
            if first == 0 && end == size { continue }
            guard first < end, input.arrangement.dimension(ofChannels: input.shape.channels) == axis else {
                throw ModelFlaw("it takes pixels, or nothing; known are channels")
            }
            input = try channels(first..<end, of: input)
        }
        return input
    }
}
