// What happens to an element just before it is stored.

// What is added to a convolution's sums (ConvolutionOffset in Sources/Device/Convolution/ConvolutionPass.swift): nothing,
// a bias [O], or after multiplying by a factor, as a folded batch norm is: [2][O], offsets and factors.
#define OFFSET_BIAS 1
#define OFFSET_FACTOR 2

static inline lanes with_offset(lanes sum, __global const float *offsets, int channels, int count, int kind) {
    if (kind == OFFSET_FACTOR) return fma(sum, load_first(offsets + channels, count), load_first(offsets, count));
    return kind == OFFSET_BIAS ? sum + load_first(offsets, count) : sum;
}

// An activation, or its gradient with an operand, the activation's output or input (Epilogue in
// Sources/Graph/Ops/Activation.swift). Which activation is given by -D where it is another than ReLU.
#define EPILOGUE_ACTIVATION 1
#define EPILOGUE_GRADIENT 2
#ifdef ACTIVATION
#define IS_RELU 0
#else
#define ACTIVATION relu
#define IS_RELU 1
#endif
#define ACTIVATED(x) JOIN(value_of_, ACTIVATION)(x)
#define ACTIVATION_GRADIENT(dy, v) JOIN(gradient_of_, ACTIVATION)(dy, v)

static inline lanes with_epilogue(lanes value, int epilogue, __global const activation *operand, int count) {
    if (epilogue == EPILOGUE_ACTIVATION) return ACTIVATED(value);
    if (epilogue == EPILOGUE_GRADIENT) return ACTIVATION_GRADIENT(value, load_first(operand, count));
    return value;
}
