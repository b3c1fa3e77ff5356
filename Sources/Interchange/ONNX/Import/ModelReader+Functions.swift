import ResinGraph
import ResinNetworks
import ResinTensor
import ResinTraining

extension ModelReader {
    // MARK: Of one value

    mutating func function() throws -> Value {
        let input = try unpadded(try activation(0))
        func result(_ layer: any Layer) throws -> Value { .activation(try add(layer, to: input)) }
        switch node.type {
        case "Relu": return try result(ReLU())
        case "Tanh": return try result(Tanh())
        case "Softplus": return try result(Softplus())
        case "HardSwish": return try result(HardSwish())
        case "Elu": return try result(ELU(alpha: try node.float("alpha", default: 1)))
        case "LeakyRelu": return try result(LeakyReLU(slope: try node.float("alpha", default: 0.01)))
        case "Gelu":
            let way = try node.string("approximate", default: "none")
            guard ["none", "tanh"].contains(way) else { throw ModelFlaw("its approximate is '\(way)'") }
            return try result(GELU(usesTanh: way == "tanh"))
        case "Sigmoid":
            let gate = try add(Sigmoid(), to: input)
            origins[gate.number] = .sigmoid(input)
            return .activation(gate)
        case "HardSigmoid": return .activation(try hardSigmoid(input))
        case "Clip": return .activation(try clip(input))
        case "PRelu": return .activation(try parametricReLU(input))
        case "Erf":
            guard case .scaled(let x, let factor)? = origins[input.number],
                abs(factor - Float(0.5).squareRoot()) < 1e-6
            else {
                throw ModelFlaw("Erf is known as a part of GELU alone, of x / √2")
            }
            return .erf(of: x)
        default: return .activation(try softmax(input))
        }
    }

    /// α · x + β between 0 and 1, whose usual form has α = 1/6 and β = 1/2.
    private mutating func hardSigmoid(_ input: Activation) throws -> Activation {
        let (alpha, beta) = (try node.float("alpha", default: 0.2), try node.float("beta", default: 0.5))
        let isUsual = abs(alpha - 1.0 / 6) < 1e-6 && beta == 0.5
        var x = input
        if !isUsual { x = try shifted(try scaled(x, by: 6 * alpha), by: .all(6 * (beta - 0.5))) }
        let gate = try add(HardSigmoid(), to: x)
        if isUsual { origins[gate.number] = .hardSigmoid(input) }
        return gate
    }

    /// Its bounds became inputs with opset 11.
    private mutating func clip(_ input: Activation) throws -> Activation {
        func bound(_ name: String, _ index: Int) throws -> Float? {
            if let value = try node.float(name) { return value }
            guard let constant = try optionalConstant(index) else { return nil }
            guard let value = try constant.floats().first, constant.count == 1 else {
                throw ModelFlaw("its \(name) has \(constant.count) elements")
            }
            return value
        }
        let least = try bound("min", 1) ?? -.infinity
        let most = try bound("max", 2) ?? .infinity
        let isOpen = most >= .greatestFiniteMagnitude
        if least <= -.greatestFiniteMagnitude && isOpen { return input }
        guard least == 0, most > 0 else {
            throw ModelFlaw("it clips to \(least) … \(most); known are bounds from 0 on")
        }
        if isOpen { return try add(ReLU(), to: input) }
        if most == 6 { return try add(ReLU6(), to: input) }
        return try scaled(try add(ReLU6(), to: try scaled(input, by: 6 / most)), by: most / 6)
    }

    private mutating func parametricReLU(_ input: Activation) throws -> Activation {
        let slopes = try constant(1)
        switch try spread(slopes, over: input) {
        case .all(let slope):
            return try add(
                PReLU(isShared: true), to: input.number, giving: input.shape, input.arrangement,
                name: layerName(ofWeight: 1), weights: [("weight", [1], [slope])])
        case .channels(let values):
            return try add(
                PReLU(), to: input.number, giving: input.shape, input.arrangement,
                name: layerName(ofWeight: 1),
                weights: [("weight", [values.count], values)])
        }
    }

    /// Until opset 12 over all dimensions from the axis on.
    private mutating func softmax(_ input: Activation) throws -> Activation {
        let rank = input.arrangement.rank
        let axis = try input.arrangement.index(try node.int("axis", default: opset < 13 ? 1 : -1))
        guard input.arrangement.dimension(ofChannels: input.shape.channels) == axis,
            opset >= 13 || input.arrangement.sizes[(axis + 1)...].allSatisfy({ $0 == 1 })
        else { throw ModelFlaw("axis \(axis) of \(rank) is not that of the channels") }
        guard node.type == "Softmax" || node.outputs[0] == result else {
            throw ModelFlaw("LogSoftmax is known as the last node alone")
        }
        let output = try add(Softmax(), to: input)
        origins[output.number] = .softmax(input)
        return output
    }

    // MARK: Of a value and numbers

    /// A constant beside a value.
    enum Numbers {
        case all(Float)
        case channels([Float])

        func map(_ body: (Float) -> Float) -> Numbers {
            switch self {
            case .all(let number): .all(body(number))
            case .channels(let numbers): .channels(numbers.map(body))
            }
        }
    }

    /// A constant as ONNX broadcasts it: one number, or one a channel.
    private func spread(_ constant: ConstantTensor, over input: Activation) throws -> Numbers {
        let rank = input.arrangement.rank
        let values = try constant.floats()
        let channels = input.shape.channels
        guard constant.shape.count <= rank else {
            throw ModelFlaw(
                "a constant of shape \(constant.shape) is of more dimensions than \(input.arrangement.described)"
            )
        }
        if values.count == 1 { return .all(values[0]) }
        let shape = [Int](repeating: 1, count: rank - constant.shape.count) + constant.shape
        guard let place = input.arrangement.dimension(ofChannels: channels), shape[place] == channels,
            shape.indices.allSatisfy({ $0 == place || shape[$0] == 1 })
        else {
            throw ModelFlaw(
                "a constant of shape \(constant.shape) beside \(input.arrangement.described) is neither one number nor one "
                    + "a channel")
        }
        return .channels(values)
    }

    private mutating func scaled(_ input: Activation, by factor: Float) throws -> Activation {
        if factor == 1 { return input }
        if case .scaled(var original, let other)? = origins[input.number], other * factor == 1 {
            original.arrangement = input.arrangement
            return original
        }
        let output = try add(Scale(by: factor), to: input)
        origins[output.number] = .scaled(input, by: factor)
        return output
    }

    /// - Parameter constant: the name of the numbers.
    private mutating func scaled(
        _ input: Activation, by numbers: Numbers, value: String? = nil, constant: String? = nil
    ) throws -> Activation {
        switch numbers {
        case .all(let factor): return try scaled(input, by: factor)
        case .channels(let factors):
            if let value, lastLayer(of: GroupNorm.self, gave: input, as: value) != nil {
                if let constant, constant.hasSuffix(".weight") {
                    renameLast(to: String(constant.dropLast(".weight".count)))
                }
                for name in ["weight", "bias"] {
                    changeLastWeights(name) { zip($0, factors).map { $0 * $1 } }
                }
                return input
            }
            return try add(
                LayerScale(initialValue: 1), to: input.number, giving: input.shape, input.arrangement,
                name: constant, weights: [("", [factors.count, 1, 1], factors)])
        }
    }

    /// A shift becomes the bias of the layer before it, where that has none.
    private mutating func shifted(
        _ input: Activation, by numbers: Numbers, value: String? = nil
    ) throws -> Activation {
        let count = input.shape.channels
        let shifts: [Float]
        switch numbers {
        case .all(0): return input
        case .all(let shift): shifts = [Float](repeating: shift, count: count)
        case .channels(let numbers): shifts = numbers
        }
        if let value {
            if var layer = lastLayer(of: Convolution2D.self, gave: input, as: value), !layer.hasBias {
                layer.hasBias = true
                replaceLast(by: layer, bias: shifts)
                return input
            }
            if var layer = lastLayer(of: Dense.self, gave: input, as: value), !layer.hasBias {
                layer.hasBias = true
                replaceLast(by: layer, bias: shifts)
                return input
            }
            if lastLayer(of: GroupNorm.self, gave: input, as: value) != nil {
                changeLastWeights("bias") { zip($0, shifts).map { $0 + $1 } }
                return input
            }
        }
        if case .features(_, true) = input.shape {
            throw ModelFlaw("it adds numbers to a flattened image")
        }
        return try add(
            ChannelAffine(), to: input.number, giving: input.shape, input.arrangement,
            weights: [
                ("weight", [count, 1, 1, 1], [Float](repeating: 1, count: count)), ("bias", [count], shifts),
            ])
    }

    private mutating func replaceLast(by layer: any Layer, bias: [Float]) {
        let last = layers.steps.count - 1
        layers.steps[last].kind = .layer(layer)
        entries.append(
            Safetensors.Entry("\(layers.steps[last].name).bias", shape: [bias.count], values: bias))
    }

    private mutating func renameLast(to wanted: String) {
        let old = layers.steps.last!.name
        let name = unused(wanted)
        layers.steps[layers.steps.count - 1].name = name
        for index in entries.indices where entries[index].name.hasPrefix(old + ".") {
            let entry = entries[index]
            entries[index] = Safetensors.Entry(
                name + entry.name.dropFirst(old.count), shape: entry.shape, entry.contents)
        }
    }

    private mutating func changeLastWeights(_ name: String, _ change: ([Float]) -> [Float]) {
        let full = "\(layers.steps.last!.name).\(name)"
        let index = entries.lastIndex { $0.name == full }!
        entries[index] = Safetensors.Entry(
            full, shape: entries[index].shape, values: change(entries[index].values))
    }

    // MARK: Of several values

    mutating func arithmetic() throws -> Value {
        if node.type == "Neg" { return .activation(try scaled(try unpadded(try activation(0)), by: -1)) }
        if node.type == "Sum" {
            var sum = try unpadded(try activation(0))
            for index in node.inputs.indices.dropFirst() {
                sum = try combined(sum, try activation(index), .add)
            }
            return .activation(sum)
        }
        switch (try value(0), try value(1)) {
        case (.activation(let one), .activation(let other)):
            switch node.type {
            case "Add": return .activation(try combined(one, other, .add))
            case "Sub": return .activation(try combined(one, try scaled(try unpadded(other), by: -1), .add))
            case "Mul": return .activation(try product(one, other))
            default: throw ModelFlaw("one value that depends on the images by another is not known")
            }
        case (.activation(let input), .constant(let constant)):
            return .activation(try changed(input, by: constant, input: 0, constantFirst: false))
        case (.constant(let constant), .activation(let input)):
            return .activation(try changed(input, by: constant, input: 1, constantFirst: true))
        case (.erf(let x), .constant(let constant)), (.constant(let constant), .erf(let x)):
            guard node.type == "Add", try constant.floats() == [1] else { break }
            return .normal(of: x, factor: 1)
        case (.normal(let x, let factor), .constant(let constant)),
            (.constant(let constant), .normal(let x, let factor)):
            guard let number = try constant.floats().first, constant.count == 1 else { break }
            if node.type == "Mul" { return .normal(of: x, factor: factor * number) }
            if node.type == "Div", case .normal = try value(0) {
                return .normal(of: x, factor: factor / number)
            }
        case (.normal(let x, let factor), .activation(let input)),
            (.activation(let input), .normal(let x, let factor)):
            guard node.type == "Mul" else { break }
            var factor = factor
            if input.number != x.number {
                guard case .scaled(let original, let other)? = origins[input.number],
                    original.number == x.number
                else {
                    break
                }
                factor *= other
            }
            var argument = x
            argument.arrangement = input.arrangement
            return .activation(try scaled(try add(GELU(), to: argument), by: 2 * factor))
        default: break
        }
        throw ModelFlaw("Erf is known as a part of GELU alone")
    }

    private mutating func changed(
        _ input: Activation, by constant: ConstantTensor, input index: Int, constantFirst: Bool
    ) throws -> Activation {
        let input = try unpadded(input)
        let numbers = try spread(constant, over: input)
        let name = node.inputs[index]
        switch node.type {
        case "Add": return try shifted(input, by: numbers, value: name)
        case "Sub" where constantFirst: return try shifted(try scaled(input, by: -1), by: numbers)
        case "Sub": return try shifted(input, by: numbers.map { -$0 }, value: name)
        case "Div" where constantFirst:
            throw ModelFlaw("a constant by what depends on the images is not known")
        default:
            let factors = node.type == "Div" ? numbers.map { 1 / $0 } : numbers
            return try scaled(input, by: factors, value: name, constant: ownName(ofConstant: 1 - index))
        }
    }

    /// The constant's, where a layer of one parameter can have it: names with slashes are an exporter's own.
    private func ownName(ofConstant index: Int) -> String? {
        guard let name = node.input(index), name != "__metadata__",
            !name.contains(where: { $0 == "/" || $0 == ":" })
        else { return nil }
        return name
    }

    private mutating func product(_ one: Activation, _ other: Activation) throws -> Activation {
        let (one, other) = (try unpadded(one), try unpadded(other))
        for (x, gate) in [(one, other), (other, one)] {
            switch origins[gate.number] {
            case .sigmoid(let argument)? where argument == x: return try add(SiLU(), to: x)
            case .hardSigmoid(let argument)? where argument == x: return try add(HardSwish(), to: x)
            default: break
            }
        }
        for (x, gate) in [(one, other), (other, one)] {
            guard case .image(let channels, let height, let width) = x.shape, height * width > 1,
                gate.shape.channels == channels
            else { continue }
            let places = x.arrangement.dimensions.indices.filter { place in
                x.arrangement.dimensions[place].contains { $0.axis == .height || $0.axis == .width }
            }
            if x.arrangement.reduced(places, keepsDimensions: true) == gate.arrangement {
                return try add(.scaleChannels, [x.number, gate.number], giving: x.shape, x.arrangement)
            }
        }
        return try combined(one, other, .multiply)
    }

    /// Two values of the same shape element by element.
    private mutating func combined(
        _ one: Activation, _ other: Activation, _ kind: ImportedLayers.Kind
    ) throws -> Activation {
        let (one, other) = (try unpadded(one), try unpadded(other))
        guard one.arrangement.sizes == other.arrangement.sizes else {
            throw ModelFlaw(
                "\(one.arrangement.described) and \(other.arrangement.described) are not of the same shape; of other shapes "
                    + "known is the product of an image and a factor a channel")
        }
        if one.shape == other.shape && one.arrangement == other.arrangement {
            return try add(kind, [one.number, other.number], giving: one.shape, one.arrangement)
        }
        if one.arrangement.rank == 2 {
            let (left, right) = (try features(one), try features(other))
            guard left.value.shape == right.value.shape, left.order == .channelsFirst,
                right.order == .channelsFirst
            else {
                throw ModelFlaw("its inputs are images that were flattened in different ways")
            }
            return try add(kind, [left.value.number, right.value.number], giving: left.value.shape)
        }
        let (left, right) = (try image(one), try image(other))
        return try add(
            kind, [left.number, right.number],
            giving: .image(channels: left.channels, height: left.size.height, width: left.size.width))
    }
}
