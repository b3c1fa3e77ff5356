import ResinGraph
import ResinPlan
import ResinTensor

/// A way of making a convolution's pass: kernels, and when they serve.
protocol ConvolutionForm: Sendable {
    /// As `resin explain` and docs/convolutions.md call it.
    static var name: String { get }
    /// When it is chosen, and why: a line of docs/convolutions.md.
    static var reason: String { get }

    /// Nil where it does not serve, or another serves better. Shapes and the device's traits decide, alone.
    init?(_ pass: ConvolutionPass, _ traits: DeviceTraits)

    /// Scratch memory, without that of a folded batch norm.
    var workspaceByteCount: Int { get }
    /// Whether its kernels can write among another value's channels.
    var writesChannelViews: Bool { get }
    /// How many values one load takes of the result's gradient, where its kernels can read that among another value's
    /// channels; nil where they cannot.
    func gradientWidth(_ pass: ConvolutionPass) -> Int?
    /// Floats that its kernels may read from the buffer of zeros.
    var zeroCount: Int { get }
    /// The filter that it multiplies by, where it has to be put in order first.
    var operands: FilterOperands? { get }
    /// How operands come to local memory, where they do.
    var staging: Staging { get }
    /// Whether it is minimal filtering, whose sums are rounded differently.
    static var isWinograd: Bool { get }
    /// Whether it serves windows with dilation.
    static var takesDilation: Bool { get }

    func lower(_ pass: ConvolutionPass, _ lowering: inout Lowering)
}

extension ConvolutionForm {
    var workspaceByteCount: Int { 0 }
    var writesChannelViews: Bool { false }
    func gradientWidth(_ pass: ConvolutionPass) -> Int? { nil }
    var zeroCount: Int { 0 }
    var operands: FilterOperands? { nil }
    var staging: Staging { .words }
    static var isWinograd: Bool { false }
    static var takesDilation: Bool { false }
}

extension ConvolutionPass {
    /// Every form there is, by kind of device and pass, the first that serves being chosen; the last serves every shape.
    static func forms(
        _ direction: Direction, inGroups: Bool, on kind: DeviceTraits.Kind
    ) -> [any ConvolutionForm.Type] {
        switch (kind, direction, inGroups) {
        case (.cpu, .forward, false):
            [
                WinogradConvolution.self, DenseConvolution.self, RowsConvolution.self, PackedConvolution.self,
                GatherConvolution.self,
            ]
        case (.cpu, .inputGradient, false):
            [
                WinogradConvolution.self, DenseInputGradient.self, RowsInputGradient.self,
                RowsConvolution.self,
                PackedConvolution.self, GatherConvolution.self,
            ]
        case (.cpu, .filterGradient, false):
            [
                WinogradFilterGradient.self, DenseFilterGradient.self, RowsFilterGradient.self,
                PackedFilterGradient.self, DirectFilterGradient.self,
            ]
        case (.gpu, .forward, false), (.gpu, .inputGradient, false):
            [
                StagedWinogradConvolution.self, TiledConvolution.self, GatherConvolution.self,
            ]
        case (.gpu, .filterGradient, false):
            [
                StagedWinogradFilterGradient.self, TiledFilterGradient.self, DirectFilterGradient.self,
            ]
        case (.cpu, .forward, true):
            [DepthwiseConvolution.self, GroupRowsConvolution.self, GroupedConvolution.self]
        case (.cpu, .inputGradient, true):
            [DepthwiseInputGradient.self, GroupRowsConvolution.self, GroupedConvolution.self]
        case (.cpu, .filterGradient, true):
            [DepthwiseFilterGradient.self, GroupRowsFilterGradient.self, GroupedFilterGradient.self]
        case (.gpu, .forward, true): [DepthwiseConvolution.self, GroupedConvolution.self]
        case (.gpu, .inputGradient, true): [DepthwiseInputGradient.self, GroupedConvolution.self]
        case (.gpu, .filterGradient, true): [DepthwiseFilterGradient.self, GroupedFilterGradient.self]
        }
    }

    /// The one choice of a form.
    func form(on traits: DeviceTraits) -> DeviceForm {
        for type in Self.forms(direction, inGroups: groups > 1, on: traits.kind)
        where type.takesDilation || window.dilation == Extent(1) {
            if let form = type.init(self, traits) { return deviceForm(form) }
        }
        preconditionFailure("the last form serves every shape")
    }

    private func deviceForm<Form: ConvolutionForm>(_ form: Form) -> DeviceForm {
        let byteCount = form.workspaceByteCount.roundedUp(toMultipleOf: FlatLayout.alignment)
        return DeviceForm(
            name: Form.name, reason: Form.reason,
            workspaceByteCount: foldedByteCount == 0 ? form.workspaceByteCount : byteCount + foldedByteCount,
            operands: form.operands,
            // What is added lies as the result does, which is then whole.
            writesChannelViews: direction == .forward && form.writesChannelViews && !epilogue.adds,
            inputViews: inputViews(form),
            zeroCount: form.zeroCount,
            usesWinograd: Form.isWinograd, staging: form.staging
        ) { lowering in
            clearOtherTaps(&lowering)
            form.lower(self, &lowering)
        }
    }

    /// See `DeviceForm`.
    func inputViews(_ form: some ConvolutionForm) -> [Int: Int] {
        guard direction != .forward, let width = form.gradientWidth(self) else { return [:] }
        return [direction == .inputGradient ? 0 : 1: width]
    }

    /// Clears the gradients of taps that only padding is under.
    func clearOtherTaps(_ lowering: inout Lowering) {
        if direction == .filterGradient, tap != nil { lowering.clear(lowering.node.outputs[0]) }
    }
}

/// A form of a pass, as docs/convolutions.md lists it.
package struct ConvolutionFormEntry: Hashable, Sendable {
    package var kind: DeviceTraits.Kind
    package var pass: String
    package var name: String
    package var reason: String

    /// Every one of every pass, in the order in which they are asked.
    package static let all: [ConvolutionFormEntry] = DeviceTraits.Kind.allCases.flatMap { kind in
        [false, true].flatMap { inGroups in
            ConvolutionPass.Direction.allCases.flatMap { direction in
                ConvolutionPass.forms(direction, inGroups: inGroups, on: kind).map {
                    ConvolutionFormEntry(
                        kind: kind, pass: (inGroups ? "grouped " : "") + direction.rawValue, name: $0.name,
                        reason: $0.reason)
                }
            }
        }
    }
}
