import ResinGraph
import ResinPlan
import ResinTensor

extension OpCase {
    package static let upsampling: [OpCase] = upsampled.enumerated().flatMap { index, sizes in
        methods.flatMap { upsampling(sizes.input, to: sizes.size, $0) }.map { $0.checked(if: index < 4) }
    }

    private static let methods: [Op.Upsampling.Method] = [
        .nearest, .bilinear(alignsCorners: false), .bilinear(alignsCorners: true),
    ]

    private static func upsampling(
        _ input: Shape, to size: Extent, _ method: Op.Upsampling.Method
    ) -> [OpCase] {
        let op = Op.Upsampling(to: size, method)
        let output = Shape(
            images: input.images, height: size.height, width: size.width, channels: input.channels)
        let way =
            switch method {
            case .nearest: "nearest"
            case .bilinear(let alignsCorners): "bilinear\(alignsCorners ? ", corners aligned" : "")"
            }
        let kind: Double =
            switch method {
            case .nearest: 0
            case .bilinear(let alignsCorners): alignsCorners ? 2 : 1
            }
        let settings = [
            "size": [Double(size.height), Double(size.width)], "method": [kind],
            "image": input.extents.map(Double.init),
        ]
        return [
            OpCase(
                "upsampling, \(input) to \(size), \(way)", "upsampling", settings: settings,
                inputs: [.tensor(input)], outputs: [.value(output)]
            ) { graph, inputs in try graph.apply(.upsampling(op), to: inputs, name: "resize") },
            OpCase(
                "upsampling's gradient, \(input) to \(size), \(way)", "upsampling_gradient",
                settings: settings,
                inputs: [.tensor(output)], outputs: [.value(input)]
            ) { graph, inputs in
                let gradient = Op.UpsamplingGradient(forward: op, inputShape: input)
                return try graph.apply(.upsamplingGradient(gradient), to: inputs, name: "resize")
            },
        ]
    }
}

/// Twice as large, odd factors, one side smaller, from and to one pixel.
private let upsampled: [(input: Shape, size: Extent)] = [
    ([2, 7, 5, 32], Extent(14, 10)), ([3, 4, 6, 17], Extent(9, 11)), ([1, 9, 8, 5], Extent(5, 13)),
    ([2, 1, 1, 33], Extent(3, 4)), ([1, 5, 3, 1], Extent(1, 3)), ([2, 3, 2, 10], Extent(31, 7)),
]
