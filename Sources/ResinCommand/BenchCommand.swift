import ArgumentParser
import Foundation
import Resin

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Times a network's training or prediction step.")

    @Argument(
        help: "The network: \(Network.knownNames.joined(separator: ", ")); none with --calibrate alone.")
    var network: String?
    @Option(help: ArgumentHelp("Channels × height × width, such as 1x96x96.", valueName: "shape"))
    var input: String?
    @Option(help: ArgumentHelp("Images a step.", valueName: "n"))
    var batch = 32
    @Option(help: "train or infer.")
    var mode: PlanArguments.Mode = .train
    @Option(help: ArgumentHelp("Steps to time, after two to warm up.", valueName: "n"))
    var steps = 10
    @Flag(
        help: ArgumentHelp(
            "Start all timed steps and wait for the device once, at the end.",
            discussion:
                "Without it each step is waited for and the median counts; with it their mean does, and what "
                + "the program does for a step runs beside the device's work, as in a training."))
    var pipelined = false
    @Flag(
        help: "Also a table by operator, layer and pass: time, GFLOP/s, GB/s, share of the limits.")
    var profile = false
    @Option(
        help: ArgumentHelp(
            "With --profile, also a step's kernels on a time line, for chrome://tracing or Perfetto.",
            valueName: "file"))
    var trace: String?
    @Flag(help: "Also the device's limits, measured: multiply-adds and bytes copied a second.")
    var calibrate = false
    @OptionGroup(title: "Network") var networkArguments: NetworkArguments
    @OptionGroup var deviceOption: DeviceOption
    @Flag(help: "As JSON.")
    var json = false

    func run() throws {
        let batch = try bounded("--batch", batch, 1...largestBatch)
        let steps = try bounded("--steps", steps, 1...1_000_000)
        if trace != nil && !profile {
            throw ResinError(.usage, "--trace wants --profile, whose times it writes")
        }
        guard let network else { return try runCalibration() }
        let model = try Network.named(
            network, input: input.map(ImageShape.init(parsing:)),
            options: networkArguments.options(over: NetworkOptions(), for: network))
        let device = try deviceOption.choose()
        if profile || calibrate { try checkThatItHasLimits(device) }
        let bench = try Bench(model, batch: batch, trains: mode == .train, device: device, profiling: profile)
        try bench.runStep()
        let firstStep = secondsSinceStart()
        try bench.runStep()
        let seconds =
            pipelined
            ? try bench.runSteps(steps)
            : try (0..<steps).map { _ in try bench.runStep() }.sorted()[steps / 2]
        var result = Result(
            network: network, device: device.details.name, mode: mode.rawValue, batch: batch,
            pipelined: pipelined,
            imagesPerSecond: Double(batch) / seconds, stepMilliseconds: 1e3 * seconds,
            gflops: Double(bench.flops) / seconds * 1e-9, peakBytes: peakByteCount(),
            planBytes: bench.planByteCount, firstStepSeconds: firstStep)
        // Last: its buffers would count in the peak.
        var operators: OperatorProfile?
        if profile || calibrate, let calibration = try bench.calibrate() {
            let bound = bench.boundSeconds(calibration)
            result.limits = Limits(calibration)
            result.boundMilliseconds = 1e3 * bound
            result.shareOfBound = bound / seconds
            if profile { operators = try bench.operatorProfile(calibration) }
        }
        if let trace, let events = try bench.trace() {
            try AtomicFile.write(try JSONEncoder().encode(events), to: trace)
        }
        if json {
            result.operators = operators?.rows.map(Operator.init)
            return try printJSON(result)
        }
        if let operators { print(operators.table() + "\n") }
        print(
            "\(network) \(model.input), batch \(batch), \(mode.rawValue): "
                + "\(decimals(result.imagesPerSecond, 1)) images/s, "
                + "\(decimals(result.stepMilliseconds, 2)) ms a step\(pipelined ? " (pipelined)" : ""), \(decimals(result.gflops, 0)) GFLOP/s on "
                + "\(device.details.name)")
        if let share = result.shareOfBound, let bound = result.boundMilliseconds {
            print(
                "the device's limits allow \(decimals(bound, 2)) ms a step: \(percent(share)) of what it took"
            )
        }
    }

    private func runCalibration() throws {
        guard calibrate else {
            throw ResinError(.usage, "bench wants a network, or --calibrate for the device's limits alone")
        }
        if profile { throw ResinError(.usage, "--profile wants a network to profile") }
        let device = try deviceOption.choose()
        try checkThatItHasLimits(device)
        guard let calibration = try device.calibrate() else { preconditionFailure("checked above") }
        if json { return try printJSON(Limits(calibration)) }
        print("\(device.details.name): \(calibration)")
    }

    private func checkThatItHasLimits(_ device: ComputeDevice) throws {
        if device.details.type == .reference {
            throw ResinError(
                .usage,
                "\(profile ? "--profile" : "--calibrate") measures an OpenCL device, and '\(device.details.name)' is "
                    + "none; name one of 'resin devices' with --device")
        }
    }

    /// Since the process was started, as the kernel counts it.
    private func secondsSinceStart() -> Double {
        guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            let uptime = try? String(contentsOfFile: "/proc/uptime", encoding: .utf8),
            // The 22nd field, counted behind the name, which may hold spaces.
            let fields = text.split(separator: ")").last?.split(separator: " "), fields.count > 19,
            let ticks = Double(fields[19]),
            let now = uptime.split(separator: " ").first.flatMap({ Double($0) })
        else { return .nan }
        return now - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The process's largest resident set.
    private func peakByteCount() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}

extension BenchCommand {
    /// What --json prints.
    private struct Result: Encodable {
        var network, device, mode: String
        var batch: Int
        /// Whether the device was waited for once, behind all steps.
        var pipelined: Bool
        var imagesPerSecond, stepMilliseconds, gflops: Double
        /// Of the process's memory, and of the device's as planned.
        var peakBytes, planBytes: Int
        var firstStepSeconds: Double
        /// With --calibrate and --profile.
        var limits: Limits?
        var boundMilliseconds, shareOfBound: Double?
        /// With --profile.
        var operators: [Operator]?
    }

    private struct Limits: Encodable {
        var multiplyAddGflops, copyGigabytesPerSecond: Double

        init(_ calibration: Calibration) {
            multiplyAddGflops = calibration.flops * 1e-9
            copyGigabytesPerSecond = calibration.copyBytes * 1e-9
        }
    }

    private struct Operator: Encodable {
        var layer, pass, operation, kernel: String
        var milliseconds, gflops, gigabytesPerSecond, shareOfBound: Double

        init(_ row: OperatorProfile.Row) {
            (layer, pass, operation, kernel) = (row.layer, row.pass.rawValue, row.operation, row.kernel)
            milliseconds = 1e3 * row.work.seconds
            (gflops, gigabytesPerSecond) = (row.work.gflops, row.work.gigabytesPerSecond)
            shareOfBound = row.work.shareOfBound
        }
    }
}
