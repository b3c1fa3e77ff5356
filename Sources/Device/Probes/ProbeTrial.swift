import ResinKernels
import ResinOpenCL

/// A probe's kernel, what it is given, and what it must give.
struct ProbeTrial {
    static let files = [
        "last_group", "ptx", "probe_fence", "probe_half", "probe_loops", "probe_memory", "probe_mma",
        "probe_ptx", "probe_subgroups",
    ]

    let file: String
    let options: [String]
    /// Work-items of the one group that runs.
    let workItems: Int
    let input: [Float]
    let outputCount: Int
    let localByteCount: Int
    /// What is wrong with the output, given the scratch memory too; nil where nothing is.
    let problem: (_ output: [Float], _ scratch: [Float]) -> String?

    init(_ probe: Probe, on device: Device) {
        var localByteCount = 0
        var outputCount = 64
        switch probe {
        case .halfStorage:
            (file, options, workItems) = ("probe_half", [], 16)
            input = Self.halves + [Float](repeating: 0, count: 16)
            outputCount = 32
            problem = { [input] output, _ in
                let halves = input.prefix(16).map { Float16($0) }
                return Self.difference(output, halves.map { Float($0) } + halves.map { Float($0.bitPattern) })
            }
        case .halfArithmetic:
            (file, options, workItems) = ("probe_half", ["-DARITHMETIC"], 16)
            input = Self.halves + Self.halves.reversed()
            outputCount = 32
            problem = { [input] output, _ in
                let pairs = zip(input.prefix(16), input.suffix(16)).map { (Float16($0), Float16($1)) }
                return Self.difference(output, pairs.map { Float($0 + $1) } + pairs.map { Float($0 * $1) })
            }
        case .inlinePTX:
            (file, options, workItems) = ("probe_ptx", ["-DINLINE"], 32)
            input = Self.fractions(64)
            problem = { [input] output, _ in
                Self.difference(
                    output, (0..<32).map { input[$0] * input[32 + $0] + 1 } + (0..<32).map(Float.init))
            }
        case .shuffle:
            (file, options, workItems) = ("probe_ptx", ["-DSHUFFLE"], 32)
            input = Self.fractions(64)
            problem = { [input] output, _ in
                Self.difference(output, (0..<32).map { input[$0 ^ 16] } + (0..<32).map { input[31 - $0] })
            }
        case .ldmatrix:
            (file, options, workItems) = ("probe_ptx", ["-DLDMATRIX"], 32)
            input = (0..<64).map { Float($0 % 7) }
            problem = { [input] output, _ in
                let expected = (0..<64).map { index -> Float in
                    let first = index / 32 * 64 + index % 32 / 4 * 8 + index % 4 * 2
                    func element(_ place: Int) -> Int { 1000 * Int(input[place % 64]) + place }
                    return Float(element(first) * 64 + element(first + 1) % 64)
                }
                return Self.difference(output, expected)
            }
        case .cpAsync:
            (file, options, workItems) = ("probe_ptx", ["-DCP_ASYNC"], 32)
            input = Self.fractions(64)
            problem = { [input] output, _ in
                let tile = input.prefix(48) + [Float](repeating: 0, count: 16)
                return Self.difference(
                    output, (0..<32).map { tile[63 - $0] } + (0..<32).map { tile[31 - $0] })
            }
        case .tf32, .bfloat16, .float16:
            let option = probe == .tf32 ? "TF32" : probe == .bfloat16 ? "BF16" : "F16"
            let depth = probe == .tf32 ? 8 : 16
            (file, options, workItems) = ("probe_mma", ["-D\(option)"], 32)
            input = Self.fractions(16 * depth + depth * 8)
            outputCount = 16 * 8
            problem = { [input] output, _ in
                Self.difference(output, Self.product(input, depth: depth))
            }
        case .subGroups, .subGroupShuffles:
            let extensions = Set(device.extensions)
            var options = device.version.hasPrefix("OpenCL 1") ? [] : ["-cl-std=CL2.0"]
            if device.version.hasPrefix("OpenCL 3") { options = ["-cl-std=CL3.0"] }
            if probe == .subGroupShuffles {
                options.append(
                    extensions.contains("cl_khr_subgroup_shuffle")
                        || !extensions.contains("cl_intel_subgroups")
                        ? "-DKHRONOS" : "-DINTEL")
            }
            (file, self.options, workItems) = ("probe_subgroups", options, 64)
            input = Self.fractions(64)
            outputCount = 128
            problem = { [input] output, groups in
                let sums = (0..<64).map { item in
                    (0..<64).filter { groups[$0] == groups[item] }.reduce(Float(0)) { $0 + input[$1] }
                }
                let neighbours = (0..<64).map { input[$0 ^ 1] }
                return probe == .subGroups
                    ? Self.difference(Array(output.prefix(64)), sums)
                    : Self.difference(Array(output.suffix(64)), neighbours)
            }
        case .longLoops:
            let side = 1024
            (file, options, workItems) = ("probe_loops", [], 64)
            input = [Float(side)]
            problem = { output, words in
                if let rounds = output.first(where: { $0 != Float(side * side) }) {
                    return "a work-item's loops end after \(rounds) of \(side * side) rounds"
                }
                return Self.difference(words, (0..<64).map { Self.word(of: $0, side: side) })
            }
        case .localMemory:
            (file, workItems) = ("probe_memory", 64)
            localByteCount = device.localMemoryByteCount / 256 * 256
            options = ["-DLOCAL_WORDS=\(localByteCount / 4)"]
            input = [0]
            problem = { [localByteCount] output, _ in
                // What is not a number was not written at all.
                let wrong = output.map { Int(exactly: $0) ?? localByteCount / 256 }.reduce(0, +)
                return wrong == 0 ? nil : "\(wrong) of \(localByteCount / 4) words are lost"
            }
        case .deviceFence, .largestAllocation, .pinnedStaging:
            preconditionFailure("\(probe) is the host's affair")
        }
        self.outputCount = outputCount
        self.localByteCount = localByteCount
    }

    /// - Returns: what is wrong, nil where nothing is.
    func run(on device: Device) throws -> String? {
        let context = try Context(device: device)
        let queue = try Queue(context: context)
        let source = String(cString: kernel_source(file))
        let kernel = try Program(context: context, source: source, options: options).kernel(named: "probe")
        func buffer(_ values: [Float]) throws -> Buffer {
            let buffer = try Buffer(context: context, byteCount: 4 * values.count)
            try values.withUnsafeBytes { try queue.write(from: $0, to: buffer) }
            return buffer
        }
        func floats(_ buffer: Buffer) throws -> [Float] {
            var values = [Float](repeating: .nan, count: buffer.byteCount / 4)
            try values.withUnsafeMutableBytes { try queue.read(buffer, into: $0) }
            return values
        }
        // What the kernel does not write is not a number.
        let output = try buffer([Float](repeating: .nan, count: outputCount))
        let scratch = try buffer([Float](repeating: .nan, count: 64))
        for (index, argument) in [try buffer(input), output, scratch].enumerated() {
            try kernel.setArgument(index, argument)
        }
        if localByteCount > 0 { try kernel.setLocalMemory(3, byteCount: localByteCount) }
        try queue.enqueue(kernel, global: [workItems], local: [workItems])
        guard let problem = problem(try floats(output), try floats(scratch)) else { return nil }
        return (["\(file):"] + options + [problem]).joined(separator: " ")
    }

    // MARK: Numbers

    /// Sixteenths of −31 … 31: sums of sixteen products of two of them are exact in float32, and need more digits
    /// than a half has.
    private static func fractions(_ count: Int) -> [Float] {
        (0..<count).map { index -> Float in
            let sixteenths = (index * 37 + index / 8 * 11) % 63 - 31
            return Float(sixteenths) / 16
        }
    }

    /// Exact halves, halves of halves, ties, a number below the normal ones, and the largest that is not infinite.
    private static let halves: [Float] = [
        0, 1, -2.5, 2048, 2049, 2051, 0.1, -1e-5, 6e-8, 65519, 1 + 0x1p-11, 1 + 0x1.8p-10, -0.333, 123.456,
        70000, 3,
    ]

    /// A [16][depth] · B [depth][8], B after A.
    private static func product(_ input: [Float], depth: Int) -> [Float] {
        var result = [Float](repeating: 0, count: 16 * 8)
        for row in 0..<16 {
            for column in 0..<8 {
                for k in 0..<depth {
                    let factor = input[16 * depth + k * 8 + column]
                    result[row * 8 + column] += input[row * depth + k] * factor
                }
            }
        }
        return result
    }

    /// What Kernels/probes/probe_loops.cl computes.
    private static func word(of workItem: UInt32, side: Int) -> Float {
        var word = workItem
        for _ in 0..<side {
            for j in 0..<UInt32(side) { word = (word ^ j) &* 1_664_525 &+ 1_013_904_223 }
        }
        return Float(word >> 16)
    }

    private static func difference(_ output: [Float], _ expected: [Float]) -> String? {
        precondition(output.count == expected.count)
        let wrong = output.indices.filter { output[$0] != expected[$0] }
        guard let first = wrong.first else { return nil }
        func beginning(_ numbers: [Float]) -> String {
            numbers.prefix(8).map(\.description).joined(separator: " ")
        }
        return
            "\(wrong.count) of \(output.count) numbers are wrong: number \(first) is \(output[first]) instead "
            + "of \(expected[first]); they begin with \(beginning(output)) instead of \(beginning(expected))"
    }
}
