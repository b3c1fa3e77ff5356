import ResinGraph
import ResinNetworks
import ResinTensor
import Testing

/// A network of these layers for 2×8×8 images, without classes to care for.
private func graph(
    mode: NetworkScope.Mode = .training, @LayerBuilder _ layers: () -> [any Layer]
) throws -> NetworkGraph {
    try Network(input: ImageShape(channels: 2, side: 8), classes: 5) {
        Sequential(layers())
        GlobalAveragePool2D()
        Dense(5)
    }.makeGraph(batch: 3, mode: mode)
}

private func message(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch { return "\(error)" }
}

@Suite struct LayerTests {
    @Test func aBuilderTakesConditionsLoopsAndArrays() {
        let isDeep = true
        let pool: MaxPool2D? = MaxPool2D(kernel: 2)
        let layers = Sequential {
            if isDeep { Convolution2D(4, kernel: 3) } else { Flatten() }
            for channels in [8, 16] {
                Convolution2D(channels, kernel: 1)
                ReLU()
            }
            if let pool { pool }
            if !isDeep { Dropout(0.5) }
            [ReLU(), ReLU()]
            switch isDeep {
            case true: GlobalAveragePool2D()
            case false: Flatten()
            }
        }.layers
        #expect(
            layers.map { "\(type(of: $0))" } == [
                "Convolution2D", "Convolution2D", "ReLU", "Convolution2D", "ReLU", "MaxPool2D", "ReLU",
                "ReLU",
                "GlobalAveragePool2D",
            ])
    }

    @Test func layersWithoutParametersTakeAnIndex() throws {
        let parameters = try graph {
            ReLU()
            Sequential {
                ReLU()
                Convolution2D(4, kernel: 3, bias: false)
            }
        }.graph.parameters
        #expect(parameters.map(\.name) == ["0.1.1.weight", "2.weight", "2.bias"])
    }

    @Test func inferenceHasNoDropoutNoIndicesAndRunningStatistics() throws {
        func operators(_ mode: NetworkScope.Mode) throws -> [Op] {
            try graph(mode: mode) {
                BatchNorm(momentum: 0.2)
                MaxPool2D(kernel: 2)
                Dropout(0.5)
                Dropout(0)
                Dropout(0.25)
            }.graph.nodes.dropLast(2).map(\.op)
        }
        let window = Window(kernel: 2, stride: 2)
        #expect(
            try operators(.training) == [
                .batchNorm(Op.BatchNorm(epsilon: 1e-5, momentum: 0.2)),
                .maxPool2D(Op.MaxPool2D(window: window, givesIndices: true)),
                .dropout(Op.Dropout(probability: 0.5, node: 0)),
                .dropout(Op.Dropout(probability: 0.25, node: 2)),
            ])
        #expect(
            try operators(.inference) == [
                .batchNormInference(Op.BatchNormInference(epsilon: 1e-5)),
                .maxPool2D(Op.MaxPool2D(window: window, givesIndices: false)),
            ])
    }

    @Test func runningStatisticsStartAtZeroAndOne() throws {
        #expect(
            try graph { BatchNorm() }.graph.statistics == [
                Statistic(name: "0.0.running_mean", count: 2, initialValue: 0),
                Statistic(name: "0.0.running_var", count: 2, initialValue: 1),
            ])
    }

    @Test func aDenseLayerRemembersTheImageItsInputWasFlattenedFrom() throws {
        let network = Network(input: ImageShape(channels: 2, height: 3, width: 4), classes: 5) {
            Flatten()
            ReLU()
            Dropout(0.5)
            Dense(7)
            Dense(5)
        }
        let layouts = try network.makeGraph(batch: 1, mode: .training).graph.parameters.map(\.layout)
        #expect(
            layouts == [
                .dense(outputs: 7, inputs: 2, height: 3, width: 4), .vector(7),
                .dense(outputs: 5, inputs: 7, height: 1, width: 1), .vector(5),
            ])
    }

    @Test func aDenseLayersFilterTakesTheFlattenedImageInPyTorchsOrder() {
        // One output, two channels, two pixels: in files c0p0 c0p1 c1p0 c1p1, on the device pixel by pixel.
        let layout = ParameterLayout.dense(outputs: 1, inputs: 2, height: 1, width: 2)
        #expect(layout.deviceOrder([0, 1, 10, 11]) == [0, 10, 1, 11])
    }

    @Test func aResidualBlockNamesItsChildrenAsPyTorchDoes() throws {
        let built = try graph { Residual(4, stride: 2, usesProjection: true) }
        #expect(built.graph.shape(of: built.graph.nodes.dropLast(2).last!.outputs[0]) == [3, 4, 4, 4])
        #expect(
            Set(built.graph.parameters.map(\.name))
                == Set(
                    ["conv1", "bn1", "conv2", "bn2", "conv3"].flatMap {
                        ["0.0.\($0).weight", "0.0.\($0).bias"]
                    } + ["2.weight", "2.bias"]))
        #expect(built.activations.map(\.layer) == ["0.0.relu1", "0.0.relu2"])
    }

    @Test func rectangularWindowsArePossible() throws {
        let built = try graph {
            Convolution2D(4, window: Window(kernel: Extent(1, 7), padding: Extent(0, 3)))
            AveragePool2D(window: Window(kernel: Extent(8, 1)))
        }
        #expect(built.graph.shape(of: built.graph.nodes[1].outputs[0]) == [3, 1, 8, 4])
    }

    @Test func aConvolutionInGroupsHasTheFilterOfAGroupsInputs() throws {
        let built = try graph {
            Convolution2D(6, kernel: 3, padding: 1, groups: 2)
            Convolution2D(12, kernel: 3, stride: 2, padding: 2, groups: 6, dilation: 2, bias: false)
        }
        #expect(
            built.graph.parameters.prefix(3).map(\.layout.externalShape)
                == [[6, 1, 3, 3], [6], [12, 1, 3, 3]])
        #expect(built.graph.parameters[0].layout.fans.fanIn == 9)
        #expect(built.graph.shape(of: built.graph.nodes[1].outputs[0]) == [3, 4, 4, 12])
        let rows = built.entries.map(\.row).filter { $0.type == "Convolution2D" }
        #expect(rows.map(\.parameters) == [6 * 9 + 6, 12 * 9])
        // Of a batch of three.
        #expect(rows.map(\.multiplyAdds) == [3 * 8 * 8 * 6 * 9, 3 * 4 * 4 * 12 * 9])
    }

    @Test func poolingTakesDilationAndAPaddingOnEachSide() throws {
        let built = try graph {
            MaxPool2D(kernel: 3, stride: 1, padding: 2, dilation: 2)
            AveragePool2D(window: Window(kernel: Extent(3), padding: Padding(bottom: 1, right: 1)))
        }
        let sizes = built.graph.nodes.prefix(2).map { built.graph.shape(of: $0.outputs[0]) }
        #expect(sizes == [[3, 8, 8, 2], [3, 7, 7, 2]])
    }

    @Test(
        "Windows that mean nothing are refused",
        arguments: [
            (AveragePool2D(window: Window(kernel: 3, dilation: 2)), "average pooling has no dilation"),
            (MaxPool2D(window: Window(kernel: Extent(3), padding: Padding(right: 2))), "more than half"),
            (
                AveragePool2D(window: Window(kernel: Extent(2), padding: Padding(bottom: 2))),
                "more than half"
            ),
            // Of places 18 apart one lies before the image, and one behind it.
            (MaxPool2D(kernel: 2, stride: 1, padding: 9, dilation: 18), "sees nothing but padding"),
        ] as [(any Layer, String)])
    func poolingRefuses(_ layer: any Layer, words: String) {
        let error = #expect(throws: ResinError.self) { try graph { layer } }
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test func channelsThatGroupsDoNotDivideAreRefused() throws {
        for (channels, groups) in [(6, 4), (3, 2)] {
            let error = #expect(throws: ResinError.self) {
                try graph { Convolution2D(channels, kernel: 1, groups: groups) }
            }
            #expect(error?.kind == .usage)
            #expect(error?.message.contains("multiples of its \(groups) groups") == true)
        }
    }

    @Test func aLayerOfOnesOwnIsComposedOfOthers() throws {
        struct Doubled: Layer {
            func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
                let left = try scope.apply(Convolution2D(3, kernel: 1), to: input, name: "left")
                let right = try scope.apply(Convolution2D(3, kernel: 1), to: input, name: "right")
                return try scope.add(left, right)
            }
        }
        let nodes = try graph { Doubled() }.graph.nodes
        #expect(nodes.map(\.name) == ["0.0.left", "0.0.right", "0.0.add", "1", "2"])
        struct Gated: Layer {
            func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
                try scope.multiply(input, scope.apply(Sigmoid(), to: input, name: "gate"))
            }
        }
        #expect(try graph { Gated() }.graph.nodes.prefix(2).map(\.name) == ["0.0.gate", "0.0.multiply"])
    }

    @Test func branchesPutTheirChannelsSideBySideAndNamedLayersKeepTheirNames() throws {
        let built = try graph {
            Branches {
                Convolution2D(3, kernel: 1)
                Sequential {
                    MaxPool2D(kernel: 3, stride: 1, padding: 1)
                    Convolution2D(4, kernel: 1).named("last")
                }.named("pooled")
            }
        }
        #expect(
            built.graph.parameters.map(\.name).prefix(4)
                == ["0.0.0.weight", "0.0.0.bias", "0.0.pooled.last.weight", "0.0.pooled.last.bias"])
        #expect(built.entries.first { $0.row.name == "0.0" }?.row.output == [7, 8, 8])
        #expect(built.entries.contains { $0.row.name == "0.0.pooled" && $0.row.type == "Sequential" })
    }

    @Test func aDenseBlockAddsEachLayersChannels() throws {
        let built = try graph {
            DenseBlock { for _ in 0..<3 { Convolution2D(4, kernel: 3, padding: 1, bias: false) } }
        }
        #expect(built.graph.parameters.prefix(3).map(\.layout.externalShape[1]) == [2, 6, 10])
        #expect(built.entries.first { $0.row.name == "0.0" }?.row.output == [14, 8, 8])
    }

    @Test func squeezeAndExcitationHasTorchvisionsNamesAndKeepsTheShape() throws {
        let built = try graph { SqueezeExcitation(squeeze: 3, activation: SiLU()) }
        let parameters = built.graph.parameters.prefix(4)
        #expect(
            parameters.map(\.name)
                == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"].map { "0.0.\($0)" })
        #expect(parameters.map(\.layout.externalShape) == [[3, 2, 1, 1], [3], [2, 3, 1, 1], [2]])
        #expect(built.entries.first { $0.row.name == "0.0" }?.row.output == [2, 8, 8])
    }

    @Test func aLearntSlopeBeginsAtAQuarter() throws {
        let parameter = try graph { PReLU() }.graph.parameters[0]
        #expect(parameter.name == "0.0.weight")
        #expect(Initialiser.xavier.values(for: parameter, index: 0, seed: 1) == [0.25, 0.25])
        #expect(try graph { PReLU(isShared: true) }.graph.parameters[0].layout == .vector(1))
        #expect(
            message {
                _ = try graph {
                    Flatten()
                    PReLU()
                }
            }.contains("apply it before Flatten()"))
    }

    @Test func stochasticDepthIsForTrainingAlone() throws {
        func operators(_ mode: NetworkScope.Mode) throws -> [Op] {
            try graph(mode: mode) {
                Dropout(0.5)
                StochasticDepth(0)
                StochasticDepth(0.25)
            }.graph.nodes.dropLast(2).map(\.op)
        }
        #expect(
            try operators(.training) == [
                .dropout(Op.Dropout(probability: 0.5, node: 0)),
                .stochasticDepth(Op.StochasticDepth(probability: 0.25, node: 2)),
            ])
        #expect(try operators(.inference) == [])
    }

    @Test func partsOfTheChannelsArePutSideBySideAgain() throws {
        let built = try graph {
            Split([1, 1]) {
                Identity()
                Convolution2D(3, kernel: 1)
            }
            ChannelShuffle(groups: 2)
        }
        #expect(built.graph.parameters.map(\.name).first == "0.0.1.weight")
        #expect(built.entries.first { $0.row.name == "0.0" }?.row.output == [4, 8, 8])
        #expect(
            message { _ = try graph { Split([1, 2]) { for _ in 0..<2 { Identity() } } } }
                == "layer '0.0' (split): its input has 2 channels, which are not 1 and 2")
        #expect(message { _ = try graph { ChannelShuffle(groups: 3) } }.contains("are not 3 groups"))
    }

    @Test func layerScaleBelongsToItsBlockWhereItIsAppliedInPlace() throws {
        struct Block: Layer {
            func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
                try scope.apply(LayerScale(initialValue: 0.5), to: input, name: "layer_scale")
            }
        }
        let parameter = try graph { Block() }.graph.parameters[0]
        #expect(parameter.name == "0.0.layer_scale" && parameter.layout.externalShape == [2, 1, 1])
        #expect(Initialiser.default.values(for: parameter, index: 0, seed: 1) == [0.5, 0.5])
    }

    @Test func normsAndUpsamplingHavePyTorchsNamesAndShapes() throws {
        let built = try graph {
            LayerNorm()
            GroupNorm(groups: 2)
            LocalResponseNorm(size: 5)
            Upsample(by: 3, .bilinear(alignsCorners: false))
            AdaptiveAveragePool2D(Extent(7, 5))
            AveragePool2D(kernel: 2, roundsUp: true)
        }
        #expect(
            built.graph.parameters.map(\.name).prefix(4)
                == ["0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias"])
        let outputs = (3..<6).map { index in
            built.entries.first { $0.row.name == "0.\(index)" }?.row.output
        }
        #expect(outputs == [[2, 24, 24], [2, 7, 5], [2, 4, 3]])
    }

    @Test func theGlobalMaximumIsOneNumberAChannel() throws {
        let network = Network(input: ImageShape(channels: 5, side: 8), classes: 5) { GlobalMaxPool2D() }
        #expect(try network.summary().outermost.map(\.output) == [[5]])
        let large = Network(input: ImageShape(channels: 5, side: 17), classes: 5) { GlobalMaxPool2D() }
        #expect(message { _ = try large.summary() }.contains("256"))
    }

    @Test func misfitsNameTheLayerAndSayWhatToDo() {
        #expect(
            message {
                _ = try graph {
                    Branches {
                        ReLU()
                        MaxPool2D(kernel: 2)
                    }
                }
            }.contains("layer '0.0.concatenation' (concatenation): it cannot put the channels of"))
        #expect(
            message {
                _ = try graph {
                    Flatten()
                    Branches {
                        ReLU()
                        ReLU()
                    }
                }
            }.contains("concatenate before Flatten()"))
        #expect(
            message { _ = try graph { Dense(3) } }
                == "layer '0.0' (dense): its input is an image, 2×8×8; put Flatten() before it")
        #expect(
            message {
                _ = try graph {
                    Flatten()
                    Convolution2D(3, kernel: 1)
                }
            } == "layer '0.1' (convolution): it needs an image, but its input is 128 features")
        #expect(
            message {
                _ = try graph {
                    Flatten()
                    BatchNorm()
                }
            } == "layer '0.1' (batch norm): its input is a flattened image; normalise before Flatten()")
        #expect(
            message { _ = try graph { Residual(4) } }
                == "layer '0.0' (residual block): it turns 2×8×8 into 4×8×8; use usesProjection: true")
    }
}
