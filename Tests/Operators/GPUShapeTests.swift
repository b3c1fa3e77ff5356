import ResinCases
import ResinDevice
import ResinGraph
import ResinPlan
import ResinTensor
import ResinTestDevices
import Testing

/// What GPUs run beside convolutions, on whatever OpenCL device is here: reductions by work-groups, groups
/// larger than the work, aligned vectors.
@Suite(.needsDevice)
struct GPUShapeTests {
    private static let families = OpCase.Family.allCases.filter { $0 != .convolution }

    @Test("What GPUs run agrees with the reference", arguments: families.flatMap(\.cases))
    func agreement(of opCase: OpCase) throws { try expectAgreement(of: opCase, .gpu()) }

    /// Fewer rows to reduce, and groups that end inside a run of channels.
    @Test("Small groups agree too", arguments: OpCase.inDepth(OpCase.batchNorm))
    func smallGroups(of opCase: OpCase) throws {
        var traits = DeviceTraits.gpu()
        traits.groupWorkItems = 32
        try expectAgreement(of: opCase, traits)
    }

    @Test(
        "The last group of a launch combines to the same bits as another launch",
        .enabled(if: DeviceTraits.gpu().fence != nil, "the device has no fence between groups"),
        arguments: OpCase.inDepth(OpCase.batchNorm))
    func lastGroup(of opCase: OpCase) throws {
        var withoutFence = DeviceTraits.gpu()
        withoutFence.fence = nil
        let bits = try [.gpu(), withoutFence].map { traits in
            try opCase.outputs(traits).map { $0.map(\.bitPattern) }
        }
        #expect(bits[0] == bits[1])
    }

    /// Parts of 16, 24 and 32 channels begin at whole pieces. 16 behind 7 do not begin where a load of four may.
    @Test(
        "Parts of a concatenation's gradient are read where they lie",
        arguments: [(Precision.float32, Staging.words), (.mixed, .pieces)])
    func parts(precision: Precision, staging: Staging) throws {
        let cases = OpCase.concatenation.filter { $0.operation == "branch_gradients" }
        #expect(cases.count == 2)
        let traits = DeviceTraits.gpu(GroupTile.onTensorCores.last!, staging: staging)
        for opCase in cases {
            let graph = try opCase.makeGraph().inPrecision(precision)
            let kernels = try SharedExecutors.use(traits) { executor in
                executor.launches(of: executor.makePlan(graph)).map(\.kernel)
            }
            #expect(kernels.contains("split_channels") == opCase.name.contains("7 + 16"), "\(opCase)")
            try expectExactness(of: opCase, traits, in: precision)
        }
    }

    /// An image of one pixel and one vector of channels leaves a group's work-items to the third dimension.
    @Test("A group has at most 64 work-items along its third dimension, as NVIDIA wants it")
    func thirdDimension() throws {
        let shape = Shape(images: 256, height: 1, width: 1, channels: 4)
        var graph = Graph()
        let vector = graph.addParameter(
            Parameter(name: "input", layout: .vector(shape.count), role: .shift))
        let pixels = try graph.apply(.unflatten(Op.Unflatten(shape: shape)), to: [vector], name: "input")
        let op = Op.GlobalAveragePoolGradient(extent: 1)
        graph.results = try graph.apply(.globalAveragePoolGradient(op), to: pixels, name: "pool")
        try SharedExecutors.use(.gpu()) { executor in
            let launches = executor.launches(of: executor.makePlan(graph))
            #expect(launches.map(\.local) == [[1, 1, 64]])
        }
    }

    @Test("Twice the same run gives the same bits", arguments: families)
    func reproducible(_ family: OpCase.Family) throws {
        for opCase in family.cases.filter(\.isChecked) {
            let runs = try (0..<2).map { _ in try opCase.outputs(.gpu()).map { $0.map(\.bitPattern) } }
            #expect(runs[0] == runs[1], "\(opCase)")
        }
    }
}
