import Foundation
import Resin

/// Where `predict --heatmap` puts its pictures.
final class HeatmapFolder {
    private let path: String
    /// Files of this process.
    private var taken: Set<String> = []

    /// Makes the folder where it is not there.
    init(_ path: String) throws {
        self.path = path
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw ResinError(
                .cannotWrite,
                "cannot make the folder \(path) for heat maps; check the path and its permissions")
        }
    }

    /// - Throws: `ResinError(.usage)` where something else is called so: to be asked before work that takes long.
    static func check(_ path: String) throws {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue {
            throw ResinError(.usage, "--heatmap is \(path), which is a file; name a folder")
        }
    }

    /// Writes PICTURE.CLASS.png, or PICTURE.CLASS-2.png and so on where another picture's is called so.
    func write(_ map: Heatmap, of picture: String) throws {
        let name = (picture as NSString).lastPathComponent + "." + Self.safe(map.prediction.className)
        var file = "\(path)/\(name).png"
        var number = 2
        while taken.contains(file) {
            file = "\(path)/\(name)-\(number).png"
            number += 1
        }
        taken.insert(file)
        try AtomicFile.write(Data(try map.overlay().png()), to: file)
    }

    /// A class's name as a part of a file's: what a folder or a shell would take otherwise becomes a line.
    private static func safe(_ name: String) -> String {
        let safe = name.unicodeScalars.map { scalar -> Character in
            scalar == "/" || scalar.properties.generalCategory == .control ? "_" : Character(scalar)
        }
        return String(String(safe).prefix(80))
    }
}
