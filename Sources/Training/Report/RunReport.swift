import Foundation
import ResinDataset
import ResinPlan
import ResinTensor

/// `report.html` of a run: one file that needs no network and no script.
struct RunReport {
    var configuration: TrainingConfiguration
    var device: DeviceDescription
    var memory: MemoryPlan
    var epochs: [EpochMetrics]
    /// "finished", or why there may be more epochs to come.
    var state: String
    var evaluation: Evaluated?
    var profile: StepProfile
    /// The test images, for those that are shown.
    var images: any ImageSource

    /// An evaluation and the epoch after which it was made.
    struct Evaluated {
        var epoch: Int
        var result: Evaluation
        var isBest: Bool
    }

    /// Writes the report, whole or not at all.
    func write(to path: String) throws {
        try AtomicFile.write(Data(markup.description.utf8), to: path)
    }

    var markup: Markup {
        let title = "\(configuration.network) on \(configuration.data)"
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>\(title)</title>
            <style>
            \(ReportStyle.sheet)
            </style>
            </head>
            <body>
            <header>
            <h1>\(title)</h1>
            \(lead)
            </header>
            <main>
            \(curves)
            \(facts)
            \(layers)
            \(predictions)
            </main>
            <footer class="muted">Written by Resin. Metrics: metrics.jsonl; settings: config.json.</footer>
            </body>
            </html>

            """
    }

    private var lead: Markup {
        let best = epochs.max { ($0.testAccuracy, $1.epoch) < ($1.testAccuracy, $0.epoch) }
        guard let best, let last = epochs.last else {
            return "<p class=\"lead\">\(state); no epoch is done yet.</p>"
        }
        return """
            <p class="lead">Best test accuracy <strong>\(percent(best.testAccuracy))</strong> in epoch \(best.epoch); \
            last \(percent(last.testAccuracy))\(topFive(last.testTop5Accuracy)), after epoch \(last.epoch) \
            of \(configuration.epochs).</p>
            <p class="muted">\(state); \(decimals(last.imagesPerSecond, 0)) images/s, \
            \(decimals(last.stepMilliseconds, 1)) ms a step on \(device.name).</p>
            """
    }

    // MARK: Curves

    private var curves: Markup {
        if epochs.isEmpty { return "" }
        let loss = CurvePlot(
            title: "Loss", epochs: epochs.map(\.epoch),
            lines: [
                .init(style: "train", name: "training", values: epochs.map(\.trainLoss)),
                .init(style: "test", name: "test", values: epochs.map(\.testLoss)),
            ], isShare: false)
        let accuracy = CurvePlot(
            title: "Accuracy", epochs: epochs.map(\.epoch),
            lines: [
                .init(style: "train", name: "training", values: epochs.map(\.trainAccuracy)),
                .init(style: "test", name: "test", values: epochs.map(\.testAccuracy)),
            ], isShare: true)
        let smoothing: Markup =
            configuration.labelSmoothing > 0
            ? """
            <p class="muted">The training loss is that of targets smoothed by \(configuration.labelSmoothing); \
            the test loss is plain.</p>
            """ : ""
        return """
            <section><h2>Curves</h2>
            <div class="plots">\(loss.markup)\(accuracy.markup)</div>
            \(smoothing)
            <details\(epochs.count > 12 ? "" : " open=\"open\"" as Markup)><summary>Numbers by epoch</summary>
            \(epochTable)
            </details></section>
            """
    }

    private var epochTable: Markup {
        MarkupTable(
            caption: "Every epoch of metrics.jsonl",
            columns: [
                "epoch", "train loss", "train accuracy", "test loss", "test accuracy", "test top-5",
                "learning rate", "ms a step", "images/s", "seconds",
            ],
            rows: epochs.map { epoch in
                [
                    "\(epoch.epoch)", decimals(epoch.trainLoss, 4), percent(epoch.trainAccuracy),
                    decimals(epoch.testLoss, 4), percent(epoch.testAccuracy),
                    percent(epoch.testTop5Accuracy), "\(Float(epoch.learningRate))",
                    decimals(epoch.stepMilliseconds, 1), decimals(epoch.imagesPerSecond, 0),
                    decimals(epoch.seconds, 1),
                ]
            }
        ).markup
    }

    // MARK: Configuration, device, memory

    private var facts: Markup {
        let settings = configuration.fields.filter { $0.key != "class_names" }.map { [$0.key, $0.value] }
        let device = [
            ["name", device.name], ["vendor", device.vendor], ["kind", device.type.rawValue],
            ["platform", device.platform], ["version", device.version],
            ["compute units", "\(device.computeUnits)"],
            ["memory", MemoryPlan.megabytes(device.memoryByteCount)],
        ]
        let parts = [
            ("parameters", memory.parameters), ("gradients", memory.gradients),
            ("optimizer", memory.optimizerState), ("data set", memory.dataset),
            ("activations and scratch", memory.arena), ("total", memory.total),
        ]
        let plan = MarkupTable(
            caption: "Memory on the device, as planned before the first step", columns: ["part", "size"],
            rows: parts.map { [$0.0, MemoryPlan.megabytes($0.1)] }, hasTotal: true)
        return """
            <section><h2>Run</h2>
            <div class="facts">
            <div>
            \(pairs("Configuration", settings))
            </div>
            <div>
            \(pairs("Device", device.filter { !$0[1].isEmpty }))
            \(plan.markup)
            </div></div></section>
            """
    }

    /// Names and values, of which the latter may be long.
    private func pairs(_ caption: String, _ rows: [[String]]) -> Markup {
        let rows = rows.map { Markup("<tr><th scope=\"row\">\($0[0])</th><td>\($0[1])</td></tr>") }
        return """
            <p class="caption">\(caption)</p>
            <div class="scroll"><table class="wide"><tbody>
            \(rows)
            </tbody></table></div>
            """
    }

    // MARK: Layers

    private var layers: Markup {
        let total = profile.seconds
        func milliseconds(_ seconds: Double?) -> String { seconds.map { decimals(1e3 * $0, 3) } ?? "" }
        let columns =
            ["layer", "operator", "multiply-adds an image", "with gradients"]
            + (total == nil ? [] : ["forward ms", "backward ms", "share", "GFLOP/s"])
        func cells(
            _ name: String, _ operation: String, _ forward: Int, _ all: Int, _ forwardSeconds: Double?,
            _ backwardSeconds: Double?
        ) -> [String] {
            let row = [name, operation, forward.grouped, all.grouped]
            guard let total, let forwardSeconds, let backwardSeconds else { return row }
            let seconds = forwardSeconds + backwardSeconds
            let rate = all > 0 && seconds > 0 ? 2e-9 * Double(all * profile.batch) / seconds : nil
            return row + [
                milliseconds(forwardSeconds), milliseconds(backwardSeconds), percent(seconds / total),
                rate.map { decimals($0, 0) } ?? "",
            ]
        }
        let rows = profile.rows.map {
            cells(
                $0.layer, $0.operation, $0.forwardMultiplyAdds, $0.multiplyAdds, $0.forwardSeconds,
                $0.backwardSeconds)
        }
        func sum(_ value: (StepProfile.Row) -> Double?) -> Double? {
            total == nil ? nil : profile.rows.reduce(0) { $0 + (value($1) ?? 0) }
        }
        let totals = cells(
            "total", "", profile.rows.reduce(0) { $0 + $1.forwardMultiplyAdds },
            profile.rows.reduce(0) { $0 + $1.multiplyAdds }, sum(\.forwardSeconds), sum(\.backwardSeconds))
        let table = MarkupTable(
            caption: "A training step by layer, in the order of execution", columns: columns,
            rows: rows + [totals], hasTotal: true, textColumns: 2)
        return "<section><h2>Layers</h2><p class=\"muted\">\(profile.note)</p>\(table.markup)</section>"
    }

    // MARK: Predictions

    private var predictions: Markup {
        guard let evaluation else { return "" }
        let result = evaluation.result
        let warnings = result.classWarnings(classNames: configuration.classNames)
            .map { Markup("<p class=\"note\">\($0)</p>") }
        let silent = result.inactiveChannels.filter { $0.inactive > 0 }
        let channels: Markup =
            silent.isEmpty
            ? "<p>Every channel of every ReLU is switched on by some test image.</p>"
            : MarkupTable(
                caption: "Channels that their ReLU never switches on, for any test image",
                columns: ["ReLU", "dead", "of", "share"],
                rows: silent.map {
                    [
                        $0.layer, "\($0.inactive)", "\($0.channels)",
                        percent(Double($0.inactive) / Double($0.channels)),
                    ]
                }
            ).markup
        let table = ConfusionTable(counts: result.confusion, classNames: configuration.classNames)
        return """
            <section><h2>Test images after epoch \(evaluation.epoch)\(evaluation.isBest ? ", the best" : "")</h2>
            <p>\(result.imageCount.grouped) images: accuracy \(percent(result.accuracy))\
            \(topFive(result.top5Accuracy ?? .nan)), loss \(decimals(result.loss, 4)).</p>
            \(warnings)
            \(channels)
            <h2>Confusions</h2>
            \(table.markup)
            <h2>Most confidently wrong</h2>
            \(mistakes(result.mistakes))
            </section>
            """
    }

    private func mistakes(_ mistakes: [Evaluation.Mistake]) -> Markup {
        if mistakes.isEmpty { return "<p>No test image is wrong.</p>" }
        let figures = mistakes.map { mistake -> Markup in
            let label = configuration.classNames[mistake.label]
            let predicted = configuration.classNames[mistake.predicted]
            // What the images come from may be gone by now; the numbers stay.
            let picture: Markup =
                if let image = try? BitmapImage(images, index: mistake.image) {
                    "<img src=\"\(image.dataURI)\" alt=\"test image \(mistake.image), \(label)\"/>"
                } else {
                    "<p>This image can no longer be read.</p>"
                }
            return """
                <figure>\(picture)
                <figcaption><strong>\(label)</strong>, taken for \(predicted) with \
                \(percent(mistake.probability)); image \(mistake.image)</figcaption></figure>
                """
        }
        return "<div class=\"grid-of-images\">\(figures)</div>"
    }

    private func decimals(_ value: Double, _ count: Int) -> String {
        value.isFinite ? String(format: "%.\(count)f", value) : "–"
    }

    /// ", top-5 99.12 %"; nothing where it would say nothing.
    private func topFive(_ share: Double) -> String { share.isNaN ? "" : ", top-5 \(percent(share))" }

    private func percent(_ share: Double) -> String {
        share.isFinite ? String(format: "%.2f\u{A0}%%", 100 * share) : "–"
    }
}
