import ResinTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A function of one number that networks apply to every element, with its gradient, each written twice side by side:
/// in Swift, which the reference executor runs, and in OpenCL C, which is compiled into kernels.
///
/// An entry in this table is all that an activation needs: an operator and its gradient, both executors, the epilogues
/// of convolutions, batch norms and additions, and its checks follow from it.
public struct Activation: Sendable {
    /// As people call it.
    public let name: String
    /// As kernels call it; no two have the same, but those of a family, which differ in their parameter.
    package let identifier: String
    /// What tells those of a family apart, such as a slope; the expressions of OpenCL C know it as PARAMETER.
    private(set) package var parameter: Float?

    package let value: @Sendable (_ x: Double) -> Double
    /// Of x; the type of x is T, which is `float` or a vector. `exponential` is Kernels/shared/activation.cl's.
    package let openCLValue: String

    /// Whether a value takes an exponential, so that lanes past a vector's last channel are not computed for nothing.
    private(set) package var takesExponential = false

    /// What the gradient follows from beside dy.
    package enum Operand: Sendable {
        /// The activation's own output, which may then take its input's place.
        case output
        case input
    }
    package let gradientOperand: Operand
    /// dx, of dy and the operand.
    package let gradient: @Sendable (_ dy: Double, _ operand: Double) -> Double
    /// Of dy and v, the operand, both of type T. Linear in dy.
    package let openCLGradient: String

    /// max(x, 0), which lets NaN through, as PyTorch's does: a diverged network must not look healthy.
    public static let relu = Activation(
        name: "ReLU", identifier: "relu",
        value: { $0 < 0 ? 0 : $0 },
        openCLValue: "select(x, (T)(0.0f), x < (T)(0.0f))",
        gradientOperand: .output,
        gradient: { dy, y in y > 0 ? dy : 0 },
        openCLGradient: "select((T)(0.0f), dy, v > (T)(0.0f))")

    /// σ(x) = 1 / (1 + exp(−x)).
    public static let sigmoid = Activation(
        name: "sigmoid", identifier: "sigmoid",
        value: { 1 / (1 + exp(-$0)) },
        openCLValue: "logistic(x)", takesExponential: true,
        gradientOperand: .output,
        gradient: { dy, y in dy * y * (1 - y) },
        openCLGradient: "dy * v * (1.0f - v)")

    /// min(max(x, 0), 6) (Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010).
    public static let relu6 = Activation(
        name: "ReLU6", identifier: "relu6",
        value: { $0 < 0 ? 0 : $0 > 6 ? 6 : $0 },
        openCLValue: "select(select(x, (T)(6.0f), x > (T)(6.0f)), (T)(0.0f), x < (T)(0.0f))",
        gradientOperand: .output,
        gradient: { dy, y in y > 0 && y < 6 ? dy : 0 },
        openCLGradient: "select((T)(0.0f), dy, v > (T)(0.0f) && v < (T)(6.0f))")

    /// x · relu6(x + 3) / 6 (Howard et al., "Searching for MobileNetV3", ICCV 2019, §5.2).
    public static let hardSwish = Activation(
        name: "hard swish", identifier: "hard_swish",
        value: { $0 < -3 ? 0 : $0 > 3 ? $0 : $0 * ($0 + 3) / 6 },
        openCLValue:
            "select(select(x * (x + 3.0f) * (1.0f / 6.0f), x, x > (T)(3.0f)), (T)(0.0f), x < (T)(-3.0f))",
        gradientOperand: .input,
        gradient: { dy, x in x < -3 ? 0 : x > 3 ? dy : dy * (x / 3 + 0.5) },
        openCLGradient:
            "select(select(dy * fma(v, (T)(1.0f / 3.0f), (T)(0.5f)), dy, v > (T)(3.0f)), (T)(0.0f), v < (T)(-3.0f))"
    )

    /// x · σ(x), also known as swish (Hendrycks and Gimpel, "Gaussian error linear units", 2016, §2).
    public static let silu = Activation(
        name: "SiLU", identifier: "silu",
        value: { $0 / (1 + exp(-$0)) },
        openCLValue: "x * logistic(x)", takesExponential: true,
        gradientOperand: .input,
        gradient: { dy, x in
            let slope = 1 / (1 + exp(-x))
            return dy * slope * (1 + x * (1 - slope))
        },
        openCLGradient: "dy * logistic(v) * (1.0f + v * (1.0f - logistic(v)))")

    public static let tanh = Activation(
        name: "tanh", identifier: "hyperbolic_tangent",
        value: { hyperbolicTangent($0) },
        openCLValue: "tangent(x)", takesExponential: true,
        gradientOperand: .output,
        gradient: { dy, y in dy * (1 - y * y) },
        openCLGradient: "dy * fma(-v, v, (T)(1.0f))")

    /// relu6(x + 3) / 6 (Howard et al., "Searching for MobileNetV3", ICCV 2019, §5.2).
    public static let hardSigmoid = Activation(
        name: "hard sigmoid", identifier: "hard_sigmoid",
        value: { $0 < -3 ? 0 : $0 > 3 ? 1 : ($0 + 3) / 6 },
        openCLValue:
            "select(select((x + 3.0f) * (1.0f / 6.0f), (T)(1.0f), x > (T)(3.0f)), (T)(0.0f), x < (T)(-3.0f))",
        gradientOperand: .output,
        gradient: { dy, y in y > 0 && y < 1 ? dy / 6 : 0 },
        openCLGradient: "select((T)(0.0f), dy * (1.0f / 6.0f), v > (T)(0.0f) && v < (T)(1.0f))")

    /// x · Φ(x), Φ the normal distribution (Hendrycks and Gimpel, "Gaussian error linear units", 2016, §2).
    public static let gelu = Activation(
        name: "GELU", identifier: "gelu",
        value: { $0 * normalDistribution($0) },
        openCLValue: "x * normal_distribution(x)", takesExponential: true,
        gradientOperand: .input,
        gradient: { dy, x in
            dy * (normalDistribution(x) + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot())
        },
        openCLGradient:
            "dy * fma(v * 0.398942280f, exponential(v * v * -0.5f), normal_distribution(v))")

    /// x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 x³))), the same paper's approximation of GELU, PyTorch's
    /// `approximate="tanh"`. It is x · σ(2 u) of what tanh is taken of, u.
    public static let geluTanh = Activation(
        name: "GELU by tanh", identifier: "gelu_tanh",
        value: { $0 / (1 + exp(-2 * geluArgument($0))) },
        openCLValue: "x * logistic(2.0f * gelu_argument(x))", takesExponential: true,
        gradientOperand: .input,
        gradient: { dy, x in
            let slope = 1 / (1 + exp(-2 * geluArgument(x)))
            let inner = 2 * (2 / Double.pi).squareRoot() * (1 + 3 * 0.044715 * x * x)
            return dy * slope * (1 + x * (1 - slope) * inner)
        },
        openCLGradient: """
            dy * logistic(2.0f * gelu_argument(v)) * (1.0f + v * (1.0f - logistic(2.0f * gelu_argument(v))) \
            * fma(v * v, (T)(0.214070993f), (T)(1.59576912f)))
            """)

    /// ln(1 + exp(x)) (Dugas et al., "Incorporating second-order functional knowledge for better option pricing",
    /// NIPS 2000). Its gradient is σ(x) = 1 − exp(−y).
    public static let softplus = Activation(
        name: "softplus", identifier: "softplus",
        value: { ($0 < 0 ? 0 : $0) + log1p(exp(-abs($0))) },
        openCLValue: "select(x, (T)(0.0f), x < (T)(0.0f)) + logarithm_above_one(exponential(-fabs(x)))",
        takesExponential: true,
        gradientOperand: .output,
        gradient: { dy, y in dy * -expm1(-y) },
        openCLGradient: "-dy * exponential_less_one(-v)")

    /// max(x, 0) + slope · min(x, 0) (Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic
    /// models", 2013). PyTorch's slope is 0.01 where none is said.
    public static func leakyReLU(slope: Float) -> Activation {
        Activation(
            name: "leaky ReLU of slope \(slope)", identifier: "leaky_relu", parameter: slope,
            value: { $0 < 0 ? Double(slope) * $0 : $0 },
            openCLValue: "select(x, PARAMETER * x, x < (T)(0.0f))",
            // An output of a slope below zero does not say on which side its input was.
            gradientOperand: slope < 0 ? .input : .output,
            gradient: { dy, operand in operand > 0 ? dy : Double(slope) * dy },
            openCLGradient: "select(PARAMETER * dy, dy, v > (T)(0.0f))")
    }

    /// x above zero, else alpha · (exp(x) − 1) (Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network
    /// learning by exponential linear units", ICLR 2016, §3).
    public static func elu(alpha: Float) -> Activation {
        Activation(
            name: "ELU of alpha \(alpha)", identifier: "elu", parameter: alpha,
            value: { $0 > 0 ? $0 : Double(alpha) * expm1($0) },
            openCLValue: "select(PARAMETER * exponential_less_one(x), x, x > (T)(0.0f))",
            takesExponential: true,
            gradientOperand: .input,
            gradient: { dy, x in x > 0 ? dy : dy * Double(alpha) * exp(x) },
            openCLGradient: "select(dy * PARAMETER * exponential(v), dy, v > (T)(0.0f))")
    }

    /// All of the table; of a family the one with PyTorch's parameter, whose expressions are those of the others.
    package static let all = [
        relu, sigmoid, relu6, hardSwish, silu, tanh, hardSigmoid, gelu, geluTanh, softplus,
        leakyReLU(slope: 0.01), elu(alpha: 1),
    ]
}

extension Activation: Hashable {
    public static func == (one: Activation, other: Activation) -> Bool {
        one.identifier == other.identifier && one.parameter == other.parameter
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(identifier)
        hasher.combine(parameter)
    }
}

/// `tanh` of the C library, which `Activation.tanh` hides.
private let hyperbolicTangent: @Sendable (Double) -> Double = { tanh($0) }

private func normalDistribution(_ x: Double) -> Double { erfc(-x / 2.0.squareRoot()) / 2 }

private func geluArgument(_ x: Double) -> Double {
    (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
}

extension Op {
    /// An activation, element by element.
    package struct ActivationForward: Operator {
        package var activation: Activation

        package init(activation: Activation) { self.activation = activation }

        package var summary: String { activation.name }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        package func differentiate(_ backward: inout BackwardPass) throws {
            let node = backward.node
            let operand = activation.gradientOperand == .output ? node.outputs[0] : node.inputs[0]
            let gradient = try backward.apply(
                .activationGradient(activation), to: [backward.outputGradient, operand])
            backward.setGradient(ofInput: 0, to: gradient[0])
        }

        package var inPlaceInputs: [Int] { [0] }
        package var keepsFeaturesInPlace: Bool { true }
        package var asEpilogue: Epilogue? { .activation(activation) }
    }

    /// dx from dy and the activation's output or input (`Activation.gradientOperand`), the inputs.
    package struct ActivationGradient: Operator {
        package var activation: Activation

        package init(activation: Activation) { self.activation = activation }

        package var summary: String { "gradient of \(activation.name)" }

        package func outputTypes(for inputs: [TensorType]) throws -> [TensorType] { [inputs[0]] }

        package var inPlaceInputs: [Int] { [0] }
        package var asEpilogue: Epilogue? { .activationGradient(activation) }
    }

    package static var relu: Op { .activation(.relu) }
    package static var reluGradient: Op { .activationGradient(.relu) }
    package static var sigmoid: Op { .activation(.sigmoid) }
    package static var sigmoidGradient: Op { .activationGradient(.sigmoid) }
}

/// What happens to an element just before it is stored, so that no launch of its own has to read it again. What it
/// reads for that are the node's last inputs, of the output's shape: `operandCount` of them, a sum's first.
public indirect enum Epilogue: Hashable, Sendable, CustomStringConvertible {
    case none
    case activation(Activation)
    /// An activation's gradient, of the element and an operand, `Activation.gradientOperand`.
    case activationGradient(Activation)
    /// An operand is added, and then what is given, which is no sum, happens.
    case sum(then: Epilogue)

    public var description: String {
        switch self {
        case .none: "none"
        case .activation(let activation): activation.identifier
        case .activationGradient(let activation): "\(activation.identifier) gradient"
        case .sum(.none): "addition"
        case .sum(let next): "addition, \(next)"
        }
    }

    package static var relu: Epilogue { .activation(.relu) }
    package static var reluMask: Epilogue { .activationGradient(.relu) }

    /// Whether an operand is added.
    package var adds: Bool {
        if case .sum = self { true } else { false }
    }

    /// What happens behind a sum, or at once.
    package var last: Epilogue {
        if case .sum(let next) = self { next } else { self }
    }

    /// Whether an activation's gradient reads the node's last input.
    package var readsOperand: Bool {
        if case .activationGradient = last { true } else { false }
    }

    /// Inputs that the node has for it.
    package var operandCount: Int { (adds ? 1 : 0) + (readsOperand ? 1 : 0) }

    package var activation: Activation? {
        switch last {
        case .none, .sum: nil
        case .activation(let activation), .activationGradient(let activation): activation
        }
    }

    /// Both as one; nil where there is no such.
    package func followed(by next: Epilogue) -> Epilogue? {
        switch self {
        case .none: next
        case .sum(.none) where !next.adds: .sum(then: next)
        case .activation, .activationGradient, .sum: nil
        }
    }
}
