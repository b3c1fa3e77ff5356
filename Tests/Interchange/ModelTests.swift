import Foundation
import ResinGraph
import ResinInterchange
import ResinNetworks
import ResinProtobuf
import ResinTensor
import Testing

/// A model as other programs write it, node by node.
private struct ModelText {
    var model = Onnx_ModelProto()

    init(opset: Int64 = 17, input: [Int64] = [0, 2, 4, 4], output: String = "y") {
        model.irVersion = 8
        var operators = Onnx_OperatorSetIdProto()
        operators.version = opset
        model.opsetImport = [operators]
        model.graph.name = "model"
        var information = Onnx_ValueInfoProto()
        information.name = "x"
        information.type.tensorType.elemType = 1
        information.type.tensorType.shape.dim = input.map {
            var dimension = Onnx_TensorShapeProto.Dimension()
            if $0 > 0 { dimension.dimValue = $0 } else { dimension.dimParam = "N" }
            return dimension
        }
        model.graph.input = [information]
        var result = Onnx_ValueInfoProto()
        result.name = output
        model.graph.output = [result]
    }

    mutating func add(
        _ type: String, _ inputs: [String], _ outputs: [String], ints: [String: [Int64]] = [:],
        int: [String: Int64] = [:]
    ) {
        var node = Onnx_NodeProto()
        node.opType = type
        node.name = "node \(model.graph.node.count)"
        node.input = inputs
        node.output = outputs
        for (name, values) in ints.sorted(by: { $0.key < $1.key }) {
            var attribute = Onnx_AttributeProto()
            (attribute.name, attribute.type, attribute.ints) = (name, .ints, values)
            node.attribute.append(attribute)
        }
        for (name, value) in int.sorted(by: { $0.key < $1.key }) {
            var attribute = Onnx_AttributeProto()
            (attribute.name, attribute.type, attribute.i) = (name, .int, value)
            node.attribute.append(attribute)
        }
        model.graph.node.append(node)
    }

    mutating func constant(_ name: String, _ shape: [Int64], _ values: [Float]? = nil) {
        var tensor = Onnx_TensorProto()
        (tensor.name, tensor.dims, tensor.dataType) = (name, shape, 1)
        tensor.floatData = values ?? (0..<Int(shape.reduce(1, *))).map { Float($0) + 1 }
        model.graph.initializer.append(tensor)
    }

    mutating func constant(_ name: String, ints: [Int64]) {
        var tensor = Onnx_TensorProto()
        (tensor.name, tensor.dims, tensor.dataType, tensor.int64Data) = (name, [Int64(ints.count)], 7, ints)
        model.graph.initializer.append(tensor)
    }

    func imported(input: ImageShape? = nil, classes: Int? = nil) throws -> ONNXImport {
        try withTemporaryFolder { folder in
            try Data(model.serializedBytes() as [UInt8]).write(to: URL(fileURLWithPath: folder + "/m.onnx"))
            return try ONNXImport(contentsOf: folder + "/m.onnx", input: input, classes: classes)
        }
    }

    /// What the reader says, without the path.
    func fault() -> String {
        do {
            _ = try imported()
            return "none"
        } catch let error as ResinError {
            return error.message.replacing(#/.*/m\.onnx:? /#, with: "")
        } catch {
            return "\(error)"
        }
    }
}

extension ONNXImport {
    fileprivate var ops: [Op] { get throws { try network.makeGraph().graph.nodes.map(\.op) } }
}

@Suite struct ModelTests {
    /// As PyTorch's exporter writes `x.view(x.size(0), -1)`.
    @Test("Shapes that are computed of the images' number are known")
    func computedShape() throws {
        var text = ModelText()
        text.constant("zero", ints: [0])
        text.constant("rest", ints: [-1])
        text.constant("fc.weight", [3, 32])
        text.add("Shape", ["x"], ["s"])
        text.add("Gather", ["s", "zero"], ["n"])
        text.add("Concat", ["n", "rest"], ["target"], int: ["axis": 0])
        text.add("Reshape", ["x", "target"], ["flat"])
        text.add("Gemm", ["flat", "fc.weight"], ["y"], int: ["transB": 1])
        let model = try text.imported()
        #expect(try model.network.makeGraph().graph.parameters.map(\.name) == ["fc.weight"])
        #expect(try model.ops.count == 2)
    }

    /// TensorFlow's order: a filter over a flattened image has its rows in another order than PyTorch's.
    @Test("Images whose channels come last are turned once, and a dense layer's rows with them")
    func channelsLast() throws {
        var text = ModelText(input: [0, 5, 5, 3])
        text.constant("w", [75, 1], (0..<75).map { Float($0) })
        text.add("Flatten", ["x"], ["flat"])
        text.add("MatMul", ["flat", "w"], ["y"])
        let model = try text.imported()
        #expect(model.network.input == ImageShape(channels: 3, height: 5, width: 5))
        #expect(
            model.weights.entries[0].values
                == (0..<3).flatMap { channel in (0..<25).map { Float(3 * $0 + channel) } })
    }

    @Test("Transposes that undo each other leave nothing, and channels in turn are a shuffle")
    func transposes() throws {
        var text = ModelText(input: [0, 4, 4, 4])
        text.constant("split", ints: [0, 2, 2, 4, 4])
        text.constant("back", ints: [0, 4, 4, 4])
        text.add("Transpose", ["x"], ["last"], ints: ["perm": [0, 2, 3, 1]])
        text.add("Relu", ["last"], ["positive"])
        text.add("Transpose", ["positive"], ["first"], ints: ["perm": [0, 3, 1, 2]])
        text.add("Reshape", ["first", "split"], ["parts"])
        text.add("Transpose", ["parts"], ["turned"], ints: ["perm": [0, 2, 1, 3, 4]])
        text.add("Reshape", ["turned", "back"], ["shuffled"])
        text.add("MaxPool", ["shuffled"], ["pooled"], ints: ["kernel_shape": [2, 2], "strides": [2, 2]])
        text.add("GlobalAveragePool", ["pooled"], ["y"])
        let ops = try text.imported().ops
        #expect(ops.count == 4)
        #expect(ops[0] == .relu)
        #expect(ops[1] == .channelShuffle(Op.ChannelShuffle(groups: 2)))
        #expect(ops[3] == .globalAveragePool)
    }

    @Test(
        "Zeros around an image are a convolution's padding; a bias behind it is its own; a last softmax is left out"
    )
    func mergedNodes() throws {
        var text = ModelText()
        text.constant("w", [4, 2, 3, 3])
        text.constant("b", [4, 1, 1])
        text.constant("pads", ints: [0, 0, 1, 0, 0, 0, 2, 3])
        text.add("Pad", ["x", "pads"], ["padded"])
        text.add("Conv", ["padded", "w"], ["c"], ints: ["pads": [1, 1, 1, 1]])
        text.add("Add", ["b", "c"], ["biased"])
        text.add("GlobalAveragePool", ["biased"], ["mean"])
        text.add("Flatten", ["mean"], ["flat"])
        text.add("Softmax", ["flat"], ["y"])
        let model = try text.imported()
        #expect(
            try model.ops[0]
                == .convolution2D(
                    Op.Convolution2D(
                        window: Window(
                            kernel: Extent(3), padding: Padding(top: 2, left: 1, bottom: 3, right: 4)),
                        outputChannels: 4, hasBias: true)))
        #expect(model.weights.entries.last?.values == [1, 2, 3, 4])
        #expect(try model.ops.count == 2)
        #expect(model.notes.count == 1 && model.notes[0].contains("softmax"))
    }

    @Test("A value that is read elsewhere keeps what it is where a bias is added to it")
    func sharedValue() throws {
        var text = ModelText()
        text.constant("w", [2, 2, 1, 1])
        text.constant("b", [2, 1, 1])
        text.add("Conv", ["x", "w"], ["c"])
        text.add("Identity", ["c"], ["same"])
        text.add("Add", ["same", "b"], ["biased"])
        text.add("Add", ["c", "biased"], ["sum"])
        text.add("GlobalAveragePool", ["sum"], ["y"])
        let ops = try text.imported().ops
        #expect(ops.count == 4)
        #expect(
            ops[0]
                == .convolution2D(
                    Op.Convolution2D(window: Window(kernel: 1), outputChannels: 2, hasBias: false)))
    }

    @Test("Layers that would have the same names, or the same parameters, get others")
    func names() throws {
        var text = ModelText()
        text.constant("a.weight", [2, 2, 1, 1])
        text.constant("__metadata__", [2, 1, 1])
        text.add("Conv", ["x", "a.weight"], ["c"])
        text.add("Conv", ["c", "a.weight"], ["d"])
        text.add("Mul", ["d", "__metadata__"], ["e"])
        text.add("Mul", ["e", "a.weight_scale"], ["f"])
        text.constant("a.weight_scale", [2, 1, 1])
        text.add("GlobalAveragePool", ["f"], ["y"])
        let names = try text.imported().network.makeGraph().graph.parameters.map(\.name)
        #expect(names == ["a.weight", "a_2.weight", "node 2", "a.weight_scale"])
    }

    @Test("The classifier is made for other classes where they are asked for")
    func otherClasses() throws {
        var text = ModelText()
        text.constant("w", [3, 32])
        text.add("Flatten", ["x"], ["flat"])
        text.add("Gemm", ["flat", "w"], ["y"], int: ["transB": 1])
        let network = try text.imported(classes: 8).network
        #expect(network.classCount == 8)
        #expect(try network.makeGraph().graph.parameters.map(\.layout.externalShape) == [[8, 32]])
    }

    @Test("What is not known is said, all operators at once")
    func unknownOperators() throws {
        var text = ModelText()
        text.add("Einsum", ["x"], ["a"])
        text.add("Convolution", ["a"], ["b"])
        text.add("Einsum", ["b"], ["y"])
        #expect(
            text.fault()
                == "operators of opset 17 that are not known: Einsum (node 'node 0' and 1 more, the nearest known is Sum); "
                + "Convolution (node 'node 1')")
    }

    @Test("Files that say what cannot be are refused")
    func faults() throws {
        func fault(_ change: (inout ModelText) -> Void) -> String {
            var text = ModelText()
            change(&text)
            return text.fault()
        }
        #expect(
            fault { $0.add("Relu", ["z"], ["y"]) }
                == "node 'node 0' (Relu, opset 17): nothing before it gives its input 'z'")
        #expect(
            fault {
                $0.constant("w", [4, 3, 3, 3])
                $0.add("Conv", ["x", "w"], ["y"])
            }
                == "node 'node 0' (Conv, opset 17): a filter of shape [4, 3, 3, 3] in 1 groups does not fit images of 2 channels"
        )
        #expect(
            fault {
                $0.constant("w", [4, 2, 3, 3], [1])
                $0.add("Conv", ["x", "w"], ["y"])
            } == "tensor 'w' of shape [4, 2, 3, 3] has 1 elements, not 72")
        #expect(
            fault {
                $0.model.opsetImport[0].version = 99
                $0.add("Relu", ["x"], ["y"])
            }.hasPrefix("is of opset 99; known are 7 to 21"))
        #expect(
            fault { $0.add("Relu", ["x"], ["y"]) }
                == "its output 'y': it needs features [N, F], but its input is a tensor of shape [N, 2, 4, 4]"
        )
        #expect(fault { $0.add("Relu", ["x"], ["x"]) }.contains("gives 'x' a second time"))
        #expect(fault { $0.add("Relu", ["x"], []) }.contains("has no output"))
        #expect(fault { $0.add("Concat", [], ["y"], int: ["axis": 1]) }.contains("has no input"))
        #expect(
            fault {
                $0.constant("scales", [2], [2, 2])
                $0.constant("sizes", ints: [8, 8])
                $0.add("Resize", ["x", "", "scales", "sizes"], ["y"])
            }.contains("known are scales or sizes"))
        // A step beyond every end takes the first alone.
        #expect(
            fault {
                $0.constant("c", [3])
                $0.constant("from", ints: [0])
                $0.constant("to", ints: [3])
                $0.constant("step", ints: [.max])
                $0.add("Slice", ["c", "from", "to", "from", "step"], ["first"])
                $0.add("Reshape", ["first", "first"], ["y"])
            }.contains("does not depend on the images"))
        // Each a size that no memory has.
        let huge: Int64 = 1 << 40
        #expect(
            fault {
                $0.constant("shape", ints: [huge, huge])
                $0.add("ConstantOfShape", ["shape"], ["y"])
            }.contains("at most"))
        #expect(
            fault {
                $0.constant("none", [0, huge, huge])
                $0.add("Gather", ["none", "none"], ["y"])
            } == "tensor 'none' has shape [0, \(huge), \(huge)]")
        #expect(
            fault {
                $0.constant("scales", [4], [1, 1, 1e9, 1e9])
                $0.add("Resize", ["x", "", "scales"], ["y"])
            }.contains("a side of"))
        #expect(
            fault {
                for index in 0..<70 {
                    let name = index == 0 ? "x" : "x\(index)"
                    $0.add("Concat", [name, name], ["x\(index + 1)"], int: ["axis": 1])
                }
            }.contains("are known"))
    }

    @Test("Weights elsewhere than in the model's folder are not read")
    func externalPaths() throws {
        for place in ["../w.data", "/etc/passwd", "a/../../w.data", "nowhere.data", ""] {
            var text = ModelText()
            var tensor = Onnx_TensorProto()
            (tensor.name, tensor.dims, tensor.dataType, tensor.dataLocation) = (
                "w", [4, 2, 3, 3], 1, .external
            )
            var entry = Onnx_StringStringEntryProto()
            (entry.key, entry.value) = ("location", place)
            tensor.externalData = [entry]
            text.model.graph.initializer.append(tensor)
            text.add("Conv", ["x", "w"], ["y"])
            let fault = text.fault()
            #expect(
                fault.contains("only files in the model's own folder")
                    || fault.contains("put it beside the model"))
        }
    }

    /// Bytes are changed, taken out and doubled; no reader may trap, and what it says is an error of its own.
    @Test("Damaged files are refused without harm")
    func mutations() throws {
        var text = ModelText()
        text.constant("w", [4, 2, 3, 3])
        text.constant("split", ints: [0, 2, 2, 2, 2])
        text.constant("back", ints: [0, 4, 2, 2])
        text.add("Conv", ["x", "w"], ["c"], ints: ["strides": [1, 1]])
        text.add("Relu", ["c"], ["r"])
        text.add("Reshape", ["r", "split"], ["p"])
        text.add("Transpose", ["p"], ["t"], ints: ["perm": [0, 2, 1, 3, 4]])
        text.add("Reshape", ["t", "back"], ["s"])
        text.add("Concat", ["s", "r"], ["d"], int: ["axis": 1])
        text.add("GlobalAveragePool", ["d"], ["m"])
        text.add("Flatten", ["m"], ["y"])
        _ = try text.imported()
        let whole: [UInt8] = try text.model.serializedBytes()
        let count = ProcessInfo.processInfo.environment["RESIN_FUZZ"].flatMap { Int($0) } ?? 400
        var state: UInt64 = 7
        func random(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        try withTemporaryFolder { folder in
            let path = folder + "/m.onnx"
            for _ in 0..<count {
                var bytes = whole
                for _ in 0...random(4) {
                    let place = random(bytes.count)
                    switch random(4) {
                    case 0: bytes[place] = UInt8(random(256))
                    case 1: bytes[place] ^= 1 << UInt8(random(8))
                    case 2: bytes.removeSubrange(place..<min(place + random(8), bytes.count))
                    default:
                        bytes.insert(
                            contentsOf: bytes[place..<min(place + random(16), bytes.count)], at: place)
                    }
                    if bytes.isEmpty { bytes = [0] }
                }
                try Data(bytes).write(to: URL(fileURLWithPath: path))
                do {
                    _ = try ONNXImport(contentsOf: path)
                } catch is ResinError {
                }
            }
        }
    }
}
