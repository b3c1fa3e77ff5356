import ResinTensor

/// A training and a test set of the same classes and image size, with what a recipe needs to know of them.
public struct Dataset: Sendable {
    public let name: String
    /// The class of label `i` is `classNames[i]`, unless there are `labelSets`.
    public let classNames: [String]
    /// Where images may have several classes or none: what their labels are numbers of.
    public var labelSets: LabelSets?
    public var train: any ImageSource
    public var test: any ImageSource
    /// Images that neither train nor test, where the data has some of its own; of the same classes and size.
    public var validation: (any ImageSource)?
    /// Per channel, on the 0 … 1 scale, of the training images.
    public let mean: [Float]
    /// Per channel, on the 0 … 1 scale, of the training images.
    public let standardDeviation: [Float]
    /// What was noticed while reading it: sentences for the person who gave the data.
    public let notes: [String]
    /// What was left out because it cannot be read, where that was asked for.
    public var skipped: [UnreadableImage] = []
    /// Whether the test images were cut from the training images, by chance and not by whoever made the set.
    package var isDivided = false

    /// - Errors: `.badContent` where training and test images differ in size, or mean and standard
    ///   deviation are not one a channel.
    public init(
        name: String, classNames: [String], train: any ImageSource, test: any ImageSource, mean: [Float],
        standardDeviation: [Float], notes: [String] = []
    ) throws {
        guard train.height == test.height, train.width == test.width, train.channels == test.channels else {
            throw ResinError(
                .badContent,
                "\(name): the training images are \(train.height)×\(train.width)×\(train.channels), the test "
                    + "images \(test.height)×\(test.width)×\(test.channels); they must be of one size.")
        }
        guard mean.count == train.channels, standardDeviation.count == train.channels else {
            throw ResinError(
                .badContent,
                "\(name): \(mean.count) means and \(standardDeviation.count) standard deviations for "
                    + "\(train.channels) channels; one of each a channel is needed.")
        }
        self.name = name
        self.classNames = classNames
        self.train = train
        self.test = test
        self.mean = mean
        self.standardDeviation = standardDeviation
        self.notes = notes
    }
}
