// Serves predictions to eight tasks at once, through one predictor:
//
//     ExamplePredict RUN CALLS PICTURE…
//
// Each task asks for one picture after another, as the requests of a server would come. Whatever else was in a batch, a
// picture's answer has the same bits: every task checks that.

import Foundation
import Resin

@main
struct Predict {
    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count >= 3, let calls = Int(arguments.dropFirst().first!), calls > 0 else {
            print("usage: ExamplePredict RUN CALLS PICTURE…")
            exit(64)
        }
        do {
            try await serve(
                run: arguments.first!, calls: calls, pictures: Array(arguments.dropFirst(2)))
        } catch {
            FileHandle.standardError.write(Data("ExamplePredict: \(error)\n".utf8))
            exit((error as? ResinError)?.kind.rawValue ?? 1)
        }
    }

    static func serve(run: String, calls: Int, pictures: [String]) async throws {
        let predictor = try Predictor(run: run)
        print("\(predictor.network.name) on \(predictor.device.name), \(predictor.classNames.count) classes")
        let images = pictures.map { InputImage.file($0) }
        let expected = try await predictor.predict(images)
        for (picture, classes) in zip(pictures, expected) {
            print("\(picture): \(classes[0].className) \(classes[0].probability)")
        }

        /// Eight tasks' calls: how many answers were not the expected bits.
        @Sendable func serveAll(calls: Int) async throws -> Int {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for task in 0..<8 {
                    group.addTask {
                        var different = 0
                        for call in stride(from: task, to: calls, by: 8) {
                            let place = call % images.count
                            if try await predictor.predict(images[place]) != expected[place] {
                                different += 1
                            }
                        }
                        return different
                    }
                }
                var different = 0
                for try await own in group { different += own }
                return different
            }
        }

        // What is allocated once is there after the first tenth.
        var different = try await serveAll(calls: calls / 10)
        let before = residentByteCount()
        let clock = ContinuousClock()
        let start = clock.now
        different += try await serveAll(calls: calls)
        print("\(calls) calls in \((clock.now - start) / .seconds(1)) s, \(different) with other bits")
        print("resident memory grew by \(residentByteCount() - before) bytes")
        await predictor.close()
        if different > 0 { exit(1) }
    }

    /// The process's memory.
    static func residentByteCount() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }
}
