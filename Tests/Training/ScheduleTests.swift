import ResinTraining
import Testing

@Suite("Learning-rate schedules")
struct ScheduleTests {
    /// The rates of base 0.8, over so many epochs of two steps.
    private func rates(_ schedule: Schedule, epochs: Int) -> [Float] {
        (0..<2 * epochs).map { schedule.learningRate(base: 0.8, step: $0, stepsPerEpoch: 2, epochs: epochs) }
    }

    private func expect(_ rates: [Float], near expected: [Float]) {
        #expect(rates.count == expected.count)
        for (rate, value) in zip(rates, expected) { #expect(abs(rate - value) < 1e-6) }
    }

    @Test("constant stays")
    func constant() { expect(rates(Schedule(), epochs: 2), near: [0.8, 0.8, 0.8, 0.8]) }

    @Test("step takes a tenth after each third of the epochs")
    func step() {
        expect(rates(Schedule(.step), epochs: 3), near: [0.8, 0.8, 0.08, 0.08, 0.008, 0.008])
        // Thirds of four epochs end within the second and the third: the next whole epoch counts.
        expect(rates(Schedule(.step), epochs: 4), near: [0.8, 0.8, 0.8, 0.8, 0.08, 0.08, 0.008, 0.008])
    }

    @Test("step with one epoch never falls")
    func stepOfOneEpoch() { expect(rates(Schedule(.step), epochs: 1), near: [0.8, 0.8]) }

    @Test("cosine passes half of the base at half of the steps")
    func cosine() {
        // 0.4 · (1 + cos(π · step / 6))
        expect(rates(Schedule(.cosine), epochs: 3), near: [0.8, 0.7464102, 0.6, 0.4, 0.2, 0.0535898])
    }

    @Test("warm-up rises linearly to the base")
    func warmUp() {
        expect(rates(Schedule(warmupEpochs: 2), epochs: 3), near: [0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    }

    @Test("cosine falls from the end of the warm-up on")
    func warmUpAndCosine() {
        expect(rates(Schedule(.cosine, warmupEpochs: 1), epochs: 2), near: [0.4, 0.8, 0.8, 0.4])
    }
}
