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
    /// What was evaluated, for those images that are shown.
    var images: any ImageSource
    /// "test" or "validation".
    var part: String
    /// Of the training, as the network saw them.
    var seenImages: [ReportPicture] = []
    /// Beside mistakes, in their order; none, or one for each.
    var heatmaps: [RasterImage] = []
    /// Sentences: what it began from, and what was frozen.
    var startNotes: [String] = []

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
            \(seen)
            \(layers)
            \(predictions)
            </main>
            <footer class="muted">Written by Resin. Metrics: metrics.jsonl; settings: config.json.</footer>
            </body>
            </html>

            """
    }

    private var lead: Markup {
        let best = epochs.max { ($0.decidingAccuracy, $1.epoch) < ($1.decidingAccuracy, $0.epoch) }
        guard let best, let last = epochs.last else {
            return "<p class=\"lead\">\(state); no epoch is done yet.</p>"
        }
        return """
            <p class="lead">Best \(part) accuracy <strong>\(percent(best.decidingAccuracy))</strong> in epoch \
            \(best.epoch)\(best.averaged == nil ? "" : ", of the averaged weights"); last \(percent(last.evaluated.accuracy))\(topFive(last.evaluated.top5Accuracy)), after epoch \(last.epoch) \
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
                .init(style: "test", name: part, values: epochs.map(\.evaluated.loss)),
            ] + averagedLine { $0.loss }, isShare: false)
        let accuracy = CurvePlot(
            title: "Accuracy", epochs: epochs.map(\.epoch),
            lines: [
                .init(style: "train", name: "training", values: epochs.map(\.trainAccuracy)),
                .init(style: "test", name: part, values: epochs.map(\.evaluated.accuracy)),
            ] + averagedLine { $0.accuracy }, isShare: true)
        let rate = CurvePlot(
            title: "Learning rate", epochs: epochs.map(\.epoch),
            lines: [.init(style: "train", name: "rate", values: epochs.map(\.learningRate))],
            isShare: false)
        let kind: Markup? =
            configuration.labelSmoothing > 0
            ? "of targets smoothed by \(configuration.labelSmoothing)"
            : configuration.focal != nil
                ? "the focal one" : configuration.classWeights.map { _ in "of weighted classes" }
        let smoothing: Markup =
            kind.map { "<p class=\"muted\">The training loss is that \($0); the \(part) loss is plain.</p>" }
            ?? ""
        return """
            <section><h2>Curves</h2>
            <div class="plots">\(loss.markup)\(accuracy.markup)\(rate.markup)</div>
            \(smoothing)
            <details\(epochs.count > 12 ? "" : " open=\"open\"" as Markup)><summary>Numbers by epoch</summary>
            \(epochTable)
            </details></section>
            """
    }

    /// Of the weights' moving averages, where an epoch has them.
    private func averagedLine(
        _ value: ((loss: Double, accuracy: Double)) -> Double
    ) -> [CurvePlot.Line] {
        if epochs.allSatisfy({ $0.averaged == nil }) { return [] }
        let values = epochs.map { epoch in epoch.averaged.map(value) ?? .nan }
        return [CurvePlot.Line(style: "averaged", name: "averaged", values: values)]
    }

    private var epochTable: Markup {
        let hasAverages = epochs.contains { $0.averaged != nil }
        return MarkupTable(
            caption: "Every epoch of metrics.jsonl",
            columns: [
                "epoch", "train loss", "train accuracy", "\(part) loss", "\(part) accuracy", "\(part) top-5",
            ] + (hasAverages ? ["averaged loss", "averaged accuracy"] : []) + [
                "learning rate", "ms a step", "images/s", "seconds",
            ],
            rows: epochs.map { epoch in
                [
                    "\(epoch.epoch)", decimals(epoch.trainLoss, 4), percent(epoch.trainAccuracy),
                    decimals(epoch.evaluated.loss, 4), percent(epoch.evaluated.accuracy),
                    percent(epoch.evaluated.top5Accuracy),
                ]
                    + (hasAverages
                        ? [
                            decimals(epoch.averaged?.loss ?? .nan, 4),
                            percent(epoch.averaged?.accuracy ?? .nan),
                        ]
                        : []) + [
                        "\(Float(epoch.learningRate))",
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
            \(startNotes.map { Markup("<p>\($0)</p>") })
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

    /// Training images, cropped, turned and coloured.
    private var seen: Markup {
        if seenImages.isEmpty { return "" }
        let figures = seenImages.map { picture -> Markup in
            """
            <figure><img src="\(BitmapImage(picture.image.reduced).dataURI)" alt="training image, \(picture.caption)"/>
            <figcaption>\(picture.caption.isEmpty ? "no class" : picture.caption)</figcaption></figure>
            """
        }
        return """
            <section><h2>Training images as the network saw them</h2>
            <p class="muted">The first of the first step, with the run's augmentation.</p>
            <div class="grid-of-images">\(figures)</div></section>
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
            ? "<p>Every channel of every ReLU is switched on by some \(part) image.</p>"
            : MarkupTable(
                caption: "Channels that their ReLU never switches on, for any \(part) image",
                columns: ["ReLU", "dead", "of", "share"],
                rows: silent.map {
                    [
                        $0.layer, "\($0.inactive)", "\($0.channels)",
                        percent(Double($0.inactive) / Double($0.channels)),
                    ]
                }
            ).markup
        let confusions: Markup =
            result.multiLabel == nil
            ? """
            <h2>Confusions</h2>
            \(ConfusionTable(counts: result.confusion, classNames: configuration.classNames).markup)
            """ : ""
        return """
            <section><h2>\(part.capitalized) images after epoch \(evaluation.epoch)\(evaluation.isBest ? ", the best" : "")</h2>
            <p>\(result.imageCount.grouped) images: accuracy \(percent(result.accuracy))\
            \(topFive(result.top5Accuracy ?? .nan)), loss \(decimals(result.loss, 4)).</p>
            \(warnings)
            \(channels)
            <h2>Classes</h2>
            \(classTable(result))
            \(confusions)
            \(reliability(result.reliability))
            <h2>Most confidently wrong</h2>
            \(mistakes(result.mistakes))
            </section>
            """
    }

    private func classTable(_ result: Evaluation) -> Markup {
        let metrics = result.classMetrics
        // The worst first: they are what one looks for, and there may be thousands.
        let order = metrics.indices.filter { metrics[$0].f1 != nil }
            .sorted { (metrics[$0].f1!, $0) < (metrics[$1].f1!, $1) }
        let precisions = result.multiLabel?.averagePrecision ?? []
        func share(_ value: Double?) -> String { percent(value ?? .nan) }
        let shown = order.prefix(100)
        let table = MarkupTable(
            caption: order.count > shown.count
                ? "The \(shown.count) worst of \(order.count.grouped) classes, by F1"
                : "By class, the worst first",
            columns: ["class", "images", "taken for it", "precision", "recall", "F1"]
                + (result.multiLabel == nil ? [] : ["average precision"]),
            rows: shown.map {
                [
                    configuration.classNames[$0], metrics[$0].imageCount.grouped,
                    metrics[$0].predictionCount.grouped, share(metrics[$0].precision),
                    share(metrics[$0].recall), share(metrics[$0].f1),
                ] + (precisions.isEmpty ? [] : [share(precisions[$0])])
            })
        return """
            \(classMeans(result))
            <details\(shown.count > 25 ? "" : " open=\"open\"" as Markup)><summary>Precision, recall and F1</summary>
            \(table.markup)
            </details>
            """
    }

    private func classMeans(_ result: Evaluation) -> Markup {
        func share(_ value: Double?) -> String { percent(value ?? .nan) }
        guard let metrics = result.multiLabel else {
            return """
                <p>Balanced accuracy \(share(result.balancedAccuracy)), mean F1 \(share(result.macroF1)).</p>
                """
        }
        return """
            <p>Images may be of several classes or of none. Mean average precision \
            \(share(metrics.meanAveragePrecision)), mean F1 \(share(result.macroF1)); exactly their classes \
            \(share(metrics.exactMatch)) of the images; right \(share(metrics.decisionAccuracy)) of all decisions, at a \
            probability of one half. Accuracy is the share of images whose likeliest class is one of theirs.</p>
            """
    }

    private func reliability(_ diagram: ReliabilityDiagram) -> Markup {
        guard let error = diagram.expectedCalibrationError else { return "" }
        let width = 1 / Double(diagram.bins.count)
        let rows = diagram.bins.enumerated().filter { $1.imageCount > 0 }.map { number, bin in
            [
                "\(percent(Double(number) * width)) – \(percent(Double(number + 1) * width))",
                bin.imageCount.grouped, percent(bin.probabilitySum / Double(bin.imageCount)),
                percent(Double(bin.correctCount) / Double(bin.imageCount)),
            ]
        }
        let table = MarkupTable(
            caption: "Images by the probability of the class that they are taken for",
            columns: ["probability", "images", "mean probability", "right"], rows: rows)
        return """
            <h2>Calibration</h2>
            <p>Probabilities are off by \(percent(error)) on the mean (expected calibration error).</p>
            <details><summary>By probability</summary>
            \(table.markup)
            </details>
            """
    }

    private func mistakes(_ mistakes: [Evaluation.Mistake]) -> Markup {
        if mistakes.isEmpty { return "<p>No \(part) image is wrong.</p>" }
        let figures = mistakes.enumerated().map { index, mistake -> Markup in
            let shown = MistakePicture(mistake, of: images, classNames: configuration.classNames)
            let map: Markup =
                index < heatmaps.count
                ? """
                <img src="\(BitmapImage(heatmaps[index].reduced).dataURI)" alt="where \(shown.predicted) is seen"/>
                """ : ""
            let picture: Markup =
                if let image = shown.picture {
                    "<img src=\"\(BitmapImage(image).dataURI)\" alt=\"\(part) image \(shown.image), \(shown.label)\"/>"
                } else {
                    "<p>This image can no longer be read.</p>"
                }
            return """
                <figure><div class="pair">\(picture)\(map)</div>
                <figcaption><strong>\(shown.label)</strong>, taken for \(shown.predicted) with \
                \(percent(shown.probability)); \(shown.name)</figcaption></figure>
                """
        }
        let note: Markup =
            heatmaps.isEmpty
            ? ""
            : """
            <p class="muted">Beside each image: where the class that it is taken for is seen, from nothing over red to pale \
            yellow (Grad-CAM).</p>
            """
        return
            "\(note)<div class=\"grid-of-images\(heatmaps.isEmpty ? "" : " pairs" as Markup)\">\(figures)</div>"
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
