import Resin
import ResinGraph
import ResinNetworks
import ResinPlan
import ResinTensor
import ResinTraining
import Testing

@Suite("Memory of whole networks")
struct MemoryTests {
    private static let device = try? ComputeDevice.best()

    /// Bytes of training with SGD and momentum, with the best device's scratch memory.
    private func trainingBytes(_ network: Network, batch: Int) throws -> Int {
        try network.memory(batch: batch, on: try #require(Self.device)).trainingBytes
    }

    @Test("NiN at 224×224 trains with batch 128 in less than 3 GB")
    func nin() throws {
        let bytes = try trainingBytes(.nin(), batch: 128)
        #expect(bytes < 3_000_000_000)
    }

    @Test("ResNet-18 at 96×96 trains with batch 64 in less than 1 GB")
    func resNet() throws {
        let bytes = try trainingBytes(.resNet18(input: ImageShape(channels: 1, side: 96)), batch: 64)
        #expect(bytes < 1_000_000_000)
    }

    @Test("prediction takes less than training")
    func inference() throws {
        let network = Network.nin(input: ImageShape(channels: 1, side: 96))
        let memory = try network.memory(batch: 16, on: ComputeDevice.matching("reference"))
        #expect(memory.parametersBytes == 4 * 1_992_166)
        #expect(memory.inferenceBytes < memory.trainingBytes / 2)
    }

    @Test("a plan too large for the device says need, have, and the largest batch that fits")
    func advice() throws {
        let network = Network("small", input: ImageShape(channels: 1, side: 16), classes: 10) {
            Convolution2D(64, kernel: 3, padding: 1)
            ReLU()
            GlobalAveragePool2D()
            Dense(10)
        }
        func trainer(batch: Int) throws -> Trainer {
            let dataset = try Dataset.glyphs(seed: 1, trainCount: 200, testCount: 10)
            let configuration = TrainingConfiguration(
                network: network, data: "glyphs", classNames: dataset.classNames, mean: dataset.mean,
                standardDeviation: dataset.standardDeviation, epochs: 1, batch: batch,
                optimizer: .sgd(learningRate: 0.1))
            return try Trainer(network, dataset, configuration, on: SmallDevice(byteCount: 4_000_000))
        }
        let error = #expect(throws: ResinError.self) { try trainer(batch: 128) }
        #expect(error?.kind == .outOfMemory)
        let message = try #require(error).message
        #expect(message.hasPrefix("training with batch 128 needs "))
        #expect(message.contains("small device has 4.0 MB, at most 4.0 MB in one piece"))
        let words = try #require(message.split(separator: "--batch ").last)
        let largest = try #require(Int(words))
        #expect(message.contains("the largest batch that fits is \(largest): use --batch \(largest)"))
        #expect(try trainer(batch: largest).memory.total <= 4_000_000)
        #expect(throws: ResinError.self) { try trainer(batch: largest + 1) }
    }
}

/// Holds and runs nothing; only its size counts.
private final class SmallDevice: Executor {
    let memoryLimits: (total: Int, allocation: Int)
    let device = DeviceDescription(
        name: "small device", vendor: "", type: .other, platform: "none", index: 0, platformDevice: nil,
        memoryByteCount: 0, computeUnits: 1, version: "")

    init(byteCount: Int) { memoryLimits = (byteCount, byteCount) }

    func form(of node: Node, in graph: Graph) -> any NodeForm { PlainForm() }
    func allocate(_ region: Region, byteCount: Int) {}
    func write(_ bytes: UnsafeRawBufferPointer, to region: Region, offset: Int) {}
    func read(_ region: Region, offset: Int, into bytes: UnsafeMutableRawBufferPointer) {}
    func prepare(_ plan: Plan) -> any Executable { Idle() }

    private final class Idle: Executable {
        func run(_ uniforms: StepUniforms) {}
        func read(_ value: ValueID) -> [Float] { [] }
        func synchronize() {}
    }
}
