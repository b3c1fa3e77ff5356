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

// σ(x) = 1 / (1 + exp(−x)).
OVERLOADED float logistic(float x) { return 1.0f / (1.0f + exponential(-x)); }
OVERLOADED lanes logistic(lanes x) { return 1.0f / (1.0f + exponential(-x)); }
