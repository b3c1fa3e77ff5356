/// A square of ink, 0 (none) to 1 (full), on which strokes and spots are drawn with soft edges.
///
/// A stroke is drawn by its distance function: a pixel's ink falls from full to none over the width of the
/// soft edge around the stroke's outline, which is antialiasing and blur in one.
struct GlyphCanvas {
    typealias Point = SIMD2<Float>

    let side: Int
    /// `side` × `side`, row by row.
    private(set) var ink: [Float]
    /// Squared distances in pixels from the polylines of the stroke being drawn.
    private var squaredDistances: [Float]

    init(side: Int) {
        self.side = side
        ink = [Float](repeating: 0, count: side * side)
        squaredDistances = [Float](repeating: .infinity, count: side * side)
    }

    mutating func clear() {
        for index in ink.indices { ink[index] = 0 }
    }

    /// Draws polylines in pixel coordinates (the first pixel's centre is at 0, 0). Where ink is already,
    /// the darker of the two stays, so strokes that cross do not add up.
    mutating func stroke(_ polylines: [[Point]], halfWidth: Float, softness: Float, strength: Float) {
        let reach = halfWidth + softness
        for index in squaredDistances.indices { squaredDistances[index] = .infinity }
        for points in polylines {
            for index in 1..<points.count {
                measure(from: points[index - 1], to: points[index], reach: reach)
            }
        }
        for index in ink.indices where squaredDistances[index] < reach * reach {
            let outside = squaredDistances[index].squareRoot() - halfWidth
            let coverage = min(max(0.5 - outside / (2 * softness), 0), 1)
            ink[index] = max(ink[index], strength * coverage)
        }
    }

    /// Draws a round spot whose ink falls off as (1 - d²/r²)², a cheap bell with a finite reach.
    mutating func spot(at centre: Point, radius: Float, strength: Float) {
        for y in pixels(from: centre.y - radius, to: centre.y + radius) {
            for x in pixels(from: centre.x - radius, to: centre.x + radius) {
                let offset = Point(Float(x), Float(y)) - centre
                let inside = max(1 - (offset * offset).sum() / (radius * radius), 0)
                ink[y * side + x] = max(ink[y * side + x], strength * inside * inside)
            }
        }
    }

    /// Lowers the distances of the pixels within `reach` of a segment; only its bounding box is visited.
    private mutating func measure(from start: Point, to end: Point, reach: Float) {
        let along = end - start
        let squaredLength = max((along * along).sum(), 1e-12)
        let rows = pixels(from: min(start.y, end.y) - reach, to: max(start.y, end.y) + reach)
        let columns = pixels(from: min(start.x, end.x) - reach, to: max(start.x, end.x) + reach)
        for y in rows {
            for x in columns {
                let offset = Point(Float(x), Float(y)) - start
                let position = min(max((offset * along).sum() / squaredLength, 0), 1)
                let away = offset - position * along
                let squaredDistance = (away * away).sum()
                let index = y * side + x
                if squaredDistance < squaredDistances[index] { squaredDistances[index] = squaredDistance }
            }
        }
    }

    /// The rows or columns of the canvas whose centres lie between two coordinates.
    private func pixels(from low: Float, to high: Float) -> Range<Int> {
        let first = max(Int(low.rounded(.up)), 0)
        return first..<max(min(Int(high.rounded(.down)) + 1, side), first)
    }
}
