import ResinPlan
import ResinTensor

extension OpCase {
    /// What makes the network's images of photographs.
    package static let photographs: [OpCase] =
        crops + adjustments + normalisations + labels + mixedLosses
}

/// Which samples a step takes.
struct Rows: Sendable {
    var firstImage: Int
    var imageCount: Int

    var settings: [String: [Double]] {
        ["firstImage": [Double(firstImage)], "imageCount": [Double(imageCount)]]
    }
    var steps: [StepUniforms] { StepUniforms.single(images: imageCount, firstImage: firstImage) }
}

/// What is set in a sample that is otherwise of no image.
enum SampleMark: Sendable {
    case label(Int)
    case adjusted(ImageAdjustment)
    /// Top, left, height, width.
    case erased(Int, Int, Int, Int)
    /// Partner and share.
    case mixed(Int, Float)
    /// And top, left, height, width.
    case cut(Int, Float, Int, Int, Int, Int)
}

func sample(_ marks: [SampleMark]) -> ImageSample {
    let one = PixelSize(height: 1, width: 1)
    var sample = ImageSample(of: one, box: PixelBox(one), resized: one)
    for mark in marks {
        switch mark {
        case .label(let label): sample.label = label
        case .adjusted(let adjustment): sample.adjustments.append(adjustment)
        case .erased(let top, let left, let height, let width):
            sample.erased = PixelBox(top: top, left: left, height: height, width: width)
        case .mixed(let partner, let share): sample.mixture = .init(partner: partner, share: share)
        case .cut(let partner, let share, let top, let left, let height, let width):
            let box = PixelBox(top: top, left: left, height: height, width: width)
            sample.mixture = .init(partner: partner, share: share, box: box)
        }
    }
    return sample
}
