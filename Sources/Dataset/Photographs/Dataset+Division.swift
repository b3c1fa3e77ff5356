import ResinTensor

extension Dataset {
    /// The same images, tested on those with these names and trained on the others: where images have come or gone since a set
    /// was divided, chance would divide it otherwise now.
    ///
    /// - Errors: `.badContent` where some of them are no longer there.
    package func divided(testingOn names: [String]) throws -> Dataset {
        guard let train = train as? any PhotographSource, let test = test as? any PhotographSource else {
            return self
        }
        let all = JoinedPhotographs(first: train, second: test)
        var places: [String: Int32] = [:]
        for image in 0..<all.count { places[all.name(of: image) ?? ""] = Int32(image) }
        let missing = names.filter { places[$0] == nil }
        guard missing.isEmpty else {
            throw ResinError(
                .badContent,
                "\(name): \(missing.count.grouped) of the run's \(names.count.grouped) test images are gone, such as "
                    + "\(missing[0]); bring them back, or evaluate another folder with --data")
        }
        let chosen = names.map { places[$0]! }
        let isChosen = Set(chosen)
        var dataset = self
        dataset.test = all.selecting(chosen)
        dataset.train = all.selecting((0..<Int32(all.count)).filter { !isChosen.contains($0) })
        return dataset
    }
}

/// Two parts of a set, one behind the other.
private struct JoinedPhotographs: PhotographSource {
    let first, second: any PhotographSource

    var shape: Shape {
        Shape(
            images: first.count + second.count, height: first.height, width: first.width,
            channels: first.channels)
    }
    var labels: [Int32] { first.labels + second.labels }

    private func place(_ image: Int) -> (source: any PhotographSource, image: Int) {
        image < first.count ? (first, image) : (second, image - first.count)
    }

    func name(of image: Int) -> String? {
        let place = place(image)
        return place.source.name(of: place.image)
    }

    func size(of image: Int) -> PixelSize {
        let place = place(image)
        return place.source.size(of: place.image)
    }

    func read(_ image: Int, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        let place = place(image)
        try place.source.read(place.image, into: bytes)
    }

    func read(_ image: Int, _ box: PixelBox, into bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        let place = place(image)
        try place.source.read(place.image, box, into: bytes)
    }
}
