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

    @Test("warm-up can be counted in steps")
    func warmUpSteps() {
        var schedule = Schedule()
        schedule.warmupSteps = 4
        expect(rates(schedule, epochs: 3), near: [0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    }

    @Test("multistep takes a tenth at each milestone")
    func multistep() {
        var schedule = Schedule(.multistep)
        schedule.milestones = [1, 3]
        expect(rates(schedule, epochs: 4), near: [0.8, 0.8, 0.08, 0.08, 0.08, 0.08, 0.008, 0.008])
    }

    @Test("cosine ends at the least rate, and begins anew after each period")
    func restarts() {
        var schedule = Schedule(.cosine)
        (schedule.leastRate, schedule.restartEpochs) = (0.2, 1)
        expect(rates(schedule, epochs: 2), near: [0.8, 0.5, 0.8, 0.5])
        schedule.warmupEpochs = 1
        expect(rates(schedule, epochs: 3), near: [0.4, 0.8, 0.8, 0.5, 0.8, 0.5])
        schedule.restartEpochs = nil
        schedule.warmupEpochs = 0
        expect(rates(schedule, epochs: 1), near: [0.8, 0.5])
    }

    @Test("one-cycle is PyTorch's, also for a run of a single step", arguments: 1...4)
    func oneCycle(epochs: Int) {
        let rates = rates(Schedule(.oneCycle), epochs: epochs)
        #expect(rates.allSatisfy { $0 > 0 && $0 <= 0.8 } && abs(rates.last! - 0.8 / 250_000) < 1e-9)
        #expect(Schedule(.oneCycle).learningRate(base: 0.8, step: 0, stepsPerEpoch: 1, epochs: 1).isFinite)
    }

    @Test("plateau takes a tenth a reduction, as far as the least rate")
    func plateauRates() {
        var schedule = Schedule(.plateau)
        schedule.leastRate = 0.01
        let rates = (0...3).map {
            schedule.learningRate(base: 0.8, step: 5, stepsPerEpoch: 2, epochs: 9, reductions: $0)
        }
        expect(rates, near: [0.8, 0.08, 0.01, 0.01])
        let many = schedule.learningRate(
            base: 0.8, step: 5, stepsPerEpoch: 2, epochs: 9, reductions: 1_000_000)
        expect([many], near: [0.01])
    }

    @Test("a plateau counts epochs without a better loss, one that is no number among them")
    func plateau() {
        var plateau = Plateau()
        func reductions(_ losses: [Double]) -> [Int] {
            losses.map { loss in
                plateau.observe(loss, patience: 1)
                return plateau.reductions
            }
        }
        // 0.99995 is better by less than a ten-thousandth.
        #expect(reductions([1, 0.99995, .nan, 0.5, 0.6, 0.7, 0.8, 0.9]) == [0, 0, 1, 1, 1, 2, 2, 3])
        #expect(plateau.bestLoss == 0.5)
    }

    @Test(
        "whether a run may be prolonged",
        arguments: [
            (Schedule(.constant), true), (Schedule(.multistep), true), (Schedule(.plateau), true),
            (Schedule(.step), false), (Schedule(.oneCycle), false), (Schedule(.cosine), false),
        ])
    func prolonging(schedule: Schedule, mayBe: Bool) {
        #expect(schedule.dependsOnEpochs != mayBe)
        var restarting = Schedule(.cosine)
        restarting.restartEpochs = 2
        #expect(!restarting.dependsOnEpochs)
    }

    @Test("cosine falls from the end of the warm-up on")
    func warmUpAndCosine() {
        expect(rates(Schedule(.cosine, warmupEpochs: 1), epochs: 2), near: [0.4, 0.8, 0.8, 0.4])
    }
}
