import Foundation
import ResinTraining
import Testing

extension CommandTests {
    /// Values in a run's files that no training writes.
    @Suite struct BadValues {
        let run: Runs.Finished
        let folder: Folder

        init() throws {
            run = try Runs.finished.get()
            folder = try run.copy()
            // There is something to go on with.
            try merge(#"{"epochs": 3}"#)
        }

        private var resumed: Program { Program("train", "--resume", folder / "run") }

        /// A change of config.json, and what is said of it.
        static let configurations: [(String, String)] = [
            (#"{"batch": 0}"#, "'batch' is 0; it must be a whole number from 1 to"),
            (#"{"batch": -3}"#, "'batch' is -3"), (#"{"image_size": [28]}"#, "'image_size' is [28]"),
            (#"{"image_size": []}"#, "'image_size' is []"),
            (#"{"image_size": [0, 0]}"#, "'image_size' is [0, 0]"),
            (#"{"class_names": ["only"]}"#, "'class_names' is a list of 1 for 10 classes"),
            (#"{"input": [3, 67, 67]}"#, "'mean' is"),
            (
                #"{"input": [1, 4611686018427387904, 4]}"#,
                "'input' is not right: it is [1, 4611686018427387904, 4]"
            ),
            (#"{"input": [1, 4, 4]}"#, "the smallest square input that fits is 1×67×67"),
            (#"{"classes": 9223372036854775807}"#, "'classes' is 9223372036854775807"),
            (#"{"std": [0]}"#, "'std' is [0.0]"), (#"{"mean": [1e38]}"#, "'mean' is [1e+38]"),
            (
                #"{"optimizer": {"name": "sgd", "lr": -1, "momentum": 0, "nesterov": false, "weight_decay": 0}}"#,
                "'optimizer.lr' is -1.0; it must be a number above 0"
            ),
            (#"{"epochs": -1}"#, "'epochs' is -1"), (#"{"seed": -1}"#, "'seed' is not right: it is -1"),
            (#"{"limit": 0}"#, "'limit' is 0"), (#"{"network": "nun"}"#, "did you mean 'nin'"),
            (#"{"options": {"hasFinalReLU": true, "shortcut": "conv"}}"#, "nin has no option --shortcut"),
        ]

        @Test("config.json is checked by whichever command reads it", arguments: configurations)
        func configuration(change: String, words: String) throws {
            try merge(change)
            for program in [
                Program("predict", folder / "run", "no.png"), Program("evaluate", folder / "run"), resumed,
            ] {
                try expectRefusal(65, "run/config.json: ", words, by: program)
            }
        }

        @Test("A name that comes twice in config.json is refused")
        func twice() throws {
            let text = try #require(folder.text("run/config.json"))
            try folder.write(
                text.replacing("\"batch\":16", with: "\"batch\":16,\"batch\":8"), to: "run/config.json"
            )
            try expectRefusal(
                65, "config.json", "the name batch comes twice", by: Program("evaluate", folder / "run"))
        }

        @Test(
            "What a configuration says of its data is its fault",
            arguments: [
                (#"{"data": "glyph"}"#, "There is no data set 'glyph'"),
                (#"{"split": 0.5}"#, "'glyphs' has test images of its own"),
            ])
        func data(change: String, words: String) throws {
            try merge(change)
            for program in [Program("evaluate", folder / "run"), resumed] {
                try expectRefusal(65, "config.json: ", words, by: program)
            }
        }

        /// Into config.json.
        private func merge(_ members: String) throws {
            func object(_ text: String?) throws -> [String: Any] {
                let data = Data(try #require(text).utf8)
                return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            }
            let merged = try object(folder.text("run/config.json")).merging(try object(members)) { $1 }
            let data = try JSONSerialization.data(withJSONObject: merged)
            try folder.write([UInt8](data), to: "run/config.json")
        }

        @Test(
            "metrics.jsonl is checked before a run goes on, and left as it is",
            arguments: [
                ("\"epoch\":1", "\"epoch\":-1", "line 1: 'epoch' is -1"),
                ("\"epoch\":1", "\"epoch\":99999999999999999999", "line 1: 'epoch' is not right"),
                (
                    "\"epoch\":2", "\"epoch\":1",
                    "line 2: 'epoch' is 1; it must be above that of the line before it"
                ),
                ("\"test_accuracy\":", "\"test_accuracy\":9", "line 1: 'test_accuracy' is 9"),
                ("\"train_loss\":", "\"train_loss\":x", "line 1 is not right JSON"),
            ])
        func metrics(text: String, other: String, words: String) throws {
            let changed = try #require(folder.text("run/metrics.jsonl")).replacing(
                text, with: other, maxReplacements: 1)
            try folder.write(changed, to: "run/metrics.jsonl")
            try expectRefusal(65, "run/metrics.jsonl " + words, by: resumed)
            #expect(folder.text("run/metrics.jsonl") == changed)
        }

        @Test(
            "A checkpoint's metadata are checked",
            arguments: [
                ("best_accuracy", "nan", "'best_accuracy' is 'nan'; it must be a number from 0 to 1"),
                ("best_accuracy", "7", "'best_accuracy' is '7'"),
                ("best_accuracy", "", "'best_accuracy' is ''"),
                (
                    "best_epoch", "-9223372036854775808",
                    "'best_epoch' is '-9223372036854775808'; it must be a whole number"
                ),
                ("best_epoch", "3", "'best_epoch' is '3'; it must be a whole number from 1 to 2"),
                ("epoch", "1", "'epoch' is '1'; it must be 2"), ("epoch", "x", "'epoch' is 'x'"),
                ("step", "-1", "'step' in their metadata is '32' and '-1'"),
                ("step", "9223372036854775807", "and '9223372036854775807'"),
            ])
        func metadata(key: String, value: String, words: String) throws {
            try change("last.optimizer") { $0.metadata[key] = value }
            try removeOlder()
            try expectRefusal(65, folder / "run", words, by: resumed)
        }

        @Test("A step beyond the run's last is refused")
        func stepBeyondEnd() throws {
            for name in ["last", "last.optimizer"] {
                try change(name) {
                    $0.metadata["step"] = "49"
                    $0.metadata["epoch"] = "2"
                }
            }
            try removeOlder()
            try expectRefusal(65, "'step' is 49; it must be a whole number from 0 to 48", by: resumed)
        }

        @Test("Class names that are no list are refused where they are read")
        func classNames() throws {
            try change("last") { $0.metadata["class_names"] = #"["a", 7]"# }
            try folder.write([0xFF], to: "x.png")
            try expectRefusal(
                65, "last.safetensors: 'class_names' of its metadata",
                by: Program(
                    "predict", folder / "run/last.safetensors", run.last, "--network", "nin", "--data",
                    "glyphs",
                    "--input", "1x67x67"))
        }

        @Test(
            "Optimizer's states that no training makes are refused",
            arguments: [
                (
                    "1.0.0.weight", Float(-1), Int32(65),
                    "'1.0.0.weight' is -1.0 somewhere; it must be nowhere below 0"
                ),
                ("0.0.0.weight", .nan, 3, "tensor '0.0.0.weight' of its newest checkpoint is not finite"),
            ])
        func states(name: String, value: Float, code: Int32, words: String) throws {
            try change("last.optimizer") { file in
                file.entries = file.entries.map {
                    $0.name != name
                        ? $0
                        : Safetensors.Entry(name, shape: $0.shape, values: [value] + $0.values.dropFirst())
                }
            }
            try expectRefusal(code, folder / "run", words, by: resumed)
        }

        private func change(_ name: String, _ change: (inout Safetensors) -> Void) throws {
            let path = folder / "run/\(name).safetensors"
            var file = try Safetensors(contentsOf: path)
            change(&file)
            try file.write(to: path)
        }

        /// A run goes on from the checkpoint before, where the last one is not whole.
        private func removeOlder() throws {
            for name in ["last.1.safetensors", "last.1.optimizer.safetensors"] {
                try FileManager.default.removeItem(atPath: folder / "run/\(name)")
            }
        }
    }

    /// Values of options and recipes that are wrong, or that do nothing beside the others.
    @Suite struct Values {
        @Test(
            "A number below zero is an option's value, and said to be wrong",
            arguments: [
                (["--lr", "-1"], "--lr is -1.0; it must be a number above 0"),
                (["--momentum", "-0.5"], "--momentum is -0.5; it must be at least 0"),
                (["--weight-decay", "-1e-4"], "--weight-decay is -0.0001"),
                (["--label-smoothing", "-.1"], "--label-smoothing is -0.1"),
                (["--mean", "-1,2"], "--mean is [-1.0, 2.0]"), (["--epochs", "-2"], "--epochs is -2"),
                (["--clip", "0"], "--clip is 0.0; it must be a number above 0"),
                (["--ema", "1"], "--ema is 1.0; it must be above 0 and below 1"),
                (["--beta2", "1"], "--beta2 is 1.0"),
                (["--eps", "0"], "--eps is 0.0; it must be a number of at least"),
                (["--head-lr", "-1"], "--head-lr is -1.0"), (["--layer-decay", "2"], "--layer-decay is 2.0"),
                (
                    ["--schedule", "multistep", "--milestones", "3,2"],
                    "--milestones is [3, 2]; it must be ascending"
                ),
                (["--schedule", "multistep", "--milestones", "3;2"], "--milestones is '3;2'"),
                (["--min-lr", "9"], "--min-lr is 9.0; it must be at most the learning rate"),
                (["--limit", "-5"], "--limit is -5; it must be a whole number from 1"),
                (["--resize", "-1"], "--resize is -1"), (["--split", "-1"], "--split is -1.0"),
                (["--patience", "-1"], "--patience is -1"),
                (["--seed", "-1"], "'-1' is invalid for '--seed"),
                (["--lr", "-inf"], "--lr is -inf"), (["--dropout", "-1"], "--dropout is -1.0"),
                (["--mean", "1e38"], "--mean is [1e+38]; it must be a number for each channel"),
            ])
        func belowZero(options: [String], words: String) throws {
            try expectRefusal(64, words, by: Program(Runs.options + options))
        }

        @Test(
            "An option that would do nothing is refused",
            arguments: [
                (["nin", "--momentum", "0.9"], "--momentum is SGD's and RMSprop's, and --optimizer is adam"),
                (["nin", "--alpha", "0.9"], "--alpha needs --optimizer rmsprop, but --optimizer is adam"),
                (
                    ["nin", "--optimizer", "sgd", "--beta1", "0.9"],
                    "--beta1 needs --optimizer adam, adamw, lamb, lion"
                ),
                (
                    ["nin", "--optimizer", "lion", "--eps", "1e-8"],
                    "--eps needs --optimizer adam, adamw, rmsprop, lamb"
                ),
                (["nin", "--decay", "filters"], "--decay needs --weight-decay, but it is 0"),
                (
                    ["nin", "--milestones", "3"],
                    "--milestones needs --schedule multistep, but --schedule is cosine"
                ),
                (["lenet", "--min-lr", "0.001"], "--min-lr needs --schedule cosine or plateau"),
                (["lenet", "--restarts", "2"], "--restarts needs --schedule cosine, but"),
                (["nin", "--plateau-patience", "2"], "--plateau-patience needs --schedule plateau, but"),
                (["nin", "--schedule", "multistep"], "--milestones is left out; it must be given with"),
                (
                    ["nin", "--schedule", "one-cycle", "--warmup-epochs", "1"],
                    "--schedule is one-cycle; it must be another"
                ),
                (
                    ["nin", "--warmup-steps", "5", "--warmup-epochs", "1"],
                    "--warmup-steps is 5; it must be left out beside"
                ),
                (["lenet", "--optimizer", "adamw", "--momentum", "0.9"], "--optimizer is adamw"),
                (["nin", "--nesterov"], "--nesterov needs"),
                (["lenet", "--final-relu"], "lenet has no option"),
                (["lenet", "--dropout", "0"], "lenet has no option --dropout"),
                (["resnet18", "--width", "0.5"], "resnet18 has no option --width; networks that have it:"),
                (["mobilenet_v2", "--width", "9"], "--width is 9.0; it must be from 0.1 to 4"),
                (["shufflenet_v2_x1_0", "--width", "0.7"], "it must be 0.5, 1, 1.5 or 2 for shufflenet"),
                (["lenet", "--overwrite"], "--overwrite replaces the run in --out"),
                (["lenet", "--split", "0.5"], "has test images of its own"),
            ])
        func nothing(options: [String], words: String) throws {
            try expectRefusal(64, words, by: Program(["train"] + options + ["--limit", "64"]))
        }

        @Test("evaluate has no option for training images")
        func evaluateLimit() throws {
            try expectRefusal(
                64, "--limit", by: Program("evaluate", Runs.finished.get().path, "--limit", "3"))
        }

        @Test("Settings that do nothing beside others are noted")
        func notes() throws {
            let folder = try Folder()
            try success(
                of: Program(
                    "train", "lenet", "--limit", "64", "--limit-test", "16", "--epochs", "1",
                    "--warmup-epochs", "1",
                    "--patience", "1", "--data-dir", "/nowhere", "--out", folder / "run"))
            let log = try #require(folder.text("run/log.txt"))
            #expect(log.contains("note: the rate rises over all 1 epochs (--warmup-epochs 1)"))
            #expect(log.contains("note: --patience 1 does nothing in 1 epochs"))
        }

        @Test(
            "AdamW decays by 0.01, PyTorch's, unless told otherwise",
            arguments: [
                (["--optimizer", "adamw"], 0.01), (["--optimizer", "adamw", "--weight-decay", "0"], 0.0),
                (["--optimizer", "adam"], 0.0),
            ] as [([String], Double)])
        func decay(options: [String], decay: Double) throws {
            let folder = try Folder()
            try success(
                of: Program(
                    [
                        "train", "lenet", "--limit", "64", "--limit-test", "16", "--epochs", "1", "--out",
                        folder / "run",
                    ]
                        + options))
            let text = try #require(folder.text("run/config.json"))
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            let optimizer = try #require(object?["optimizer"] as? [String: Any])
            let found = try #require(optimizer["weight_decay"] as? Double)
            #expect(abs(found - decay) < 1e-9)
        }

        @Test(
            "A recipe's values are the file's fault",
            arguments: [
                (#""lr": -1"#, "'lr' is -1.0; it must be a number above 0"), (#""batch": 0"#, "'batch' is 0"),
                (#""batch": 4611686018427387904"#, "'batch' is 4611686018427387904"),
                (#""epochs": -1"#, "'epochs' is -1"), (#""mean": [1e38]"#, "'mean' is [1e+38]"),
                (#""mean": [0.1, 0.2]"#, "'mean' is [0.1, 0.2]"), (#""std": [0]"#, "'std' is [0.0]"),
                (#""resize": 16385"#, "'resize' is 16385"), (#""resize": 3"#, "the smallest square input"),
                (#""limit": 0"#, "'limit' is 0"), (#""limit": 7000"#, "holds 6000"),
                (#""split": 7"#, "'split' is 7.0"),
                (#""dropout": 0.5"#, "lenet has no option --dropout"), (#""ones": 3"#, "'ones' is 3"),
                (#""momentum": 0.9"#, "--momentum is SGD's"),
                (#""alpha": 0.9"#, "--alpha needs --optimizer rmsprop"), (#""clip": 0"#, "'clip' is 0.0"),
                (#""milestones": 3"#, "the value of 'milestones' must be a list"),
                (#""ema": 1"#, "'ema' is 1.0"), (#""decay": "some""#, "the value of 'decay' must be one of"),
                (#""data": "glyph""#, "There is no data set"),
                (#""augment": ["spin"]"#, "'augment' is 'spin'; it must be a list of crop, random-"),
                (#""save_every": 0"#, "'save_every' is 0"), (#""patience": 0"#, "'patience' is 0"),
                (#""batch": 6001"#, "the batch of 6001 is larger than"),
                (#""lr": 1, "lr": 2"#, "the name lr comes twice"),
            ])
        func recipe(member: String, words: String) throws {
            let folder = try Folder()
            try folder.write(#"{"network": "lenet", \#(member)}"#, to: "recipe.json")
            try expectRefusal(
                65, "recipe.json", words,
                by: Program("train", "--config", folder / "recipe.json", "--out", folder / "run"))
            #expect(!folder.holds("run"))
        }
    }

    /// What is not finite is never kept as good.
    @Suite struct NotFinite {
        private func training(_ folder: Folder, _ more: String...) -> Program {
            Program(
                [
                    "train", "lenet", "--limit", "64", "--limit-test", "16", "--batch", "64", "--epochs", "2",
                    "--optimizer", "sgd", "--out", folder / "run",
                ] + more)
        }

        @Test(
            "An update that breaks the weights in an epoch's last step ends the run",
            arguments: ["stop", "skip"])
        func lastStep(policy: String) throws {
            let folder = try Folder()
            try expectRefusal(
                3, "the weights are not finite after epoch 1, step 1 of 1",
                by: training(folder, "--lr", "1e10", "--weight-decay", "1e38", "--on-nan", policy))
            #expect(!folder.holds("run/best.safetensors"))
            let last = try Safetensors(contentsOf: folder / "run/last.safetensors")
            #expect(last.metadata["step"] == "0")
            for entry in last.entries { #expect(!entry.values.contains { !$0.isFinite }) }
        }

        @Test("Steps left out are counted in the log and the metrics; an epoch of nothing else ends the run")
        func skipped() throws {
            let folder = try Folder()
            var program = Runs.training(
                "--out", folder / "run", "--on-nan", "skip", "--optimizer", "sgd", "--lr", "1e15", "--limit",
                "64")
            program.arguments += ["--final-relu", "--schedule", "constant"]
            try expectRefusal(3, "in any step of epoch 2: all 4 were left out", by: program)
            let line = try #require(folder.lines(of: "run/metrics.jsonl").first)
            #expect(line.contains("\"skipped_steps\":3"), "\(line)")
            #expect(
                folder.text("run/log.txt")?.contains("3 of 4 steps left out, whose loss was not finite")
                    == true)
            #expect(folder.epochsDone == 1)
            let last = try Safetensors(contentsOf: folder / "run/last.safetensors")
            for entry in last.entries { #expect(!entry.values.contains { !$0.isFinite }) }
        }
    }
}
