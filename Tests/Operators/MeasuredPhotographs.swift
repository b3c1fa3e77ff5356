import Foundation
import ResinCases
import ResinTestDevices
import Testing

@Suite(.needsDevice)
struct MeasuredPhotographs {
    private static let path = ProcessInfo.processInfo.environment["RESIN_WRITE_PHOTOGRAPHS"]

    @Test(
        "What the device makes of photographs is written for Benchmarks/image_accuracy.py",
        .enabled(if: path != nil))
    func write() throws {
        let path = try #require(Self.path)
        var lines = ""
        for opCase in OpCase.measuredPhotographs(600) {
            let outputs = try SharedExecutors.use(.own(.exact)) { try opCase.run(on: $0) }
            lines += opCase.json + "\n" + Data(outputs[0].map { UInt8($0) }).base64EncodedString() + "\n"
        }
        try lines.write(toFile: path, atomically: true, encoding: .utf8)
    }
}
