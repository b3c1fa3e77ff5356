import ResinGraph
import ResinTensor

extension Blueprint {
    static let inceptionV3 = Blueprint(
        "inception_v3", description: "Eleven Inception blocks of factorised convolutions; no auxiliary head",
        paper: "Szegedy et al.: Rethinking the Inception architecture for computer vision, CVPR 2016",
        defaultInput: ImageShape(channels: 3, side: 299), options: [.dropout], variants: [.torchvision]
    ) { input, classes, options in
        .inceptionV3(input: input, classes: classes, dropout: options.dropout ?? 0.5)
    }
}

extension Network {
    /// Inception v3 (Szegedy et al., CVPR 2016, Table 1) in torchvision's form, without its auxiliary head, under torchvision's
    /// names. Inputs from 75×75 pixels on fit. Its published weights are for images normalised with mean 0.5 and deviation
    /// 0.5.
    static func inceptionV3(input: ImageShape, classes: Int, dropout: Float) -> Network {
        typealias Block = FactorisedInception
        return Network("inception_v3", input: input, classes: classes) {
            NormalisedConvolution(32, kernel: 3, stride: 2, padding: 0).named("Conv2d_1a_3x3")
            NormalisedConvolution(32, kernel: 3, padding: 0).named("Conv2d_2a_3x3")
            NormalisedConvolution(64, kernel: 3).named("Conv2d_2b_3x3")
            MaxPool2D(kernel: 3, stride: 2).named("maxpool1")
            NormalisedConvolution(80, kernel: 1).named("Conv2d_3b_1x1")
            NormalisedConvolution(192, kernel: 3, padding: 0).named("Conv2d_4a_3x3")
            MaxPool2D(kernel: 3, stride: 2).named("maxpool2")
            Block.wide(pooled: 32).named("Mixed_5b")
            Block.wide(pooled: 64).named("Mixed_5c")
            Block.wide(pooled: 64).named("Mixed_5d")
            Block.firstReduction.named("Mixed_6a")
            for (name, narrow) in zip(["b", "c", "d", "e"], [128, 160, 160, 192]) {
                Block.rowsAndColumns(narrow).named("Mixed_6\(name)")
            }
            Block.secondReduction.named("Mixed_7a")
            Block.spread.named("Mixed_7b")
            Block.spread.named("Mixed_7c")
            GlobalAveragePool2D().named("avgpool")
            Dropout(dropout).named("dropout")
            Dense(classes).named("fc")
        }
    }
}

/// An Inception block: paths side by side, each of convolutions one after another, and one that pools first.
private struct FactorisedInception: Layer {
    /// A convolution and its name.
    struct Step {
        var name: String
        var convolution: NormalisedConvolution

        init(_ name: String, _ channels: Int, _ height: Int, _ width: Int, stride: Int = 1) {
            self.name = name
            convolution = NormalisedConvolution(
                channels, Extent(height, width), stride: stride,
                padding: stride == 1 ? Extent(height / 2, width / 2) : Extent(0))
        }
    }

    enum Pool {
        case average(Step)
        case largest
    }

    var paths: [[Step]]
    /// Convolutions that all read a path's result, by the path's number.
    var ends: [Int: [Step]] = [:]
    var pool: Pool

    /// Figure 5: a 5×5 convolution, and another as two 3×3 ones.
    static func wide(pooled: Int) -> FactorisedInception {
        FactorisedInception(
            paths: [
                [Step("branch1x1", 64, 1, 1)],
                [Step("branch5x5_1", 48, 1, 1), Step("branch5x5_2", 64, 5, 5)],
                [
                    Step("branch3x3dbl_1", 64, 1, 1), Step("branch3x3dbl_2", 96, 3, 3),
                    Step("branch3x3dbl_3", 96, 3, 3),
                ],
            ], pool: .average(Step("branch_pool", pooled, 1, 1)))
    }

    /// Figure 10: halves height and width.
    static var firstReduction: FactorisedInception {
        FactorisedInception(
            paths: [
                [Step("branch3x3", 384, 3, 3, stride: 2)],
                [
                    Step("branch3x3dbl_1", 64, 1, 1), Step("branch3x3dbl_2", 96, 3, 3),
                    Step("branch3x3dbl_3", 96, 3, 3, stride: 2),
                ],
            ], pool: .largest)
    }

    /// Figure 6 with n = 7: rows and columns one after another.
    static func rowsAndColumns(_ narrow: Int) -> FactorisedInception {
        FactorisedInception(
            paths: [
                [Step("branch1x1", 192, 1, 1)],
                [
                    Step("branch7x7_1", narrow, 1, 1), Step("branch7x7_2", narrow, 1, 7),
                    Step("branch7x7_3", 192, 7, 1),
                ],
                [
                    Step("branch7x7dbl_1", narrow, 1, 1), Step("branch7x7dbl_2", narrow, 7, 1),
                    Step("branch7x7dbl_3", narrow, 1, 7), Step("branch7x7dbl_4", narrow, 7, 1),
                    Step("branch7x7dbl_5", 192, 1, 7),
                ],
            ], pool: .average(Step("branch_pool", 192, 1, 1)))
    }

    /// Halves height and width once more.
    static var secondReduction: FactorisedInception {
        FactorisedInception(
            paths: [
                [Step("branch3x3_1", 192, 1, 1), Step("branch3x3_2", 320, 3, 3, stride: 2)],
                [
                    Step("branch7x7x3_1", 192, 1, 1), Step("branch7x7x3_2", 192, 1, 7),
                    Step("branch7x7x3_3", 192, 7, 1), Step("branch7x7x3_4", 192, 3, 3, stride: 2),
                ],
            ], pool: .largest)
    }

    /// Figure 7: rows and columns side by side.
    static var spread: FactorisedInception {
        FactorisedInception(
            paths: [
                [Step("branch1x1", 320, 1, 1)], [Step("branch3x3_1", 384, 1, 1)],
                [Step("branch3x3dbl_1", 448, 1, 1), Step("branch3x3dbl_2", 384, 3, 3)],
            ],
            ends: [
                1: [Step("branch3x3_2a", 384, 1, 3), Step("branch3x3_2b", 384, 3, 1)],
                2: [Step("branch3x3dbl_3a", 384, 1, 3), Step("branch3x3dbl_3b", 384, 3, 1)],
            ], pool: .average(Step("branch_pool", 192, 1, 1)))
    }

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        func applied(_ step: Step, to value: ValueID) throws -> ValueID {
            try scope.apply(step.convolution, to: value, name: step.name)
        }
        var outputs: [ValueID] = []
        for (number, path) in paths.enumerated() {
            let value = try path.reduce(input) { try applied($1, to: $0) }
            outputs += try ends[number].map { try $0.map { try applied($0, to: value) } } ?? [value]
        }
        switch pool {
        case .average(let step):
            let pooled = try scope.apply(
                AveragePool2D(kernel: 3, stride: 1, padding: 1), to: input, name: "pool")
            outputs.append(try applied(step, to: pooled))
        case .largest:
            outputs.append(try scope.apply(MaxPool2D(kernel: 3, stride: 2), to: input, name: "pool"))
        }
        return try scope.concatenate(outputs)
    }
}
