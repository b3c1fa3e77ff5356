// What happens to an element just before it is stored.

// What is added to a convolution's sums (ConvolutionOffset in Sources/Device/Convolution/ConvolutionPass.swift):
// nothing, a bias [O], or after multiplying by a factor, as a folded batch norm is: [2][O], offsets and factors.
#define OFFSET_BIAS 1
#define OFFSET_FACTOR 2

static inline lanes with_offset(lanes sum, __global const float *offsets, int channels, int count, int kind) {
    if (kind == OFFSET_FACTOR) return fma(sum, load_first(offsets + channels, count), load_first(offsets, count));
    return kind == OFFSET_BIAS ? sum + load_first(offsets, count) : sum;
}

// An activation, or its gradient with an operand, the activation's output or input; with EPILOGUE_SUM, after another
// value is added (Epilogue in Sources/Graph/Ops/Activation.swift). Which activation is given by -D where it is another
// than ReLU.
#define EPILOGUE_ACTIVATION 1
#define EPILOGUE_GRADIENT 2
#define EPILOGUE_SUM 4
#define BEHIND_SUM(epilogue) ((epilogue) & ~EPILOGUE_SUM)
#ifdef ACTIVATION
#define IS_RELU 0
#else
#define ACTIVATION relu
#define IS_RELU 1
#endif
#define ACTIVATED(x) JOIN(value_of_, ACTIVATION)(x)
#define ACTIVATION_GRADIENT(dy, v) JOIN(gradient_of_, ACTIVATION)(dy, v)

// That of a value, where `load` brings what lies at an operand's pointer.
#define WITH_EPILOGUE(value, epilogue, addend, operand, load)                                                     \
    if ((epilogue) & EPILOGUE_SUM) value += load(addend);                                                         \
    if (BEHIND_SUM(epilogue) == EPILOGUE_ACTIVATION) value = ACTIVATED(value);                                    \
    if (BEHIND_SUM(epilogue) == EPILOGUE_GRADIENT) value = ACTIVATION_GRADIENT(value, load(operand));

static inline lanes with_epilogue(lanes value, int epilogue, __global const activation *addend,
                                  __global const activation *operand, int count) {
#define LOAD_FIRST(pointer) load_first(pointer, count)
    WITH_EPILOGUE(value, epilogue, addend, operand, LOAD_FIRST)
#undef LOAD_FIRST
    return value;
}

// Of a single one.
static inline float with_epilogue_one(float value, int epilogue, __global const activation *addend,
                                      __global const activation *operand) {
    WITH_EPILOGUE(value, epilogue, addend, operand, LOAD_ONE)
    return value;
}
