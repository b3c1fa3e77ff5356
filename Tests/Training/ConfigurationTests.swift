import Foundation
import Resin
import Testing

@Suite("Values of configurations")
struct ConfigurationTests {
    private static func configuration() throws -> TrainingConfiguration {
        let dataset = try Dataset.glyphs(seed: 1, trainCount: 20, testCount: 10)
        return TrainingConfiguration(
            network: try Network.named("lenet"), data: "glyphs", classNames: dataset.classNames,
            mean: dataset.mean, standardDeviation: dataset.standardDeviation, epochs: 2, batch: 5,
            optimizer: .sgd(learningRate: 0.1, momentum: 0.9))
    }

    /// A member to put into the file's object, or into one in it, and what is said of it.
    static let wrong: [(key: String, value: String, words: String)] = [
        ("batch", "0", "'batch' is 0; it must be a whole number from 1 to 1048576"),
        ("batch", "-3", "'batch' is -3"),
        ("batch", "1.5", "'batch' is not right: it is 1.5; it must be a whole number from 1"),
        ("batch", "\"many\"", "'batch' is not right"),
        ("image_size", "[28]", "'image_size' is [28]; it must be height and width"),
        ("image_size", "[]", "'image_size' is []"), ("image_size", "[0,0]", "'image_size' is [0, 0]"),
        ("image_size", "[16384,16385]", "'image_size' is"),
        ("image_size", "[4611686018427387904,4]", "'image_size' is"),
        ("class_names", "[\"only\"]", "'class_names' is a list of 1 for 10 classes"),
        ("class_names", "[\"\\u0000\",1]", "'class_names' is not right"),
        ("class_names", "[\"a\\u0000\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]", "'a\\0'"),
        ("input", "[3,28,28]", "'mean' is"), ("input", "[1,28]", "'input' is not right: it is [1, 28]"),
        ("input", "[1,4611686018427387904,4]", "'input' is not right: it is [1, 4611686018427387904, 4]"),
        ("input", "[1,16384,16385]", "'input'"), ("input", "[2,16384,16384]", "'input'"),
        ("classes", "9223372036854775807", "'classes' is 9223372036854775807"),
        ("classes", "0", "'classes' is 0"),
        ("mean", "[1e38]", "'mean' is [1e+38]; it must be a number for each channel"),
        ("mean", "[]", "'mean' is []"), ("mean", "[1e39]", "'mean' is not right: it is 1e39"),
        ("std", "[0]", "'std' is [0.0]"), ("std", "[-1]", "'std' is [-1.0]"),
        ("std", "[1e-30]", "'std' is [1e-30]"),
        ("optimizer.lr", "-1", "'optimizer.lr' is -1.0; it must be a number above 0"),
        ("optimizer.lr", "0", "'optimizer.lr' is 0.0"),
        ("optimizer.lr", "1e400", "'optimizer.lr' is not right"),
        ("optimizer.momentum", "1", "'optimizer.momentum' is 1.0; it must be at least 0 and less than 1"),
        ("optimizer.momentum", "-0.1", "'optimizer.momentum'"),
        ("optimizer.weight_decay", "-1", "'optimizer.weight_decay' is -1.0"),
        ("optimizer.name", "\"adamax\"", "'optimizer.name' is not right"),
        ("optimizer.name", "\"adamax\"", "it must be one of sgd, adam, adamw"),
        ("optimizer.nesterov", "1", "'optimizer.nesterov'"),
        ("optimizer.clip", "0", "'optimizer.clip' is 0.0; it must be a number above 0"),
        ("optimizer.clip", "1e400", "'optimizer.clip'"),
        ("optimizer.head_lr", "-1", "'optimizer.head_lr' is -1.0"),
        ("optimizer.layer_decay", "0", "'optimizer.layer_decay' is 0.0; it must be above 0 and at most 1"),
        ("optimizer.layer_decay", "1.5", "'optimizer.layer_decay' is 1.5"),
        ("optimizer.decay", "\"biases\"", "all, filters"),
        ("ema", "1", "'ema' is 1.0; it must be above 0 and below 1"), ("ema", "0", "'ema' is 0.0"),
        ("schedule.warmup_steps", "-1", "'schedule.warmup_steps' is -1"),
        ("schedule.milestones", "[3,3]", "'schedule.milestones' is [3, 3]; it must be ascending numbers"),
        ("schedule.milestones", "[0]", "'schedule.milestones' is [0]"),
        ("schedule.kind", "\"multistep\"", "'schedule.milestones' is left out"),
        ("schedule.min_lr", "0.2", "'schedule.min_lr' is 0.2; it must be at most the learning rate"),
        ("schedule.min_lr", "-1", "'schedule.min_lr' is -1.0"),
        ("schedule.restarts", "0", "'schedule.restarts' is 0"),
        ("schedule.plateau_patience", "-1", "'schedule.plateau_patience' is -1"),
        ("schedule.warmupEpochs", "-1", "'schedule.warmupEpochs' is -1"),
        ("schedule.warmupEpochs", "9223372036854775807", "'schedule.warmupEpochs'"),
        ("schedule.kind", "\"linear\"", "constant, step, multistep, cosine, one-cycle, plateau"),
        ("augment.cropPadding", "-1", "'augment.cropPadding' is -1"),
        ("augment.cropPadding", "4611686018427387904", "'augment.cropPadding'"),
        ("augment.mixup", "0", "'augment.mixup' is 0.0; it must be mixup=a with a number from 0.001 to 1000"),
        ("augment.cutmix", "1e400", "'augment.cutmix'"),
        ("augment.erasing", #"{"probability": 2}"#, "'augment.erasing.probability' is 2.0"),
        ("augment.erasing", "{}", "'augment.erasing.probability' is missing"),
        (
            "augment.jitter", #"{"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0.6}"#,
            "'augment.jitter.hue' is 0.6"
        ),
        (
            "augment.rand_augment", #"{"operations": 5, "magnitude": 9}"#,
            "'augment.rand_augment.operations' is 5"
        ),
        (
            "augment.rand_augment", #"{"operations": 1, "magnitude": 31}"#,
            "'augment.rand_augment.magnitude' is 31"
        ),
        (
            "augment.random_resized_crop", #"{"least": 0, "most": 1}"#,
            "'augment.random_resized_crop.least' is 0.0"
        ),
        ("augment.random_resized_crop", #"{"least": 1, "most": 0.5}"#, "1.0 is more than 0.5"),
        (
            "augment.random_resized_crop", #"{"least": 0.5, "most": 2}"#,
            "'augment.random_resized_crop.most' is 2.0"
        ),
        ("augment.vertical_flips", "1", "'augment.vertical_flips'"),
        ("epochs", "-1", "'epochs' is -1; it must be a whole number from 1 to 1000000"),
        ("epochs", "0", "'epochs' is 0"), ("epochs", "9223372036854775807", "'epochs'"),
        ("seed", "-1", "'seed' is not right: it is -1; it must be a whole number from 0 to"),
        ("seed", "18446744073709551616", "'seed'"), ("limit", "0", "'limit' is 0"),
        ("limit_test", "-1", "'limit_test' is -1"),
        ("split", "1", "'split' is 1.0; it must be above 0 and below 1"),
        ("label_smoothing", "1", "'label_smoothing' is 1.0"), ("patience", "0", "'patience' is 0"),
        ("options.dropout", "1", "'options.dropout' is 1.0"), ("options.ones", "0", "'options.ones' is 0"),
        ("options.thirdWidth", "1000000000000", "'options.thirdWidth'"),
        ("options.variant", "\"other\"", "book, torchvision"),
        ("network", "\"a\\u0000b\"", "'network' is 'a\\0b'"),
        ("network", "\"\"", "'network' is ''"), ("data", "\"\\u0000\"", "'data' is"),
        ("init", "null", "'init'"), ("on_nan", "\"go on\"", "stop, skip"), ("math", "7", "fast, exact"),
        ("precision", "\"half\"", "float32"),
    ]

    @Test("A value that is not allowed is named with its key and what is", arguments: wrong)
    func wrongValue(key: String, value: String, words: String) throws {
        let data = try JSONEncoder().encode(Self.configuration())
        var object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        // A text that JSON's writer does not touch, to be exchanged for the value.
        let mark = "the value"
        var path = key.split(separator: ".").map(String.init)
        let last = path.removeLast()
        if let outer = path.first {
            var inner = try #require(object[outer] as? [String: Any])
            inner[last] = mark
            object[outer] = inner
        } else {
            object[last] = mark
        }
        let text = String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
            .replacing("\"\(mark)\"", with: value)
        let error = #expect(throws: ResinError.self) {
            try JSONDecoder().decode(TrainingConfiguration.self, from: Data(text.utf8))
        }
        #expect(error?.kind == .badContent)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "read")")
    }

    @Test("A batch whose images have more values than can be planned is refused")
    func largeBatch() throws {
        var configuration = try Self.configuration()
        configuration.input = ImageShape(channels: 1, side: 4096)
        configuration.batch = 1 << 10
        try configuration.check()
        configuration.batch += 1
        let fault = #expect(throws: ValueFault.self) { try configuration.check() }
        #expect(
            fault?.usage.message.hasPrefix("--batch is 1025 of 1×4096×4096; it must be so small that") == true
        )
    }

    @Test("Augmentations are what they were in a file, and a file from before them has none")
    func augmentations() throws {
        var configuration = try Self.configuration()
        func read() throws -> TrainingConfiguration {
            try JSONDecoder().decode(
                TrainingConfiguration.self, from: JSONEncoder().encode(configuration))
        }
        #expect(
            configuration.fields.filter { $0.key.hasPrefix("augment") }.map(\.key) == [
                "augment.cropPadding", "augment.flips",
            ], "what is off is left out, so that older versions read the file")
        #expect(try read() == configuration && read().augmentation.isCropAndFlip)
        configuration.augmentation = try AugmentationPolicy(
            option: "random-resized-crop=0.25:0.5,flip,vertical-flip,jitter=0.1:0.2:0.3:0.4,erase=0.25,"
                + "randaugment=1:30,mixup=0.5,cutmix=2")
        #expect(try read() == configuration && !read().augmentation.isCropAndFlip)
    }

    @Test("Adjustments of colours are for images of one or three channels")
    func colourChannels() throws {
        var configuration = try Self.configuration()
        configuration.input = ImageShape(channels: 2, side: 28)
        (configuration.mean, configuration.standardDeviation) = ([0, 0], [1, 1])
        configuration.augmentation = try AugmentationPolicy(option: "flip,mixup")
        try configuration.check()
        configuration.augmentation = try AugmentationPolicy(option: "jitter")
        let fault = #expect(throws: ValueFault.self) { try configuration.check() }
        #expect(fault?.usage.message.contains("--augment is with them for 2×28×28") == true)
    }

    @Test("A key that is missing is named with what it must be")
    func missing() throws {
        let error = #expect(throws: ResinError.self) {
            try JSONDecoder().decode(TrainingConfiguration.self, from: Data(#"{"network":"lenet"}"#.utf8))
        }
        #expect(error?.message.contains("'options' is missing") == true)
    }

    @Test("A trainer refuses the same values")
    func trainer() throws {
        var configuration = try Self.configuration()
        configuration.optimizer.learningRate = .nan
        let error = #expect(throws: ResinError.self) {
            try Trainer(
                Network.named("lenet"), Dataset.glyphs(seed: 1, trainCount: 20, testCount: 10), configuration,
                device: referenceDevice)
        }
        #expect(error == ResinError(.usage, "--lr is nan; it must be a number above 0"))
    }

    @Test("More steps than can be counted are refused")
    func steps() throws {
        var configuration = try Self.configuration()
        (configuration.epochs, configuration.batch) = (1_000_000, 1)
        let dataset = try Dataset.glyphs(seed: 1, trainCount: 5000, testCount: 10)
        configuration.mean = dataset.mean
        configuration.standardDeviation = dataset.standardDeviation
        let error = #expect(throws: ResinError.self) {
            try Trainer(Network.named("lenet"), dataset, configuration, device: referenceDevice)
        }
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("of 5000 steps each, at most 858993 can be counted") == true)
    }

    @Test(
        "A configuration that no known network fits is wrong",
        arguments: [
            ("lanet", [1, 28, 28], "did you mean 'lenet'"),
            ("lenet", [1, 2, 2], "the smallest square input"),
        ])
    func network(name: String, input: [Int], words: String) throws {
        var configuration = try Self.configuration()
        configuration.network = name
        configuration.input = ImageShape(channels: input[0], height: input[1], width: input[2])
        let error = #expect(throws: ResinError.self) {
            try configuration.knownNetwork(from: "run/config.json")
        }
        #expect(error?.kind == .badContent)
        #expect(error?.message.hasPrefix("run/config.json: ") == true)
        #expect(error?.message.contains(words) == true)
    }

    @Test(
        "Settings of optimizers and schedules are what they were in a file, and a file from before them has defaults",
        arguments: OptimizerSettings.Name.allCases)
    func optimizer(name: OptimizerSettings.Name) throws {
        var configuration = try Self.configuration()
        configuration.optimizer = OptimizerSettings(name, learningRate: 0.1)
        func read() throws -> TrainingConfiguration {
            try JSONDecoder().decode(
                TrainingConfiguration.self, from: JSONEncoder().encode(configuration))
        }
        #expect(try read() == configuration)
        if name == .sgd {
            #expect(
                configuration.fields.filter { $0.key.hasPrefix("optimizer") }.map(\.key) == [
                    "optimizer.lr", "optimizer.momentum", "optimizer.name", "optimizer.nesterov",
                    "optimizer.weight_decay",
                ])
        }
        (configuration.optimizer.clipNorm, configuration.optimizer.headLearningRate) = (3, 0.5)
        (configuration.optimizer.layerDecay, configuration.optimizer.decays) = (0.75, .filters)
        if name.beta1 != nil { (configuration.optimizer.beta1, configuration.optimizer.beta2) = (0.5, 0.25) }
        if name.epsilon != nil { configuration.optimizer.epsilon = 1e-3 }
        if name.alpha != nil { configuration.optimizer.alpha = 0.5 }
        configuration.averageDecay = 0.9995
        configuration.schedule = Schedule(.multistep)
        (configuration.schedule.milestones, configuration.schedule.warmupSteps) = ([3, 7], 5)
        #expect(try read() == configuration)
        configuration.schedule = Schedule(.cosine, warmupEpochs: 1)
        (configuration.schedule.leastRate, configuration.schedule.restartEpochs) = (0.01, 4)
        #expect(try read() == configuration)
        configuration.schedule = Schedule(.plateau)
        configuration.schedule.plateauPatience = 3
        #expect(try read() == configuration)
        let old = Data(
            #"{"name": "adam", "lr": 1, "momentum": 0, "nesterov": false, "weight_decay": 0}"#.utf8)
        #expect(
            try JSONDecoder().decode(OptimizerSettings.self, from: old) == .adam(learningRate: 1))
    }

    @Test("One-cycle has no other warm-up, and a warm-up is in steps or in epochs")
    func warmups() throws {
        var configuration = try Self.configuration()
        configuration.schedule = Schedule(.oneCycle, warmupEpochs: 1)
        #expect(throws: ValueFault.self) { try configuration.check() }
        configuration.schedule = Schedule(.constant, warmupEpochs: 1)
        configuration.schedule.warmupSteps = 3
        #expect(throws: ValueFault.self) { try configuration.check() }
        configuration.schedule.warmupEpochs = 0
        try configuration.check()
    }

    @Test("AdamW decays by 0.01 unless told otherwise, the others do not")
    func decay() {
        #expect(OptimizerSettings(.adamw, learningRate: 0.1).weightDecay == 0.01)
        #expect(OptimizerSettings(.adamw, learningRate: 0.1, weightDecay: 0).weightDecay == 0)
        #expect(OptimizerSettings(.adam, learningRate: 0.1).weightDecay == 0)
        #expect(OptimizerSettings(.sgd, learningRate: 0.1).weightDecay == 0)
    }
}
