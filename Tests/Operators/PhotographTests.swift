import ResinKernels
import ResinTensor
import Testing

@Suite struct PhotographTests {
    private static let sample: ResinTensor.ImageSample = {
        var sample = ResinTensor.ImageSample(
            of: PixelSize(height: 600, width: 800),
            box: PixelBox(top: 100, left: 200, height: 300, width: 400),
            resized: PixelSize(height: 30, width: 40))
        sample.offset = 0x1_2345_6789
        sample.piece = PixelBox(top: 105, left: 207, height: 250, width: 260)
        (sample.windowTop, sample.windowLeft) = (-5, 6)
        sample.isFlipped = true
        sample.label = 16_383
        sample.adjustments = [.brightness(0.5), .affine(1, 2, 3, 4, 5, 6), .posterize(3), .equalize]
        sample.erased = PixelBox(top: 1, left: 2, height: 3, width: 4)
        sample.mixture = .init(partner: 9, share: 0.75, box: PixelBox(top: 5, left: 6, height: 7, width: 8))
        return sample
    }()

    private static func words(of sample: ResinTensor.ImageSample) -> [Int32] {
        var words = [Int32](repeating: -7, count: ResinTensor.ImageSample.wordCount)
        words.withUnsafeMutableBufferPointer { sample.write(to: $0) }
        return words
    }

    @Test("A sample's words are the struct that kernels read")
    func layout() {
        #expect(MemoryLayout<ResinKernels.ImageSample>.size == 4 * ResinTensor.ImageSample.wordCount)
        #expect(Int(SAMPLE_ADJUSTMENTS) == ResinTensor.ImageSample.adjustmentLimit)
        let record = Self.words(of: Self.sample).withUnsafeBytes {
            $0.loadUnaligned(as: ResinKernels.ImageSample.self)
        }
        #expect(UInt64(record.offsetHigh) << 32 | UInt64(record.offsetLow) == 0x1_2345_6789)
        func numbers(_ box: ResinKernels.PixelBox) -> [Int32] { [box.top, box.left, box.height, box.width] }
        #expect(numbers(record.piece) == [5, 7, 250, 260], "relative to the box")
        #expect(numbers(record.box) == [100, 200, 300, 400])
        #expect([record.resizedHeight, record.resizedWidth] == [30, 40])
        #expect([record.windowTop, record.windowLeft] == [-5, 6])
        #expect(
            [record.isMirrored, record.isFlipped, record.label, record.adjustmentCount] == [0, 1, 16_383, 4])
        #expect(record.adjustments.0.kind == ADJUST_BRIGHTNESS && record.adjustments.0.amounts.0 == 0.5)
        #expect(record.adjustments.1.kind == ADJUST_AFFINE && record.adjustments.1.amounts.5 == 6)
        #expect(record.adjustments.2.kind == ADJUST_POSTERIZE && record.adjustments.2.amounts.0 == 3)
        #expect(record.adjustments.3.kind == ADJUST_EQUALIZE && record.adjustments.4.kind == 0)
        #expect(numbers(record.erased) == [1, 2, 3, 4] && numbers(record.mixed) == [5, 6, 7, 8])
        #expect(record.partner == 9 && record.share == 0.75)
    }

    @Test("Every adjustment has the number that kernels know it by")
    func kinds() {
        let kinds: [(ResinTensor.ImageAdjustment, Int32)] = [
            (.brightness(1), ADJUST_BRIGHTNESS), (.contrast(1), ADJUST_CONTRAST),
            (.saturation(1), ADJUST_SATURATION), (.hue(0), ADJUST_HUE), (.sharpness(1), ADJUST_SHARPNESS),
            (.posterize(1), ADJUST_POSTERIZE), (.solarize(1), ADJUST_SOLARIZE),
            (.autocontrast, ADJUST_AUTOCONTRAST), (.equalize, ADJUST_EQUALIZE),
            (.affine(1, 0, 0, 0, 1, 0), ADJUST_AFFINE),
        ]
        for (adjustment, kind) in kinds {
            var sample = Self.sample
            sample.adjustments = [adjustment]
            #expect(Self.words(of: sample)[18] == kind)
        }
    }

    @Test("A sample is what its words say")
    func roundTrip() {
        var bare = ResinTensor.ImageSample(
            of: PixelSize(height: 3, width: 4), box: PixelBox(top: 0, left: 1, height: 2, width: 3),
            resized: PixelSize(height: 5, width: 6))
        bare.mixture = .init(partner: 0, share: 1)
        for sample in [Self.sample, bare] {
            #expect(ResinTensor.ImageSample(words: Self.words(of: sample)) == sample)
        }
        #expect(Self.words(of: bare)[79 - 1] == 0)
        bare.mixture = nil
        #expect(ResinTensor.ImageSample(words: Self.words(of: bare)) == bare)
        #expect(Self.words(of: bare)[78] == -1, "no partner")
    }
}
