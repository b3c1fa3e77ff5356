// A network of one's own, trained on the built-in images: everything comes from one import.
import Resin

let data = try Dataset.named("glyphs", directory: nil, seed: 42)
let network = Network("own", input: ImageShape(channels: 1, side: 28), classes: data.classNames.count) {
    Convolution2D(16, kernel: 3, padding: 1)
    BatchNorm()
    ReLU()
    for channels in [32, 64] {
        Residual(channels, stride: 2, usesProjection: true)
    }
    GlobalAveragePool2D()
    Dense(data.classNames.count)
}
print(try network.summary().table())

let configuration = TrainingConfiguration(
    network: network, data: data.name, classNames: data.classNames, mean: data.mean,
    standardDeviation: data.standardDeviation, epochs: 3, batch: 64,
    optimizer: .sgd(learningRate: 0.05, momentum: 0.9))
let trainer = try Trainer(network, data, configuration, device: .best())
print("training on \(trainer.device.name)")
while trainer.epoch <= configuration.epochs, let trained = try trainer.trainEpoch() {
    let test = try trainer.evaluate()!
    print("epoch \(trainer.epoch - 1): train loss \(trained.loss), test accuracy \(test.accuracy)")
}
try trainer.checkpoint().weights.write(to: "own.safetensors")
