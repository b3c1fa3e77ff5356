import Resin
import ResinCases
import ResinDevice
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTestDevices
import ResinTraining
import Testing

@Suite(.needsDevice)
struct FormCheckTests {
    /// All classes of kernels that this machine's first device runs, its own or as a GPU.
    private static let classes: [(kind: DeviceTraits.Kind, traits: [DeviceTraits])] = {
        var withoutTiles = DeviceTraits.gpu()
        withoutTiles.groupTiles = []
        // A work-group's share of a small device, and hardly any.
        let small = [32 << 10, 1 << 10].map { byteCount in
            var traits = DeviceTraits.own(.fast)
            traits.localMemoryByteCount = byteCount
            return traits
        }
        return [
            (.cpu, [.own(.fast), .own(.exact)] + small),
            (
                .gpu,
                [
                    .gpu(math: .fast), .gpu(), withoutTiles,
                    .gpu(GroupTile.onTensorCores.last!, math: .fast, staging: .asynchronousPieces),
                ]
            ),
        ]
    }()

    private static func forms(_ traits: DeviceTraits) throws -> Set<String> {
        try SharedExecutors.use(traits) { executor in
            try FormCheck.candidates(on: executor, in: .float32).reduce(into: []) { $0.formUnion($1.forms) }
        }
    }

    @Test("Every form of a convolution has a case that takes it, on the kinds of device that have it")
    func convolutions() throws {
        let operators = [
            "forward": "convolution2D ", "input gradient": "convolution2DInputGradient ",
            "filter gradient": "convolution2DFilterGradient ",
            "grouped forward": "groupedConvolution2D ",
            "grouped input gradient": "groupedConvolution2DInputGradient ",
            "grouped filter gradient": "groupedConvolution2DFilterGradient ",
        ]
        for (kind, traits) in Self.classes {
            let forms = try traits.reduce(into: Set<String>()) { $0.formUnion(try Self.forms($1)) }
            for entry in ConvolutionFormEntry.all where entry.kind == kind {
                let beginning = try #require(operators[entry.pass]) + entry.name + " "
                #expect(forms.contains { $0.hasPrefix(beginning) }, "\(entry)")
            }
        }
    }

    @Test(
        "All kernels that a training takes have a case, in the form in which it takes them",
        arguments: Network.blueprints.map(\.name))
    func networks(_ name: String) throws {
        let network = try Network.named(name)
        let one = [Float](repeating: 1, count: network.input.channels)
        let configuration = TrainingConfiguration(
            network: network, data: "", classNames: (0..<network.classCount).map(String.init), mean: one,
            standardDeviation: one, epochs: 1, batch: 8,
            optimizer: .adam(learningRate: 0.001))
        for traits in Self.classes.flatMap(\.traits) {
            let known = try Self.forms(traits)
            let used = try SharedExecutors.use(traits) { executor in
                let graphs = try TrainingGraphs(
                    network, .uniform(network.input.batch(of: 8)), configuration)
                return [graphs.gradients, graphs.update].map {
                    FormCheck.Candidate("", executor.makePlan($0), on: executor).forms
                }
            }
            #expect(used.reduce(into: Set()) { $0.formUnion($1) }.subtracting(known).isEmpty)
        }
    }

    @Test("Few cases have all forms, and the device passes them")
    func pass() throws {
        let device = try ComputeDevice.all()[0]
        let cases = try FormCheck.cases(of: device, all: true)
        #expect(Set(cases).count == cases.count && cases.count < OpCase.all.count / 10)
        let check = try FormCheck.run(cases, on: device)
        #expect(check.failure == nil && check.worstError != nil)
    }

    @Test("The reference has nothing to pass")
    func reference() throws {
        let device = try ComputeDevice.matching("reference")
        #expect(try FormCheck.cases(of: device, all: true).isEmpty)
    }
}
