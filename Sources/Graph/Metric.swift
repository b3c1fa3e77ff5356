/// What is counted of a step's images. A row of `Region.metrics` has a column for each, in this order.
public enum Metric: Int, CaseIterable, Hashable, Sendable {
    case loss
    /// Images of which the label has the largest logit, or one of the five largest.
    case correct, correctAmong5
    /// Images whose loss is not finite: an optimizer leaves their step out.
    case notFinite

    package static let rowByteCount = 4 * allCases.count
}

/// What is trained for. It gives a row of `Metric.allCases` an image, of which `Op.recordMetrics` takes the sums, and begins
/// the backward pass.
package protocol Loss: Operator {
    /// What it counts; other columns stay zero.
    var metrics: Set<Metric> { get }
    /// What computes, from the loss's own inputs, the gradient of its mean over the step's images with respect to the
    /// first of them.
    var gradientSeed: Op { get }
}
