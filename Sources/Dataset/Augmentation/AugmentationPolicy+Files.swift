import ResinTensor

/// As `config.json` has it: what is off is left out, but for the two that there were first.
extension AugmentationPolicy: Codable {
    private enum CodingKeys: String, CodingKey {
        case cropPadding, flips
        case flipsVertically = "vertical_flips"
        case randomResizedCrop = "random_resized_crop"
        case jitter
        case randAugment = "rand_augment"
        case erasing, mixup, cutmix
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        cropPadding = try values.value(.cropPadding)
        flips = try values.value(.flips)
        flipsVertically = try values.optional(.flipsVertically) ?? false
        randomResizedCrop = try values.optional(.randomResizedCrop)
        jitter = try values.optional(.jitter)
        randAugment = try values.optional(.randAugment)
        erasing = try values.optional(.erasing)
        mixup = try values.optional(.mixup)
        cutmix = try values.optional(.cutmix)
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(cropPadding, forKey: .cropPadding)
        try values.encode(flips, forKey: .flips)
        if flipsVertically { try values.encode(true, forKey: .flipsVertically) }
        try values.encodeIfPresent(randomResizedCrop, forKey: .randomResizedCrop)
        try values.encodeIfPresent(jitter, forKey: .jitter)
        try values.encodeIfPresent(randAugment, forKey: .randAugment)
        try values.encodeIfPresent(erasing, forKey: .erasing)
        try values.encodeIfPresent(mixup, forKey: .mixup)
        try values.encodeIfPresent(cutmix, forKey: .cutmix)
    }
}

extension RandomResizedCrop: Codable {
    private enum CodingKeys: String, CodingKey { case least, most }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let (least, most): (Double, Double) = (try values.value(.least), try values.value(.most))
        guard least <= most else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath, debugDescription: "\(least) is more than \(most)"))
        }
        self.init(scale: least...most)
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(scale.lowerBound, forKey: .least)
        try values.encode(scale.upperBound, forKey: .most)
    }
}

extension ColorJitter {
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            brightness: try values.value(.brightness), contrast: try values.value(.contrast),
            saturation: try values.value(.saturation), hue: try values.value(.hue))
    }
}

extension RandAugment {
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(operations: try values.value(.operations), magnitude: try values.value(.magnitude))
    }
}

extension RandomErasing {
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(probability: try values.value(.probability))
    }
}
