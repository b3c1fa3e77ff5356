import ResinDataset

extension ImageSource {
    /// All bytes, of a source that can be read.
    var pixels: [UInt8] { try! withBytes(of: 0..<count) { Array($0) } }
}
