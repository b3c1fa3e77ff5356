/// The sample as a device reads it: the struct `ImageSample` of Kernels/include/KernelStructs.h, word by word.
extension ImageSample {
    /// Words of 32 bits.
    public static let wordCount = 18 + adjustmentLimit * ImageAdjustment.wordCount + 10

    /// Writes `wordCount` words.
    ///
    /// Traps where there are more adjustments than `adjustmentLimit`.
    public func write(to words: UnsafeMutableBufferPointer<Int32>) {
        precondition(words.count == Self.wordCount, "a sample has \(Self.wordCount) words")
        precondition(
            adjustments.count <= Self.adjustmentLimit, "at most \(Self.adjustmentLimit) adjustments")
        var next = 0
        func write(_ word: Int32) {
            words[next] = word
            next += 1
        }
        func write(_ box: PixelBox?) {
            for extent in [box?.top ?? 0, box?.left ?? 0, box?.height ?? 0, box?.width ?? 0] {
                write(Int32(extent))
            }
        }
        write(Int32(truncatingIfNeeded: offset))
        write(Int32(truncatingIfNeeded: offset >> 32))
        write(
            PixelBox(
                top: piece.top - box.top, left: piece.left - box.left, height: piece.height,
                width: piece.width))
        write(box)
        for extent in [resized.height, resized.width, windowTop, windowLeft] { write(Int32(extent)) }
        write(isMirrored ? 1 : 0)
        write(isFlipped ? 1 : 0)
        write(Int32(label))
        write(Int32(adjustments.count))
        for place in 0..<Self.adjustmentLimit {
            let (kind, amounts) = place < adjustments.count ? adjustments[place].numbers : (0, [])
            write(kind)
            for index in 0..<ImageAdjustment.amountCount {
                write(Int32(bitPattern: index < amounts.count ? amounts[index].bitPattern : 0))
            }
        }
        write(erased)
        write(Int32(mixture?.partner ?? -1))
        write(Int32(bitPattern: (mixture?.share ?? 1).bitPattern))
        write(mixture?.box)
    }

    public init(words: some RandomAccessCollection<Int32>) {
        precondition(words.count == Self.wordCount, "a sample has \(Self.wordCount) words")
        var rest = words[...]
        func word() -> Int { Int(rest.removeFirst()) }
        func amount() -> Float { Float(bitPattern: UInt32(bitPattern: rest.removeFirst())) }
        func rectangle() -> PixelBox {
            PixelBox(top: word(), left: word(), height: word(), width: word())
        }
        /// Nil where it has no rows.
        func optionalRectangle() -> PixelBox? {
            let result = rectangle()
            return result.height > 0 ? result : nil
        }
        let low = word() & 0xFFFF_FFFF
        let offset = word() << 32 | low
        let (stored, box) = (rectangle(), rectangle())
        self.init(of: box.size, box: box, resized: PixelSize(height: word(), width: word()))
        self.offset = offset
        piece = PixelBox(
            top: box.top + stored.top, left: box.left + stored.left, height: stored.height,
            width: stored.width)
        (windowTop, windowLeft) = (word(), word())
        (isMirrored, isFlipped) = (word() != 0, word() != 0)
        label = word()
        let count = word()
        for place in 0..<Self.adjustmentLimit {
            let kind = word()
            let amounts = (0..<ImageAdjustment.amountCount).map { _ in amount() }
            if place < count { adjustments.append(ImageAdjustment(kind: kind, amounts)) }
        }
        erased = optionalRectangle()
        let (partner, share) = (word(), amount())
        let mixed = optionalRectangle()
        if partner >= 0 { mixture = Mixture(partner: partner, share: share, box: mixed) }
    }
}

extension ImageAdjustment {
    static let amountCount = 6
    static let wordCount = 1 + amountCount

    /// Its number in Kernels/include/KernelStructs.h, and its amounts.
    var numbers: (kind: Int32, amounts: [Float]) {
        switch self {
        case .brightness(let factor): (1, [factor])
        case .contrast(let factor): (2, [factor])
        case .saturation(let factor): (3, [factor])
        case .hue(let turn): (4, [turn])
        case .sharpness(let factor): (5, [factor])
        case .posterize(let bits): (6, [Float(bits)])
        case .solarize(let threshold): (7, [threshold])
        case .autocontrast: (8, [])
        case .equalize: (9, [])
        case .affine(let a, let b, let c, let d, let e, let f): (10, [a, b, c, d, e, f])
        }
    }

    init(kind: Int, _ amounts: [Float]) {
        self =
            switch kind {
            case 1: .brightness(amounts[0])
            case 2: .contrast(amounts[0])
            case 3: .saturation(amounts[0])
            case 4: .hue(amounts[0])
            case 5: .sharpness(amounts[0])
            case 6: .posterize(Int(amounts[0]))
            case 7: .solarize(amounts[0])
            case 8: .autocontrast
            case 9: .equalize
            case 10: .affine(amounts[0], amounts[1], amounts[2], amounts[3], amounts[4], amounts[5])
            default: preconditionFailure("no adjustment has the number \(kind)")
            }
    }
}
