import ResinTensor

/// Which images are which part's, and of which class, before any of them is opened.
struct ImageListing {
    enum Part: CaseIterable, Sendable {
        case train, validation, test

        var name: String {
            switch self {
            case .train: "train"
            case .validation: "validation"
            case .test: "test"
            }
        }

        /// What people call it.
        init?(_ name: some StringProtocol) {
            switch name.lowercased() {
            case "train", "training": self = .train
            case "val", "valid", "validation": self = .validation
            case "test", "testing": self = .test
            default: return nil
            }
        }
    }

    /// For messages.
    let name: String
    /// The folder that names are relative to.
    let root: String
    /// Archives that images are in, by names relative to the root.
    var shards: [String] = []
    private(set) var classNames: [String] = []
    private(set) var labelSets: LabelSets?
    /// Images by label: a class's, or a set of classes'.
    private(set) var train: [ImageNames] = []
    private(set) var validation: [ImageNames]?
    private(set) var test: [ImageNames] = []
    private(set) var notes: [String] = []
    /// Whether the test images were cut from the training images.
    private(set) var isDivided = false
    let leftOut: LeftOut

    /// How a set is divided whose form asks for it; nil where a part for testing has to be asked for.
    static let usualSplit = 0.1

    /// What was found.
    struct Found {
        /// By class, or by a name of a set of classes.
        var parts: [Part: [String: ImageNames]] = [:]
        /// The sets' classes, where images have several classes or none.
        var sets: [String: [String]]?
        /// What messages call a part.
        var partNames: [Part: String] = [:]
        var shards: [String] = []
        var leftOut = LeftOut()
        var notes: [String] = []
        /// Whether a part for testing is cut off where none is there and none is asked for.
        var splitsByItself = false
        /// Whether classes that are all whole numbers are in the numbers' order.
        var ordersNumbers = false

        /// The only images beside those to train with are those to test with.
        mutating func settleParts(of name: String) {
            if parts[.test] == nil {
                parts[.test] = parts.removeValue(forKey: .validation)
                partNames[.test] = partNames.removeValue(forKey: .validation)
            } else if parts[.validation] != nil {
                let names = [.test, .validation].map { partNames[$0] ?? "" }
                notes.append("\(name): \(names[0]) is tested with, \(names[1]) is kept for validation")
            }
        }

        func orderedClasses() -> [String] {
            let labels = (parts[.train] ?? [:]).filter { $0.value.count > 0 }.keys
            let names = sets.map { sets in Set(labels.flatMap { sets[$0]! }) } ?? Set(labels)
            let numbers = names.compactMap { Int($0) }
            if ordersNumbers, numbers.count == names.count, Set(numbers).count == names.count {
                return names.sorted { Int($0)! < Int($1)! }
            }
            return names.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
        }

        /// The sets in the order of their classes, and their names.
        func orderedSets(of classNames: [String]) -> (names: [String], sets: LabelSets)? {
            guard let sets else { return nil }
            let places = Dictionary(uniqueKeysWithValues: zip(classNames, Int32(0)...))
            let ordered = sets.map { name, classes in (name: name, set: classes.map { places[$0]! }.sorted())
            }
            .sorted { $0.set.lexicographicallyPrecedes($1.set) }
            return (ordered.map(\.name), LabelSets(ordered.map(\.set)))
        }
    }

    /// - Throws: `ResinError`: `.badContent` where there are no classes, too many, or some of the test images are of none of
    ///   them; `.usage` where `split` does not go with what was found.
    init(_ name: String, root: String, _ found: Found, split: Double?, seed: UInt64) throws {
        (self.name, self.root, shards, leftOut) = (name, root, found.shards, found.leftOut)
        notes = found.notes
        let classes = found.parts[.train] ?? [:]
        classNames = found.orderedClasses()
        let trainName = found.partNames[.train] ?? name
        guard (1...Limits.classes).contains(classNames.count) else {
            let what =
                classNames.isEmpty
                ? "no class with images (\(ImageHeader.endingsText))" : "\(classNames.count.grouped) classes"
            let left = leftOut.sentence.map { "; \($0)" } ?? ""
            throw ResinError(
                .badContent,
                "\(trainName): holds \(what); 1 to \(Limits.classes.grouped) classes are expected, a folder each\(left)."
            )
        }
        let empty = classes.filter { $0.value.count == 0 }.keys.sorted()
        if !empty.isEmpty {
            notes.append(
                "\(trainName): \(Self.classes(empty)) \(empty.count == 1 ? "holds" : "hold") no images "
                    + "(\(ImageHeader.endingsText)) and \(empty.count == 1 ? "is" : "are") left out")
        }
        let sets = found.orderedSets(of: classNames)
        labelSets = sets?.sets
        train = (sets?.names ?? classNames).map { classes[$0]! }
        validation = try part(.validation, of: found)
        if let test = try part(.test, of: found) {
            guard split == nil else {
                let name = found.partNames[.test] ?? "a part for testing"
                throw ResinError(
                    .usage, "\(name): is there to test with; leave --split out, or move it away.")
            }
            self.test = test
        } else {
            guard let share = split ?? (found.splitsByItself ? Self.usualSplit : nil) else {
                throw ResinError(
                    .usage,
                    "\(name): has no folder 'test' or 'val'; say with --split how much of the training images is for "
                        + "testing, such as --split 0.1.")
            }
            if split == nil {
                notes.append(
                    "\(name): is not divided into images to train and to test with: a tenth of "
                        + "\(labelSets == nil ? "every class" : "the images") is kept for testing (--split \(share))"
                )
            }
            try divide(share, seed: seed)
            isDivided = true
        }
        let single =
            labelSets != nil
            ? [] : classNames.indices.filter { train[$0].count == 1 }.map { classNames[$0] }
        if !single.isEmpty {
            notes.append(
                "\(trainName): \(Self.classes(single)) \(single.count == 1 ? "has" : "have") one image to train with"
                    + (single.count == 1 ? "" : " each"))
        }
        if let sentence = leftOut.sentence { notes.append("\(name): \(sentence)") }
    }

    /// "the class 'a'", "the classes 'a', 'b' and 3 more".
    private static func classes(_ names: [String]) -> String {
        let shown = names.prefix(10).map { "'\($0)'" }.joined(separator: ", ")
        let rest = names.count > 10 ? " and \((names.count - 10).grouped) more" : ""
        return names.count == 1 ? "the class \(shown)" : "\(names.count.grouped) classes, \(shown)\(rest),"
    }

    private mutating func part(_ part: Part, of found: Found) throws -> [ImageNames]? {
        guard let classes = found.parts[part] else { return nil }
        let name = found.partNames[part] ?? name
        let unknown = classes.filter { $0.value.count > 0 && !classNames.contains($0.key) }.keys.sorted()
        guard unknown.isEmpty else {
            throw ResinError(
                .badContent,
                "\(name): has classes that train has not: \(unknown.prefix(20).joined(separator: ", "))"
                    + "\(unknown.count > 20 ? " and \((unknown.count - 20).grouped) more" : ""); rename them, or "
                    + "take them away.")
        }
        let images = classNames.map { classes[$0] ?? ImageNames() }
        guard images.contains(where: { $0.count > 0 }) else {
            throw ResinError(
                .badContent,
                "\(name): holds no images (\(ImageHeader.endingsText)) in folders that are called as those of train."
            )
        }
        let missing = classNames.indices.filter { images[$0].count == 0 }.map { classNames[$0] }
        if !missing.isEmpty {
            notes.append(
                "\(name): \(Self.classes(missing)) \(missing.count == 1 ? "has" : "have") no images there")
        }
        return images
    }

    /// Cuts a share of every class off, at least one image, and leaves at least one; where images have sets of classes, which
    /// may be of one image each, of all images together.
    private mutating func divide(_ share: Double, seed: UInt64) throws {
        guard share > 0 && share < 1 else {
            throw ResinError(.usage, "--split is \(share); it must be above 0 and below 1, such as 0.1")
        }
        let random = Philox(seed: seed, stream: .split)
        test = []
        func chosen(of count: Int, label: Int) -> [Bool] {
            let number = count > 1 ? min(max(Int((share * Double(count)).rounded()), 1), count - 1) : 0
            var isChosen = [Bool](repeating: false, count: count)
            for index in random.permutation(of: count, epoch: label).prefix(number) {
                isChosen[Int(index)] = true
            }
            return isChosen
        }
        var ofAll = labelSets == nil ? [] : chosen(of: train.reduce(0) { $0 + $1.count }, label: 0)[...]
        for (label, images) in train.enumerated() {
            let isChosen =
                labelSets == nil ? chosen(of: images.count, label: label) : Array(ofAll.prefix(images.count))
            ofAll = ofAll.dropFirst(images.count)
            test.append(images.selecting(isChosen.indices.filter { isChosen[$0] }))
            train[label] = images.selecting(isChosen.indices.filter { !isChosen[$0] })
        }
        guard test.contains(where: { $0.count > 0 }) else {
            throw ResinError(
                .badContent,
                "\(name): no class has two images, one to train and one to test with; add some, or a folder 'test'."
            )
        }
    }
}
