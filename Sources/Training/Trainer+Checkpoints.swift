import ResinGraph
import ResinPlan
import ResinTensor

extension Trainer {
    /// Weights, and all that the next step depends on besides.
    public func checkpoint(metadata: [String: String] = [:]) throws -> Checkpoint {
        let weights = Safetensors(
            try model.weights(on: executor, step: step),
            metadata: Safetensors.metadata(of: configuration))
        var entries: [Safetensors.Entry] = []
        for state in 0..<configuration.optimizer.rule.stateCount {
            entries += try model.tensors(of: .optimizerState(state), prefix: "\(state).", on: executor)
        }
        if let lossScale = try lossScale() {
            let values = [lossScale.scale, lossScale.steadySteps, lossScale.skippedSteps]
            entries.append(Safetensors.Entry(Self.lossScaleName, shape: [3], values: values))
        }
        if configuration.averageDecay != nil { entries += try model.averages(on: executor) }
        let stepsDone = step % stepsPerEpoch
        if stepsDone > 0 {
            let rows = earlierRows + (try StepMetrics.rows(executor, .train, slots: firstSlot..<stepsDone))
            entries.append(
                Safetensors.Entry(
                    Checkpoint.metricsName, shape: [rows.count, Metric.allCases.count],
                    values: rows.flatMap { $0.values.map(Float.init) }))
        }
        var details = metadata
        details["epoch"] = String(step / stepsPerEpoch)
        if configuration.schedule.kind == .plateau { details[Plateau.key] = plateau.text }
        return Checkpoint(
            step: step, weights: weights, optimizer: Safetensors(entries, metadata: details))
    }

    /// Continues where a checkpoint was made.
    ///
    /// - Parameter path: the checkpoint's, for errors.
    /// - Throws: `ResinError(.badContent)` that names what does not fit this trainer, or what no training makes.
    public func restore(_ checkpoint: Checkpoint, from path: String) throws {
        if let epoch = checkpoint.optimizer.metadata["epoch"], Int(epoch) != checkpoint.step / stepsPerEpoch {
            throw ValueFault(
                key: "epoch", value: "'\(epoch)'",
                allowed:
                    "\(checkpoint.step / stepsPerEpoch): so many epochs of \(stepsPerEpoch) steps are in its "
                    + "\(checkpoint.step); it was made with another --batch or --limit"
            ).badContent(in: "\(path): metadata")
        }
        try model.load(
            NetworkWeights(checkpoint.weights, from: path, for: plans.training.gradients), on: executor)
        for state in 0..<configuration.optimizer.rule.stateCount {
            try model.loadTensors(
                checkpoint.optimizer, from: path, prefix: "\(state).", to: .optimizerState(state),
                on: executor)
        }
        try checkSquares(checkpoint.optimizer, from: path)
        if configuration.precision.scalesLoss { try restoreLossScale(checkpoint.optimizer, from: path) }
        if configuration.schedule.kind == .plateau {
            plateau = try Plateau(checkpoint.optimizer.metadata, from: path)
        }
        if configuration.averageDecay != nil {
            try model.loadAverages(checkpoint.optimizer, from: path, on: executor)
        }
        step = checkpoint.step
        firstSlot = step % stepsPerEpoch
        earlierRows = firstSlot > 0 ? try self.earlierRows(checkpoint.optimizer, from: path) : []
    }

    /// Some optimizers take the root of a state, a mean of squares.
    private func checkSquares(_ file: Safetensors, from path: String) throws {
        guard let state = configuration.optimizer.rule.squaresState else { return }
        for entry in file.entries where entry.name.hasPrefix("\(state).") {
            guard let value = entry.values.first(where: { $0 < 0 }) else { continue }
            throw ValueFault(key: entry.name, value: "\(value) somewhere", allowed: "nowhere below 0")
                .badContent(in: path)
        }
    }

    private func restoreLossScale(_ file: Safetensors, from path: String) throws {
        guard let entry = file[Self.lossScaleName], entry.shape == [3] else {
            throw ResinError(
                .badContent,
                "\(path): tensor '\(Self.lossScaleName)' of shape [3] is missing; the checkpoint was made with another "
                    + "--precision")
        }
        let lossScale = LossScale(
            scale: entry.values[0], steadySteps: entry.values[1], skippedSteps: entry.values[2])
        guard lossScale.isPossible else {
            throw ValueFault(
                key: Self.lossScaleName, value: "\(entry.values)",
                allowed:
                    "a scale above 0 and at most \(LossScale.largest), and the whole numbers of steps since it "
                    + "changed and of steps left out"
            ).badContent(in: path)
        }
        try executor.write(lossScale)
    }

    private func earlierRows(_ file: Safetensors, from path: String) throws -> [StepMetrics] {
        let columns = Metric.allCases.count
        let shape = [firstSlot, columns]
        guard let rows = file[Checkpoint.metricsName], rows.shape == shape else {
            throw ResinError(
                .badContent,
                "\(path): tensor '\(Checkpoint.metricsName)' of shape \(shape) is missing; the checkpoint was "
                    + "made with another --batch or --limit")
        }
        let values = rows.values
        return try (0..<firstSlot).map { step in
            let row = StepMetrics(row: values[step * columns..<(step + 1) * columns])
            let images = 0...Double(configuration.batch)
            let counts = Metric.allCases.filter { $0 != .loss }
            guard row[.loss].isFinite || row[.notFinite] > 0, counts.allSatisfy({ images.contains(row[$0]) })
            else {
                throw ValueFault(
                    key: Checkpoint.metricsName, value: "\(row.values) in step \(step + 1)",
                    allowed: "a finite loss and three numbers of images from 0 to \(configuration.batch)"
                ).badContent(in: path)
            }
            return row
        }
    }

    private static let lossScaleName = "loss_scale"
}

extension Executor {
    package func write(_ lossScale: LossScale) throws { try write([lossScale], to: .lossScale) }
}
