import Resin

/// SqueezeNet's fire module (Iandola et al., 2016): few channels, then 1×1 and 3×3 filters side by side.
struct Fire: Layer {
    var squeeze, expand: Int

    func apply(to input: ValueID, in scope: inout NetworkScope) throws -> ValueID {
        var narrow = try scope.apply(Convolution2D(squeeze, kernel: 1), to: input, name: "squeeze")
        narrow = try scope.apply(ReLU(), to: narrow, name: "squeeze_relu")
        let ones = try scope.apply(Convolution2D(expand, kernel: 1), to: narrow, name: "expand1x1")
        let threes = Convolution2D(expand, kernel: 3, padding: 1)
        let wide = try scope.concatenate([ones, scope.apply(threes, to: narrow, name: "expand3x3")])
        return try scope.apply(ReLU(), to: wide, name: "expand_relu")
    }
}

let network = Network("squeezed", input: ImageShape(channels: 1, side: 28), classes: 10) {
    Convolution2D(16, kernel: 3, padding: 1)
    ReLU()
    for width in [32, 64] {
        MaxPool2D(kernel: 3, stride: 2)
        Fire(squeeze: width / 4, expand: width)
    }
    Convolution2D(10, kernel: 1)
    GlobalAveragePool2D()
}
print(try network.summary().table())

let data = try Dataset.named("glyphs", seed: 42)
let configuration = TrainingConfiguration(
    network: network, data: data.name, classNames: data.classNames, mean: data.mean,
    standardDeviation: data.standardDeviation, epochs: 2, batch: 32, optimizer: .adam(learningRate: 0.003))
let trainer = try Trainer(network, data, configuration, device: .best())
print("training on \(trainer.device.name)")
while trainer.epoch <= configuration.epochs, let trained = try trainer.trainEpoch() {
    let accuracy = try trainer.evaluate()!.accuracy
    print("epoch \(trainer.epoch - 1): train loss \(trained.loss), test accuracy \(accuracy)")
}
try trainer.checkpoint().weights.write(to: "squeezed.safetensors")
