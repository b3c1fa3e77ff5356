import ResinNetworks
import ResinReference
import ResinTestDevices
import Testing

@Suite("Every network is PyTorch's")
struct GoldenTests {
    @Test("Logits, loss and gradients on OpenCL", .needsDevice, arguments: NetworkCase.all)
    func device(_ networkCase: NetworkCase) throws {
        try check(networkCase) { mode in
            try SharedExecutors.use(.own(.exact)) { try NetworkRun(networkCase, mode, on: $0) }
        }
    }

    @Test("Logits, loss and gradients on the reference", arguments: NetworkCase.all)
    func reference(_ networkCase: NetworkCase) throws {
        try check(networkCase) { try NetworkRun(networkCase, $0, on: ReferenceExecutor()) }
    }

    @Test("Names and shapes are those of the state_dict", arguments: NetworkCase.all)
    func state(_ networkCase: NetworkCase) throws {
        let golden = try #require(NetworkGolden.all[networkCase.description])
        let graph = try networkCase.network.makeGraph().graph
        var state = Dictionary(
            uniqueKeysWithValues: graph.parameters.map { ($0.name, $0.layout.externalShape) })
        for statistic in graph.statistics { state[statistic.name] = [statistic.count] }
        #expect(state == golden.state)
    }

    private func check(
        _ networkCase: NetworkCase, _ run: (NetworkScope.Mode) throws -> NetworkRun
    ) throws {
        let golden = try #require(NetworkGolden.all[networkCase.description])
        for (mode, exact) in [
            (NetworkScope.Mode.inference, golden.inference), (.training, golden.training),
        ] where networkCase.modes.contains(mode) {
            let result = try run(mode)
            let largest = exact.logits.reduce(0) { max($0, abs($1)) }
            #expect(result.logits.count == exact.logits.count)
            for (logit, exact) in zip(result.logits, exact.logits) {
                #expect(abs(Double(logit) - exact) < networkCase.logitTolerance * largest, "\(mode)")
            }
            #expect(
                abs(result.loss - exact.loss) < networkCase.logitTolerance * max(largest, exact.loss),
                "\(mode)")
            guard mode == .training else { continue }
            #expect(Set(result.gradients.keys) == Set(golden.gradients.keys))
            try check(result.gradients, golden.gradients, within: networkCase.tolerance)
        }
    }

    private func check(
        _ gradients: [String: [Float]], _ golden: [String: [Double]], within tolerance: Double
    ) throws {
        let largestOfAll = golden.values.reduce(0) { max($0, $1[2]) }
        var errors: [(error: Double, name: String)] = []
        for (name, gradient) in gradients {
            guard let exact = golden[name] else { continue }
            // A bias before a batch norm has no gradient but rounding errors.
            let scale = max(exact[2], 1e-2 * largestOfAll)
            for (sample, value) in exact.dropFirst(3).enumerated() {
                let place = Int(splitMix(UInt64(sample + 1)) % UInt64(gradient.count))
                errors.append((abs(Double(gradient[place]) - value) / scale, "\(name)[\(place)]"))
            }
            let absoluteSum = gradient.reduce(0) { $0 + Double(abs($1)) }
            let allowed = tolerance * max(exact[1], scale * Double(gradient.count).squareRoot())
            #expect(abs(absoluteSum - exact[1]) < allowed, "absolute sum of \(name)")
            let sum = gradient.reduce(0) { $0 + Double($1) }
            #expect(abs(sum - exact[0]) < allowed, "sum of \(name)")
        }
        let worst = try #require(errors.max { $0.error < $1.error })
        #expect(worst.error < tolerance, "\(worst.name)")
    }
}
