// Minimal filtering (Winograd; Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016), in front
// of the files whose names begin with convolution2d_winograd: a convolution with stride 1 and its gradients, whose image is
// cut into tiles of OUTPUT × OUTPUT results, and
//
//     y = Aᵀ [(B·x·Bᵀ) ⊙ (G·w·Gᵀ)] A       for the POINTS × POINTS pixels x under a tile, channels summed inside [ ]
//
// takes POINTS² multiplications a tile where the direct sum takes OUTPUT² · KERNEL². B evaluates at 0, ∞ and pairs ±p:
// at ±1 and ±2 with 6 points, also at ±½ with 8, whichever serves the size better (times fewer multiplications):
//
//     POINTS   3 × 3 filter               5 × 5 filter
//          6   OUTPUT 4: 4.0              OUTPUT 2: 2.8
//          8   OUTPUT 6: 5.1              OUTPUT 4: 6.2
//
// Sums are rounded differently than direct ones: the largest error is about 1e-5 of the largest result, with 8 points
// as with 6 (Tests/Operators), which is why `--math exact` does without.
//
//   forward          as above.
//   input gradient   the same with dy for the image and the filter transposed and mirrored.
//   filter gradient  dw = Aᵀ [Σ over tiles (B·x·Bᵀ) ⊙ (G·dy·Gᵀ)] A, G and A for OUTPUT and KERNEL exchanged.
//
// Constants: POINTS (6 or 8), KERNEL (3 or 5).

#define FREQUENCIES (POINTS * POINTS)
#define OUTPUT (POINTS + 1 - KERNEL)

// The pairs of points, and what divides a filter's value at them: the product of the point's distances to the others.
#define PAIRS ((POINTS - 2) / 2)
#define PAIR_POINT(pair) ((pair) == 0 ? 1.0f : (pair) == 1 ? 2.0f : 0.5f)
#if POINTS == 6
#define ZERO_SCALE 0.25f
#define PAIR_SCALE(pair) ((pair) == 0 ? -1.0f / 6.0f : 1.0f / 24.0f)
#else
#define ZERO_SCALE 1.0f
#define PAIR_SCALE(pair) ((pair) == 0 ? -2.0f / 9.0f : (pair) == 1 ? 1.0f / 90.0f : 32.0f / 45.0f)
#endif

// What is transformed at a time: a vector of channels, or on GPUs, whose work-items have a channel each, a float.
#if LONG_WORK_ITEMS
typedef lanes Value;
#else
typedef float Value;
#endif

// y = B·x.
static inline void transform_image(Value *y, const Value *x) {
#if POINTS == 6
    const Value even = x[4] - 4.0f * x[2], odd = x[3] - 4.0f * x[1];
    const Value even2 = x[4] - x[2], odd2 = 2.0f * (x[3] - x[1]);
    y[0] = 4.0f * x[0] - 5.0f * x[2] + x[4];
    y[5] = 4.0f * x[1] - 5.0f * x[3] + x[5];
#else
    const Value even = x[2] + x[6] - 4.25f * x[4], odd = x[1] + x[5] - 4.25f * x[3];
    const Value even2 = 0.25f * x[2] - 1.25f * x[4] + x[6], odd2 = 0.5f * x[1] - 2.5f * x[3] + 2.0f * x[5];
    const Value even3 = 4.0f * x[2] - 5.0f * x[4] + x[6], odd3 = 2.0f * x[1] - 2.5f * x[3] + 0.5f * x[5];
    y[0] = x[0] - x[6] + 5.25f * (x[4] - x[2]);
    y[5] = even3 + odd3;
    y[6] = even3 - odd3;
    y[7] = x[7] - x[1] + 5.25f * (x[3] - x[5]);
#endif
    y[1] = even + odd;
    y[2] = even - odd;
    y[3] = even2 + odd2;
    y[4] = even2 - odd2;
}

// y = G·x for n values: the polynomial x at each point, divided as above.
static inline void transform_filter(Value *y, const Value *x, const int n) {
    y[0] = x[0] * ZERO_SCALE;
    UNROLL for (int pair = 0; pair < PAIRS; pair++) {
        const float square = PAIR_POINT(pair) * PAIR_POINT(pair);
        float power = PAIR_SCALE(pair);
        Value even = x[0] * power, odd = x[1] * (power * PAIR_POINT(pair));
        UNROLL for (int k = 2; k < n; k++) {
            if (k % 2 == 0) power *= square;
            if (k % 2 == 0) even += x[k] * power;
            else odd += x[k] * (power * PAIR_POINT(pair));
        }
        y[1 + 2 * pair] = even + odd;
        y[2 + 2 * pair] = even - odd;
    }
    y[POINTS - 1] = x[n - 1];
}

// y = Aᵀ·m, n values.
static inline void transform_products(Value *y, const Value *m, const int n) {
    Value even[PAIRS], odd[PAIRS];
    UNROLL for (int pair = 0; pair < PAIRS; pair++) {
        even[pair] = m[1 + 2 * pair] + m[2 + 2 * pair];
        odd[pair] = (m[1 + 2 * pair] - m[2 + 2 * pair]) * PAIR_POINT(pair);
    }
    UNROLL for (int k = 0; k < n; k++) {
        Value sum = k == 0 ? m[0] : k == n - 1 ? m[POINTS - 1] : (Value)(0.0f);
        UNROLL for (int pair = 0; pair < PAIRS; pair++) {
            sum += k % 2 == 0 ? even[pair] : odd[pair];
            if (k % 2 == 0) even[pair] *= PAIR_POINT(pair) * PAIR_POINT(pair);
            else odd[pair] *= PAIR_POINT(pair) * PAIR_POINT(pair);
        }
        y[k] = sum;
    }
}

// The place of a tile: image n, its first result row and column.
typedef struct {
    int n, row, column;
} Tile;

static inline Tile tile_at(int index, const WinogradGeometry *g) {
    const int tiles_an_image = g->tile_rows * g->tile_columns, within = index % tiles_an_image;
    return (Tile){index / tiles_an_image, within / g->tile_columns * OUTPUT, within % g->tile_columns * OUTPUT};
}

// The frequency whose transform of dy is its plain sum, at the point 1 both ways, scaled in both.
#define SUM_FREQUENCY (POINTS + 1)
#define SUM_SCALE (PAIR_SCALE(0) * PAIR_SCALE(0))
