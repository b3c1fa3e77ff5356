import ResinCases
import ResinGraph
import Testing

@Suite struct DeviationTests {
    private static func deviation(
        of value: Float, from exact: Float, besides largest: Float = 1, allowing tolerance: Float = 0,
        in precision: Precision = .float32
    ) -> Deviation {
        var opCase = OpCase.elementwise[0]
        opCase.tolerance = tolerance
        return Deviation(
            of: [[0], [largest, value]], from: [[0], [largest, exact]],
            allowing: opCase.tolerance(of: .direct, in: precision))
    }

    @Test("An error is relative to the largest value of its output, and the element is named")
    func relative() {
        let deviation = Self.deviation(of: 2.5, from: 2, besides: 8, allowing: 0.05)
        #expect(deviation.worst == 0.0625)
        #expect(deviation.failure?.hasPrefix("element 1 of output 1 is 2.5 instead of 2.0") == true)
        #expect(Self.deviation(of: 2.5, from: 2, besides: 8, allowing: 0.07).failure == nil)
    }

    @Test(
        "No error is allowed where only one of two numbers is finite",
        arguments: [(.infinity, 1), (1, .infinity), (.nan, 1), (1, .nan), (.infinity, -.infinity)]
            as [(Float, Float)])
    func notFinite(_ value: Float, _ exact: Float) {
        let deviation = Self.deviation(of: value, from: exact, allowing: 1, in: .mixed)
        #expect(deviation.worst == .infinity && deviation.failure != nil)
    }

    @Test(
        "What both have is no error, also where it is no number", arguments: [.nan, .infinity, 3] as [Float])
    func same(_ value: Float) {
        let deviation = Self.deviation(of: value, from: value)
        #expect(deviation.worst == 0 && deviation.failure == nil)
    }

    @Test("In 16 bits a neighbour of the element is allowed")
    func neighbours() {
        #expect(Self.deviation(of: 1 + 0x1p-7, from: 1, in: .mixed).failure == nil)
        #expect(Self.deviation(of: 1 + 0x1p-7, from: 1, in: .mixedFloat16).failure != nil)
        #expect(Self.deviation(of: 1 + 0x1p-10, from: 1, in: .mixedFloat16).failure == nil)
        #expect(Self.deviation(of: 1 + 0x1p-10, from: 1).failure != nil)
        #expect(Self.deviation(of: 0.25 + 0x1p-7, from: 0.25, in: .mixed).failure != nil)
    }
}
