import ResinTensor

/// The content of an IDX file, plain or gzip: an array of bytes with its extents.
///
/// The format is that of MNIST: two zero bytes, the element type (8: unsigned byte), the number of
/// dimensions, each dimension as a big-endian 32-bit number, then the elements, the last dimension fastest.
/// Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
package struct IDXFile: ~Copyable {
    package let path: String
    /// Outermost first, each at least 1.
    package let extents: [Int]
    private let file: GzipFile
    /// Of the header and all elements.
    private let expected: Int

    /// Reads the header.
    ///
    /// - Parameters:
    ///   - dimensionNames: What the dimensions should be, outermost first: for images and the labels the
    ///     names differ, and so does their number, which is checked.
    /// - Errors: `.missingFile` where the file cannot be opened; `.badContent` where it is not an IDX file
    ///   of bytes with these dimensions, one of them is zero, or they are more than the file can hold.
    package init(path: String, dimensionNames: [String]) throws {
        let file = try GzipFile(path: path)
        let extents = try Self.readExtents(file, dimensionNames)

        let description = Self.description(of: extents)
        var expected = 1
        for extent in extents {
            let (product, overflow) = expected.multipliedReportingOverflow(by: extent)
            guard !overflow else {
                throw ResinError(
                    .badContent,
                    "\(path): dimensions: \(description) elements are more than any file can hold; the header "
                        + "is damaged, fetch or copy the file again.")
            }
            expected = product
        }
        // Asked before memory is: a damaged header may claim terabytes.
        guard expected <= file.maximumByteCount else {
            throw ResinError(
                .badContent,
                "\(path): elements: \(description) = \(expected) bytes expected, more than a file of this "
                    + "size can hold; the file is cut short or its header damaged, fetch or copy it again.")
        }
        self.path = path
        self.extents = extents
        self.expected = expected
        self.file = file
    }

    /// The elements, or the first of them.
    ///
    /// - Parameter count: of the outermost dimension.
    /// - Errors: `.badContent` where the bytes are fewer or, where all are read, more than the header says.
    package borrowing func elements(first count: Int? = nil) throws -> [UInt8] {
        let count = count ?? extents[0]
        let wanted = expected / extents[0] * count
        let elements = try file.read(atMost: wanted)
        let description = Self.description(of: extents)
        guard elements.count == wanted else {
            throw ResinError(
                .badContent,
                "\(path): elements: \(description) = \(expected) bytes expected, but there are only "
                    + "\(elements.count); the file is cut short, fetch or copy it again.")
        }
        guard try count < extents[0] || file.isAtEnd() else {
            throw ResinError(
                .badContent,
                "\(path): elements: \(description) = \(expected) bytes expected, but there are more; the "
                    + "header does not belong to the content, fetch or copy the file again.")
        }
        return elements
    }

    private static func description(of extents: [Int]) -> String {
        extents.map(String.init).joined(separator: "×")
    }

    private static func readExtents(_ file: borrowing GzipFile, _ names: [String]) throws -> [Int] {
        let path = file.path
        var header = [UInt8](repeating: 0, count: 4 + 4 * names.count)
        let got = try header.withUnsafeMutableBytes { try file.read(into: $0) }
        guard got >= 4, header[0] == 0, header[1] == 0 else {
            let found = header.prefix(min(got, 4)).map { hexadecimal($0) }.joined(separator: " ")
            throw ResinError(
                .badContent,
                "\(path): magic number: expected 00 00 08 \(hexadecimal(UInt8(names.count))), found "
                    + "\(got == 0 ? "an empty file" : found); this is not an IDX file.")
        }
        guard header[2] == 8 else {
            throw ResinError(
                .badContent,
                "\(path): element type: expected 08 (unsigned byte), found \(hexadecimal(header[2])); only "
                    + "files of bytes can be read, convert it.")
        }
        guard Int(header[3]) == names.count else {
            throw ResinError(
                .badContent,
                "\(path): number of dimensions: expected \(names.count) (\(names.joined(separator: ", "))), "
                    + "found \(header[3]); check that images and labels are not exchanged.")
        }
        guard got == header.count else {
            throw ResinError(
                .badContent,
                "\(path): header: expected \(header.count) bytes, found \(got); the file is cut short, fetch "
                    + "or copy it again.")
        }
        return try names.enumerated().map { axis, name in
            let extent = header[(4 + 4 * axis)..<(8 + 4 * axis)].reduce(0) { $0 << 8 | Int($1) }
            guard extent > 0 else {
                throw ResinError(
                    .badContent,
                    "\(path): \(name): expected at least 1, found 0; the file holds nothing to train on.")
            }
            return extent
        }
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}

/// A pair of IDX files of which the headers have been read, and agree: grey images and their labels.
struct IDXPair: ~Copyable {
    let count, height, width: Int
    let images, labels: IDXFile

    /// - Errors: those of `IDXFile`, and `.badContent` where the two disagree in number.
    init(imagesPath: String, labelsPath: String) throws {
        // Labels first: the small file, so that a mistake shows at once.
        let labels = try IDXFile(path: labelsPath, dimensionNames: ["labels"])
        let images = try IDXFile(path: imagesPath, dimensionNames: ["images", "height", "width"])
        guard images.extents[0] == labels.extents[0] else {
            throw ResinError(
                .badContent,
                "\(imagesPath) holds \(images.extents[0]) images, but \(labelsPath) holds "
                    + "\(labels.extents[0]) labels; the two do not belong together, fetch both again.")
        }
        try ImageSet.check(count: images.extents[0], source: imagesPath)
        (count, height, width) = (images.extents[0], images.extents[1], images.extents[2])
        self.images = images
        self.labels = labels
    }
}
