import ResinDataset
import ResinTensor

extension TrainingConfiguration {
    /// What is done to training images.
    public typealias Augmentation = AugmentationPolicy

    /// What each value of the augmentations may be.
    static let augmentationRules: [ValueRule<TrainingConfiguration>] =
        [
            ValueRule<Augmentation>("cropPadding", nil, 0...Limits.side) { $0.cropPadding },
            ValueRule("flips", nil, "true or false"),
            ValueRule("vertical_flips", nil, "true or false"),
            share("random_resized_crop.least", "random-resized-crop=min:max") {
                $0.randomResizedCrop?.scale.lowerBound
            },
            share("random_resized_crop.most", "random-resized-crop=min:max") {
                $0.randomResizedCrop?.scale.upperBound
            },
            amount("jitter.brightness", 10) { $0.jitter?.brightness },
            amount("jitter.contrast", 10) { $0.jitter?.contrast },
            amount("jitter.saturation", 10) { $0.jitter?.saturation },
            amount("jitter.hue", 0.5) { $0.jitter?.hue },
            ValueRule("rand_augment.operations", option, 1...RandAugment.operationLimit) {
                $0.randAugment?.operations
            },
            ValueRule("rand_augment.magnitude", option, 0...RandAugment.binCount - 1) {
                $0.randAugment?.magnitude
            },
            ValueRule("erasing.probability", option, "erase=p with a probability from 0 to 1", 0...1) {
                $0.erasing?.probability
            },
            alpha("mixup") { $0.mixup },
            alpha("cutmix") { $0.cutmix },
        ].map { rule in rule.within("augment") { $0.augmentation } }
        + [
            ValueRule(
                "augment", option, "without jitter and randaugment for images of other than 1 or 3 channels"
            ) {
                [1, 3].contains($0.input.channels) || !$0.augmentation.hasAdjustments
                    ? nil : "with them for \($0.input)"
            }
        ]

    private static let option = "--augment"

    private static func share(
        _ key: String, _ words: String, of number: @escaping @Sendable (Augmentation) -> Double?
    ) -> ValueRule<Augmentation> {
        ValueRule(
            key, option, "\(words) with shares of the area, above 0 and at most 1", Double(0).nextUp...1,
            of: number)
    }

    private static func amount(
        _ key: String, _ most: Double, of number: @escaping @Sendable (Augmentation) -> Double?
    ) -> ValueRule<Augmentation> {
        ValueRule(key, option, "jitter=b:c:s:h with amounts from 0 to 10, h to 0.5", 0...most, of: number)
    }

    private static func alpha(
        _ key: String, of number: @escaping @Sendable (Augmentation) -> Double?
    ) -> ValueRule<Augmentation> {
        ValueRule(key, option, "\(key)=a with a number from 0.001 to 1000", 0.001...1000, of: number)
    }
}
