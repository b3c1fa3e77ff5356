// Which epilogues operators take.

/// An operator that does something to elements just before it stores them.
package protocol StoringOperator: Operator {
    var epilogue: Epilogue { get set }
    /// This one among all operators.
    var op: Op { get }
    /// What it does to elements where it takes another epilogue behind its own; nil where it cannot.
    func epilogue(followedBy next: Epilogue) -> Epilogue?
}

extension StoringOperator {
    package func epilogue(followedBy next: Epilogue) -> Epilogue? { epilogue.followed(by: next) }

    package func with(_ epilogue: Epilogue) -> Op? {
        guard let epilogue = self.epilogue(followedBy: epilogue) else { return nil }
        var copy = self
        copy.epilogue = epilogue
        return copy.op
    }
}

/// Takes an activation.
package protocol TakesActivation: StoringOperator {}

extension TakesActivation {
    package func epilogue(followedBy next: Epilogue) -> Epilogue? {
        guard epilogue == .none, case .activation = next else { return nil }
        return next
    }
}

/// Takes an activation's gradient.
package protocol TakesActivationGradient: StoringOperator {}

extension TakesActivationGradient {
    package func epilogue(followedBy next: Epilogue) -> Epilogue? {
        guard epilogue == .none, case .activationGradient = next else { return nil }
        return next
    }
}

/// Takes activations and addends, but no operand of a gradient.
package protocol TakesForwardEpilogue: StoringOperator {}

extension TakesForwardEpilogue {
    package func epilogue(followedBy next: Epilogue) -> Epilogue? {
        guard let epilogue = epilogue.followed(by: next), !epilogue.readsOperand else { return nil }
        return epilogue
    }
}

/// Takes what has operands: an addend, an activation's gradient.
package protocol TakesOperands: StoringOperator {}

extension TakesOperands {
    package func epilogue(followedBy next: Epilogue) -> Epilogue? {
        guard let epilogue = epilogue.followed(by: next), epilogue.operandCount > 0 else { return nil }
        return epilogue
    }
}

/// A convolution, in groups or not: its inputs are x, w, the bias if any, those of a folded batch norm, and the
/// epilogue's.
package protocol ForwardConvolution: TakesForwardEpilogue {
    var hasBias: Bool { get }
    /// The epsilon of the batch norm with running statistics that fusion folded into this convolution: y is
    /// multiplied by scale / √(variance + epsilon) and offset once more.
    var foldedNormEpsilon: Float? { get set }
}

extension ForwardConvolution {
    /// Where in the node's inputs a folded batch norm's begin.
    package var foldedNormInputs: Range<Int> {
        let first = hasBias ? 3 : 2
        return foldedNormEpsilon == nil ? first..<first : first..<first + 4
    }

    package var filterInput: Int? { 1 }

    /// Not where an activation stands between.
    package func folding(_ norm: Op.BatchNormInference) -> Op? {
        guard epilogue == .none, foldedNormEpsilon == nil else { return nil }
        var copy = self
        (copy.foldedNormEpsilon, copy.epilogue) = (norm.epsilon, norm.epilogue)
        return copy.op
    }
}
