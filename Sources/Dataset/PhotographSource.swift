import ResinTensor

/// Images of any size, each decoded when it is asked for. `shape` has the size that they come to where one size is wanted,
/// and `ImageSource.read` brings them to it.
///
/// All calls give the same at any time and on any thread.
public protocol PhotographSource: ImageSource {
    /// Upright, as it is decoded: a JPEG may be decoded at a fraction of its size.
    func size(of image: Int) -> PixelSize
    /// Decodes a part of an image, `[height, width, channels]` of the box, to the same bytes as where the whole is
    /// decoded. Called on several threads at once.
    ///
    /// - Throws: `ResinError` that names the file where it cannot be read.
    func read(_ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>) throws
}
