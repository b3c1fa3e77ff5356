import ResinGraph
import ResinTensor

extension Op.GroupedConvolution2D: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let (image, result) = (invocation.inputs[0].shape, invocation.outputs[0].shape)
        let (x, w) = (invocation.inputs[0].floats, invocation.inputs[1].floats)
        let bias = hasBias ? invocation.inputs[2].floats : nil
        let operands = epilogue.operands(of: invocation.inputs)
        let y = invocation.outputs[0].floats
        let (inputs, outputs) = (image.channels / groups, outputChannels)
        let norm = foldedNormEpsilon.map { epsilon in
            InferenceNorm(invocation.inputs[foldedNormInputs], epsilon: epsilon)
        }
        concurrently(result.images * result.height) { row in
            let (n, i) = row.quotientAndRemainder(dividingBy: result.height)
            withAccumulators(outputs) { sums in
                for j in 0..<result.width {
                    for o in 0..<outputs { sums[o] = bias.map { Double($0[o]) } ?? 0 }
                    window.forEachPlace(ofOutput: i, j, on: image) { tap, pixel in
                        for o in 0..<outputs {
                            let first = (n * image.height * image.width + pixel) * image.channels
                            let group = o / (outputs / groups)
                            for c in 0..<inputs {
                                sums[o] +=
                                    Double(x[first + group * inputs + c])
                                    * Double(w[(tap * inputs + c) * outputs + o])
                            }
                        }
                    }
                    let start = (row * result.width + j) * outputs
                    for o in 0..<outputs {
                        y[start + o] = epilogue(norm?(sums[o], channel: o) ?? sums[o], operands, start + o)
                    }
                }
            }
        }
    }
}

extension Op.GroupedConvolution2DInputGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let (gradient, image) = (invocation.inputs[0].shape, inputShape)
        let (dy, w) = (invocation.inputs[0].floats, invocation.inputs[1].floats)
        let operands = epilogue.operands(of: invocation.inputs)
        let dx = invocation.outputs[0].floats
        let (inputs, outputs) = (image.channels / groups, gradient.channels)
        let pixels = image.height * image.width
        concurrently(image.images) { n in
            withAccumulators(pixels * image.channels) { sums in
                for i in 0..<gradient.height {
                    for j in 0..<gradient.width {
                        let start = ((n * gradient.height + i) * gradient.width + j) * outputs
                        window.forEachPlace(ofOutput: i, j, on: image) { tap, pixel in
                            for o in 0..<outputs {
                                let first = pixel * image.channels + o / (outputs / groups) * inputs
                                for c in 0..<inputs {
                                    sums[first + c] +=
                                        Double(dy[start + o])
                                        * Double(w[(tap * inputs + c) * outputs + o])
                                }
                            }
                        }
                    }
                }
                let start = n * pixels * image.channels
                for e in sums.indices { dx[start + e] = epilogue(sums[e], operands, start + e) }
            }
        }
    }
}

extension Op.GroupedConvolution2DFilterGradient: ReferenceOperator {
    func execute(_ invocation: Invocation) {
        let (image, gradient) = (invocation.inputs[0].shape, invocation.inputs[1].shape)
        let (x, dy) = (invocation.inputs[0].floats, invocation.inputs[1].floats)
        let dw = invocation.outputs[0].floats
        let (inputs, outputs) = (image.channels / groups, gradient.channels)
        let groupOutputs = outputs / groups
        concurrently(groups) { group in
            withAccumulators(window.kernel.area * inputs * groupOutputs) { sums in
                for n in 0..<image.images {
                    for i in 0..<gradient.height {
                        for j in 0..<gradient.width {
                            let start =
                                ((n * gradient.height + i) * gradient.width + j) * outputs
                                + group * groupOutputs
                            window.forEachPlace(ofOutput: i, j, on: image) { tap, pixel in
                                let first =
                                    (n * image.height * image.width + pixel) * image.channels
                                    + group * inputs
                                for c in 0..<inputs {
                                    for o in 0..<groupOutputs {
                                        sums[(tap * inputs + c) * groupOutputs + o] +=
                                            Double(x[first + c]) * Double(dy[start + o])
                                    }
                                }
                            }
                        }
                    }
                }
                for row in 0..<window.kernel.area * inputs {
                    for o in 0..<groupOutputs {
                        dw[row * outputs + group * groupOutputs + o] = Float(sums[row * groupOutputs + o])
                    }
                }
            }
        }

        guard hasBias else { return }
        let db = invocation.outputs[1].floats
        withAccumulators(outputs) { sums in
            for pixel in 0..<gradient.pixels {
                for o in 0..<outputs { sums[o] += Double(dy[pixel * outputs + o]) }
            }
            for o in 0..<outputs { db[o] = Float(sums[o]) }
        }
    }
}
