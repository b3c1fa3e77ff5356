// Shared by every kernel file, which is compiled with this text in front of it.
//
// Layouts: activations are NHWC, [images][height][width][channels]; filters [kernel height][kernel width]
// [inputs][outputs]. LANES, the device's float vector width (4, 8 or 16), LONG_WORK_ITEMS and ALIGNED (0 or 1) and
// MIXED (0, 1 or 2) are given by -D.

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

typedef JOIN(float, LANES) lanes;
typedef JOIN(int, LANES) int_lanes;
typedef JOIN(uint, LANES) uint_lanes;

#define OVERLOADED static inline __attribute__((overloadable))

#ifndef __has_builtin
#define __has_builtin(name) 0
#endif

// ALIGNED (0 or 1): whether every vector in global memory is whole and lies at a multiple of its size. A GPU then moves
// it by one instruction, where vload and vstore, which promise no more than a float's alignment, take one a lane.
#if ALIGNED
#define LOAD(pointer) (*(__global const lanes *)(pointer))
#define STORE(value, pointer) (*(__global lanes *)(pointer) = (value))
#elif LONG_WORK_ITEMS
// PoCL's vstore stores a vector of 16 in three pieces.
typedef lanes unaligned_lanes __attribute__((aligned(4)));
OVERLOADED void store_lanes(lanes value, __global float *pointer) { *(__global unaligned_lanes *)pointer = value; }
OVERLOADED void store_lanes(lanes value, __local float *pointer) { *(__local unaligned_lanes *)pointer = value; }
#define LOAD(pointer) JOIN(vload, LANES)(0, (pointer))
#define STORE(value, pointer) store_lanes((value), (pointer))
#else
#define LOAD(pointer) JOIN(vload, LANES)(0, (pointer))
#define STORE(value, pointer) JOIN(vstore, LANES)((value), 0, (pointer))
#endif

// On a CPU a work-item takes a long stretch by itself, and a group of one is the cheapest to start; LONG_WORK_ITEMS
// says so. Elsewhere neighbouring work-items share a group whose size the driver chooses.
#if LONG_WORK_ITEMS
#define WORK_GROUP __attribute__((reqd_work_group_size(1, 1, 1)))
#else
#define WORK_GROUP
#endif

// All loops over register tiles must disappear for the tile to live in registers.
#define UNROLL _Pragma("unroll")

// A work-item takes every size(0)-th vector of channels, of which `left` are left. The bound is not `left > 0`: of a
// program with a loop like that, Intel's compiler (2026.22.10) makes kernels further on that do nothing.
#define FOR_EACH_CHANNELS(channel, left, channels)                                                  \
    for (int channel = get_global_id(0) * LANES, left = (channels) - channel; channel < (channels); \
         channel += get_global_size(0) * LANES, left = (channels) - channel)

// The first `count` floats at `pointer`, zeros in the other lanes; and storing the first `count` lanes. Where channels
// are few, every vector is a part of one, so that CPUs with masked moves use them.
#if LANES == 16 && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && \
    __has_builtin(__builtin_ia32_loadups512_mask) && __has_builtin(__builtin_ia32_storeups512_mask) && \
    __has_builtin(__builtin_ia32_loaddquqi128_mask) && __has_builtin(__builtin_ia32_storedquqi128_mask)
#define MASKED_MOVES 16
#define FIRST_LANES(count) ((ushort)((1u << (count)) - 1u))

OVERLOADED lanes load_first(__global const float *pointer, int count) {
    if (count >= LANES) return LOAD(pointer);
    return __builtin_ia32_loadups512_mask((const float *)(size_t)pointer, (lanes)(0.0f), FIRST_LANES(count));
}

OVERLOADED void store_first(lanes value, __global float *pointer, int count) {
    if (count >= LANES)
        STORE(value, pointer);
    else
        __builtin_ia32_storeups512_mask((float *)(size_t)pointer, value, FIRST_LANES(count));
}
#elif LANES == 8 && defined(__AVX__) && __has_builtin(__builtin_ia32_maskloadps256)
#define MASKED_MOVES 8
typedef float2 unaligned_float2 __attribute__((aligned(4)));
typedef float4 unaligned_float4 __attribute__((aligned(4)));

OVERLOADED lanes load_first(__global const float *pointer, int count) {
    if (count >= LANES) return LOAD(pointer);
    const int8 is_first = (int8)(0, 1, 2, 3, 4, 5, 6, 7) < (int8)(count);
    return __builtin_ia32_maskloadps256((const lanes *)(size_t)pointer, is_first);
}

// In pieces of 4, 2 and 1: AMD's processors take dozens of cycles for a masked store.
OVERLOADED void store_first(lanes value, __global float *pointer, int count) {
    if (count >= LANES) {
        STORE(value, pointer);
        return;
    }
    float4 rest = value.lo;
    if (count & 4) {
        *(__global unaligned_float4 *)pointer = rest;
        pointer += 4, rest = value.hi;
    }
    if (count & 2) {
        *(__global unaligned_float2 *)pointer = rest.lo;
        pointer += 2, rest.lo = rest.hi;
    }
    if (count & 1) *pointer = rest.x;
}
#else
#define MASKED_MOVES 0

OVERLOADED lanes load_first(__global const float *pointer, int count) {
#if ALIGNED
    return count > 0 ? LOAD(pointer) : (lanes)(0.0f);
#endif
    if (count >= LANES) return LOAD(pointer);
    float values[LANES];
    for (int lane = 0; lane < LANES; lane++) values[lane] = lane < count ? pointer[lane] : 0.0f;
    return JOIN(vload, LANES)(0, values);
}

OVERLOADED void store_first(lanes value, __global float *pointer, int count) {
#if ALIGNED
    if (count > 0) STORE(value, pointer);
    return;
#endif
    if (count >= LANES) {
        STORE(value, pointer);
        return;
    }
    float values[LANES];
    JOIN(vstore, LANES)(value, 0, values);
    for (int lane = 0; lane < count; lane++) pointer[lane] = values[lane];
}
#endif

// MIXED: activations and their gradients lie in memory as bfloat16 (1), the upper halves of floats, or float16 (2), and
// are floats once they are loaded. The functions above have namesakes for them, so that kernels say what is an
// activation by its type alone. Only GPUs' kernels are built so.
#if MIXED
typedef ushort activation;
typedef JOIN(ushort, LANES) activation_lanes;

// To the nearest, ties to even; a NaN stays one. What float16 cannot hold becomes infinite.
#if MIXED == 1
#define ROUNDED(bits, is_nan) (select((bits) + 0x7FFFu + ((bits) >> 16 & 1u), (bits) | 0x400000u, is_nan) >> 16)

static inline float from_stored(ushort value) { return as_float((uint)value << 16); }
static inline ushort to_stored(float value) {
    return (ushort)ROUNDED(as_uint(value), (uint)(isnan(value) ? 1 : 0));
}
static inline lanes lanes_from_stored(activation_lanes value) {
    return JOIN(as_float, LANES)(JOIN(convert_uint, LANES)(value) << 16);
}
static inline activation_lanes lanes_to_stored(lanes value) {
    const uint_lanes bits = JOIN(as_uint, LANES)(value);
    return JOIN(convert_ushort, LANES)(ROUNDED(bits, JOIN(as_uint, LANES)(isnan(value))));
}
#else
static inline float from_stored(ushort value) { return vload_half(0, (const half *)&value); }
static inline ushort to_stored(float value) {
    ushort result;
    vstore_half(value, 0, (half *)&result);
    return result;
}
static inline lanes lanes_from_stored(activation_lanes value) {
    return JOIN(vload_half, LANES)(0, (const half *)&value);
}
static inline activation_lanes lanes_to_stored(lanes value) {
    activation_lanes result;
    JOIN(vstore_half, LANES)(value, 0, (half *)&result);
    return result;
}
#endif

OVERLOADED lanes load_first(__global const activation *pointer, int count) {
#if ALIGNED
    return count > 0 ? lanes_from_stored(*(__global const activation_lanes *)pointer) : (lanes)(0.0f);
#else
    if (count >= LANES) return lanes_from_stored(JOIN(vload, LANES)(0, pointer));
    float values[LANES];
    for (int lane = 0; lane < LANES; lane++) values[lane] = lane < count ? from_stored(pointer[lane]) : 0.0f;
    return JOIN(vload, LANES)(0, values);
#endif
}

OVERLOADED void store_first(lanes value, __global activation *pointer, int count) {
#if ALIGNED
    if (count > 0) *(__global activation_lanes *)pointer = lanes_to_stored(value);
#else
    if (count >= LANES) {
        JOIN(vstore, LANES)(lanes_to_stored(value), 0, pointer);
        return;
    }
    float values[LANES];
    JOIN(vstore, LANES)(value, 0, values);
    for (int lane = 0; lane < count; lane++) pointer[lane] = to_stored(values[lane]);
#endif
}

#define LOAD_ONE(pointer) from_stored(*(pointer))
#define STORE_ONE(value, pointer) (*(pointer) = to_stored(value))
#else
typedef float activation;
#define LOAD_ONE(pointer) (*(pointer))
#define STORE_ONE(value, pointer) (*(pointer) = (value))
#endif

// Where row n of a batch stands in the epoch's order or among the samples; past the step's image count the last image
// is repeated.
static inline int place_of(int n, const StepUniforms *step) {
    return step->first_image + min((uint)n, step->image_count - 1);
}

static inline int image_of(int n, __global const int *order, const StepUniforms *step) {
    return order[place_of(n, step)];
}
