import ResinTraining
import Testing

@Suite struct MultiLabelTests {
    /// Of the first class, images with it come first, second and fourth among the scores: (1 + 1 + ¾) / 3.
    @Test("Average precision, exact matches and decisions are those counted by hand")
    func counts() throws {
        var counts = MultiLabelCounts(classCount: 2)
        counts.add([3, -1], classes: [0])
        counts.add([2, 1], classes: [0, 1])
        counts.add([1, -2], classes: [])
        counts.add([-1, 2], classes: [0])
        let metrics = counts.metrics
        #expect(abs(metrics.averagePrecision[0]! - 2.75 / 3) < 1e-12)
        // Second among the scores.
        #expect(metrics.averagePrecision[1] == 0.5)
        #expect(metrics.exactMatch == 0.5)
        #expect(metrics.decisionAccuracy == 0.625)
        func row(_ metrics: ClassMetrics) -> [Int] {
            [metrics.imageCount, metrics.predictionCount, metrics.correctCount]
        }
        #expect(metrics.classMetrics.map(row) == [[3, 3, 2], [1, 2, 1]])
    }

    @Test("Equal scores pass a threshold together; a class without images has no precision")
    func ties() throws {
        var counts = MultiLabelCounts(classCount: 2)
        for classes in [[0], [], [0], []] { counts.add([1, 1], classes: classes) }
        #expect(counts.metrics.averagePrecision == [0.5, nil])
        #expect(counts.metrics.meanAveragePrecision == 0.5)
    }
}
