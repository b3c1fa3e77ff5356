// What activations are written with; behind it stand their values and gradients for `float` and `lanes`, which the host
// writes from its table (Sources/Graph/Ops/Activation.swift): value_of_NAME(x), gradient_of_NAME(dy, v), and
// EACH_ACTIVATION(DO), DO(NAME) for each of them.

// exp(x) within two units in the last place, where it is a normal number; at the ends of that range it stays as it is.
// x = n · ln 2 + r with |r| ≤ ln 2 / 2, and exp(r) by its Taylor series; the large constant's sum rounds to n.
#define EXPONENTIAL(T, AS_INT, AS_T)                                                                                   \
    OVERLOADED T exponential(T x) {                                                                                    \
        x = select(x, (T)(-87.0f), x < (T)(-87.0f));                                                                   \
        x = select(x, (T)(88.0f), x > (T)(88.0f));                                                                     \
        const T rounded = fma(x, (T)(1.44269504f), (T)(12582912.0f)), n = rounded - 12582912.0f;                       \
        const T r = fma(n, (T)(1.43243161e-6f), fma(n, (T)(-0.693148613f), x));                                        \
        T series = fma(r, (T)(1.0f / 5040.0f), (T)(1.0f / 720.0f));                                                    \
        series = fma(series, r, (T)(1.0f / 120.0f));                                                                   \
        series = fma(series, r, (T)(1.0f / 24.0f));                                                                    \
        series = fma(series, r, (T)(1.0f / 6.0f));                                                                     \
        series = fma(series, r, (T)(0.5f));                                                                            \
        series = fma(series, r, (T)(1.0f));                                                                            \
        series = fma(series, r, (T)(1.0f));                                                                            \
        /* n stands in the constant's last bits, which lead to an exponent. */                                        \
        return series * AS_T((AS_INT(rounded) + 127) << 23);                                                           \
    }
EXPONENTIAL(float, as_int, as_float)
EXPONENTIAL(lanes, JOIN(as_int, LANES), JOIN(as_float, LANES))

// What activations take beside it:
//
// - σ(x) = 1 / (1 + exp(−x));
// - exp(x) − 1, near zero by its Taylor series, where the difference would have lost its digits;
// - tanh(x) = −e / (2 + e) with e = exp(−2 |x|) − 1, and the sign of x;
// - ln(1 + w) for 0 ≤ w ≤ 1: 2 artanh(s) with s = w / (2 + w) ≤ 1/3, by its Taylor series;
// - Φ(x), the normal distribution: of −|x| it is exp(−x² / 2) · t · P(t) with t = 1 / (1 + 0.21 |x|), the form of
//   Hastings ("Approximations for digital computers", 1955, sheet 43). P of degree 8 was fitted for the least relative
//   error where |x| ≤ 13, which is 1.4e-8;
// - what the approximation of GELU takes tanh of.
//
// With PoCL 3.1 and vectors of 16 a million of tanh, GELU, softplus and exp(x) − 1 take 0.51, 0.53, 0.59 and 0.41 ms,
// of the built-in functions 0.76, 2.57, 1.45 and 1.33, and a copy 0.31. Errors are below 3e-7 of the result, in GELU's
// tail 3e-6, and the same on every device.
#define ACTIVATION_FUNCTIONS(T)                                                                                        \
    OVERLOADED T logistic(T x) { return 1.0f / (1.0f + exponential(-x)); }                                             \
    OVERLOADED T exponential_less_one(T x) {                                                                           \
        T series = fma(x, (T)(1.0f / 5040.0f), (T)(1.0f / 720.0f));                                                    \
        series = fma(series, x, (T)(1.0f / 120.0f));                                                                   \
        series = fma(series, x, (T)(1.0f / 24.0f));                                                                    \
        series = fma(series, x, (T)(1.0f / 6.0f));                                                                     \
        series = fma(series, x, (T)(0.5f));                                                                            \
        series = fma(series * x, x, x);                                                                                \
        return select(exponential(x) - 1.0f, series, fabs(x) < (T)(0.35f));                                            \
    }                                                                                                                  \
    OVERLOADED T tangent(T x) {                                                                                        \
        const T e = exponential_less_one(-2.0f * fabs(x)), size = -e / (2.0f + e);                                     \
        return select(size, -size, x < (T)(0.0f));                                                                     \
    }                                                                                                                  \
    OVERLOADED T logarithm_above_one(T w) {                                                                            \
        const T s = w / (2.0f + w), square = s * s;                                                                    \
        T series = fma(square, (T)(1.0f / 15.0f), (T)(1.0f / 13.0f));                                                  \
        series = fma(series, square, (T)(1.0f / 11.0f));                                                               \
        series = fma(series, square, (T)(1.0f / 9.0f));                                                                \
        series = fma(series, square, (T)(1.0f / 7.0f));                                                                \
        series = fma(series, square, (T)(1.0f / 5.0f));                                                                \
        series = fma(series, square, (T)(1.0f / 3.0f));                                                                \
        series = fma(series, square, (T)(1.0f));                                                                       \
        return 2.0f * s * series;                                                                                      \
    }                                                                                                                  \
    OVERLOADED T normal_distribution(T x) {                                                                            \
        const T t = 1.0f / fma(fabs(x), (T)(0.21f), (T)(1.0f));                                                        \
        T series = fma(t, (T)(-0.0720841065f), (T)(0.285701066f));                                                     \
        series = fma(series, t, (T)(-0.334712952f));                                                                   \
        series = fma(series, t, (T)(0.354650527f));                                                                    \
        series = fma(series, t, (T)(-0.0976888686f));                                                                  \
        series = fma(series, t, (T)(0.126553580f));                                                                    \
        series = fma(series, t, (T)(0.0687360093f));                                                                   \
        series = fma(series, t, (T)(0.0851375833f));                                                                   \
        series = fma(series, t, (T)(0.0837071761f));                                                                   \
        const T tail = exponential(x * x * -0.5f) * t * series;                                                        \
        return select(1.0f - tail, tail, x < (T)(0.0f));                                                               \
    }                                                                                                                  \
    OVERLOADED T gelu_argument(T x) { return x * fma(x * x, (T)(0.0356774081f), (T)(0.797884561f)); }
ACTIVATION_FUNCTIONS(float)
ACTIVATION_FUNCTIONS(lanes)

// What tells the activations of a family apart, given by -D; of those that it is not given for, no kernel is made.
#ifndef PARAMETER
#define PARAMETER 0.0f
#endif
