import Foundation

/// The ten symbols of the built-in set, each as polylines in a square from -1 to 1 with y downward.
///
/// All ten stay apart under any rotation, so how far they are turned sets the difficulty and nothing else.
enum GlyphShape: Int, CaseIterable, Sendable {
    case circle, square, triangle, cross, star, arrow, spiral, wave, crescent, heart

    typealias Point = SIMD2<Float>

    var name: String { "\(self)" }

    /// The strokes of every shape, indexed by `rawValue`; curves are sampled finely enough that their
    /// corners vanish in the antialiasing of a 28×28 image.
    static let strokes: [[[Point]]] = allCases.map { $0.makeStrokes() }

    private func makeStrokes() -> [[Point]] {
        switch self {
        case .circle:
            return [Self.curve(segments: 28, from: 0, to: 2 * .pi) { (0.95 * cos($0), 0.95 * sin($0)) }]
        case .square:
            return [Self.polygon([(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)])]
        case .triangle:
            return [Self.polygon([(0, -1), (0.93, 0.75), (-0.93, 0.75)])]
        case .cross:
            return [[Point(-1, 0), Point(1, 0)], [Point(0, -1), Point(0, 1)]]
        case .star:
            return [
                Self.polygon(
                    (0..<10).map { corner in
                        let radius = corner.isMultiple(of: 2) ? 1.1 : 0.45
                        let angle = Double(corner) * .pi / 5
                        return (radius * sin(angle), -radius * cos(angle))
                    })
            ]
        case .arrow:
            return [
                [Point(-1, 0), Point(1, 0)],
                [Point(0.35, -0.65), Point(1, 0), Point(0.35, 0.65)],
            ]
        case .spiral:
            return [
                Self.curve(segments: 40, from: 0, to: 4.25 * .pi) { angle in
                    let radius = 0.08 + 0.92 * angle / (4.25 * .pi)
                    return (radius * cos(angle), radius * sin(angle))
                }
            ]
        case .wave:
            return [
                Self.curve(segments: 28, from: -1, to: 1) { (1.1 * $0, 0.5 * sin(1.75 * .pi * $0)) }
            ]
        case .crescent:
            // Two arcs that meet in the tips: the outer about the origin, the inner about (0.5, 0).
            let tip = 50 * Double.pi / 180
            let outerRadius = 0.95
            let (x, y) = (outerRadius * cos(tip) - 0.5, outerRadius * sin(tip))
            let innerRadius = (x * x + y * y).squareRoot()
            let innerTip = atan2(y, x)
            return [
                Self.curve(segments: 22, from: tip, to: 2 * .pi - tip) {
                    (outerRadius * cos($0), outerRadius * sin($0))
                },
                Self.curve(segments: 16, from: innerTip, to: 2 * .pi - innerTip) {
                    (0.5 + innerRadius * cos($0), innerRadius * sin($0))
                },
            ]
        case .heart:
            return [
                Self.curve(segments: 32, from: 0, to: 2 * .pi) { angle in
                    let y = 13 * cos(angle) - 5 * cos(2 * angle) - 2 * cos(3 * angle) - cos(4 * angle)
                    return (pow(sin(angle), 3), -(y + 2.5) / 16)
                }
            ]
        }
    }

    private static func polygon(_ corners: [(x: Double, y: Double)]) -> [Point] {
        (corners + [corners[0]]).map { Point(Float($0.x), Float($0.y)) }
    }

    /// Computed in double precision and then rounded, so that the last bit of a C library's `sin` does not
    /// show in the images.
    private static func curve(
        segments: Int, from start: Double, to end: Double, _ point: (Double) -> (x: Double, y: Double)
    ) -> [Point] {
        (0...segments).map { step in
            let (x, y) = point(start + (end - start) * Double(step) / Double(segments))
            return Point(Float(x), Float(y))
        }
    }
}
