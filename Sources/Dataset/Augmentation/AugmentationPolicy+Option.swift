import ResinTensor

extension AugmentationPolicy {
    /// What `--augment` takes, each with the numbers that may follow it.
    package static let optionWords =
        "a list of crop, random-resized-crop[=min:max], flip, vertical-flip, jitter[=b:c:s:h], erase[=p], "
        + "randaugment[=n:m], mixup[=a] and cutmix[=a], or none"

    /// From `--augment`. Whether numbers are in their range, rules say.
    ///
    /// - Parameter list: comma-separated; empty or "none" for no augmentation.
    package init(option list: String) throws(ValueFault) {
        self.init()
        let items = list.split(separator: ",").map(String.init)
        if items == ["none"] { return }
        for item in items { try apply(item) }
        if cropPadding > 0 && randomResizedCrop != nil {
            throw Self.fault(
                "crop and random-resized-crop", allowed: "one of both: each says what is cut out")
        }
    }

    private mutating func apply(_ item: String) throws(ValueFault) {
        let name = item.prefix { $0 != "=" }
        func numbers(_ count: Int, _ form: String) throws(ValueFault) -> [Double]? {
            if name.count == item.count { return nil }
            let numbers = item.dropFirst(name.count + 1).split(
                separator: ":", omittingEmptySubsequences: false
            )
            .map { Double($0) ?? .nan }
            guard numbers.count == count && numbers.allSatisfy(\.isFinite) else {
                throw Self.fault("'\(item)'", allowed: "\(name) or \(name)=\(form) with numbers")
            }
            return numbers
        }
        func number(_ form: String, default value: Double) throws(ValueFault) -> Double {
            try numbers(1, form)?[0] ?? value
        }
        switch name {
        case "crop" where name.count == item.count: cropPadding = 4
        case "flip" where name.count == item.count: flips = true
        case "vertical-flip" where name.count == item.count: flipsVertically = true
        case "random-resized-crop":
            let scale = try numbers(2, "min:max")
            if let scale, scale[0] > scale[1] {
                throw Self.fault("'\(item)'", allowed: "\(name)=min:max with the smaller one first")
            }
            randomResizedCrop = RandomResizedCrop(
                scale: scale.map { $0[0]...$0[1] } ?? RandomResizedCrop.defaultScale)
        case "jitter":
            let amounts = try numbers(4, "b:c:s:h")
            jitter =
                amounts.map {
                    ColorJitter(brightness: $0[0], contrast: $0[1], saturation: $0[2], hue: $0[3])
                } ?? ColorJitter()
        case "erase":
            erasing = RandomErasing(
                probability: try number("p", default: RandomErasing.defaultProbability))
        case "randaugment":
            let settings = try numbers(2, "n:m")
            let whole = settings?.map { Int(exactly: $0) ?? -1 }
            randAugment = whole.map { RandAugment(operations: $0[0], magnitude: $0[1]) } ?? RandAugment()
        case "mixup": mixup = try number("a", default: Self.defaultMixup)
        case "cutmix": cutmix = try number("a", default: Self.defaultCutmix)
        default: throw Self.fault("'\(item)'", allowed: Self.optionWords)
        }
    }

    /// Those of torchvision's training recipes.
    public static let defaultMixup = 0.2
    public static let defaultCutmix = 1.0

    private static func fault(_ value: String, allowed: String) -> ValueFault {
        ValueFault(key: "augment", option: "--augment", value: value, allowed: allowed)
    }
}
