// What the host hands to kernels as one argument, declared once: this text stands in front of every kernel, and Swift
// imports it through the module ResinKernels, where a field's name is the second of FIELD. All members are of 32 bits,
// so that every compiler lays them out alike.

#ifndef RESIN_KERNEL_STRUCTS
#define RESIN_KERNEL_STRUCTS

#ifdef __OPENCL_VERSION__
#define FIELD(name, swift) name
#else
#define FIELD(name, swift) name __attribute__((swift_name(#swift)))
#endif

// What changes from step to step; written by the host.
typedef struct {
    unsigned int FIELD(seed_low, seedLow), FIELD(seed_high, seedHigh);
    unsigned int step;                                  // of the run, from 1
    unsigned int FIELD(first_image, firstImage);        // where in the epoch's order the step's images start
    unsigned int FIELD(image_count, imageCount);        // rows of the batch that are real images
    unsigned int slot;                                  // row of the metrics that the step writes
    float FIELD(learning_rate, learningRate);
    float FIELD(first_correction, firstCorrection);     // 1 − β₁ᵗ of Adam at this step
    float FIELD(second_correction, secondCorrection);   // 1 − β₂ᵗ
    unsigned int shard;                                 // of the step, from 0
} StepUniforms;

// A row of the metrics, and the column that counts losses that are not finite (Sources/Graph/Metric.swift).
#define METRIC_COLUMNS 4
#define METRIC_NOT_FINITE 3

// What gradients are multiplied by (Sources/Graph/LossScale.swift).
typedef struct {
    float scale;
    float FIELD(steady_steps, steadySteps);
    int overflow;
    float FIELD(skipped_steps, skippedSteps);
} LossScale;

// A tensor in the flat buffers of an optimizer, up to the next one's first place.
typedef struct {
    int first;                                          // in floats
    int FIELD(first_block, firstBlock);                 // of those whose squares are summed (optimizer_norms.cl)
    float FIELD(rate_factor, rateFactor), decay;
} ParameterSlice;

// How an optimizer updates the flat buffers (optimizer.cl).
typedef struct {
    int count, FIELD(statistics_count, statisticsCount);        // floats
    int chunk;                                          // vectors that a work-item takes
    int skips, FIELD(is_scaled, isScaled), clips;
    int slices;                                         // tensors that are told apart; 0: all are alike
    int FIELD(search_reach, searchReach);               // the largest power of two below their number
    float momentum, beta1, beta2, epsilon, decay;
    int nesterov, decoupled;
} UpdateSettings;

// Of softmax cross-entropy.
typedef struct {
    int classes;
    float smoothing;
    int FIELD(picks_labels, picksLabels);               // 1: from the data set's, by the order; 2: the samples'
    int mixes;                                          // as the samples say
    int FIELD(gives_rows, givesRows), FIELD(gives_gradient, givesGradient);
    int FIELD(is_scaled, isScaled);                     // the gradient, by the loss's scale
    int records;                                        // the last group sums the rows into the metrics
    int weighs;                                         // whether classes have weights
} LossSettings;

// Of binary cross-entropy.
typedef struct {
    LossSettings loss;                                  // without smoothing
    int FIELD(set_words, setWords);                     // of a set of classes
    float gamma, alpha;                                 // of the focal loss; 0 and −1 where there is none
} BinaryLossSettings;

// The layer's image, window and result.
#define LAYER_FIELDS                                                                         \
    int images, height, width, channels;                                                     \
    int FIELD(kernel_height, kernelHeight), FIELD(kernel_width, kernelWidth);                \
    int FIELD(stride_height, strideHeight), FIELD(stride_width, strideWidth);                \
    int FIELD(padding_height, paddingHeight), FIELD(padding_width, paddingWidth);            \
    int FIELD(output_height, outputHeight), FIELD(output_width, outputWidth);                \
    int FIELD(output_channels, outputChannels);

// A convolution whose left side is gathered tap by tap: the forward pass, or a phase of the input gradient
// (mathematics: cpu/convolution2d_gather.cl, gpu/convolution2d_tiled.cl).
typedef struct {
    int FIELD(source_height, sourceHeight), FIELD(source_width, sourceWidth), FIELD(source_channels, sourceChannels);
    int FIELD(grid_images, gridImages);                 // (n, i, j) of this launch
    int FIELD(grid_height, gridHeight), FIELD(grid_width, gridWidth);
    int FIELD(stride_height, strideHeight), FIELD(stride_width, strideWidth);                   // s
    int FIELD(origin_height, originHeight), FIELD(origin_width, originWidth);                   // −padding
    int FIELD(tap_rows, tapRows), FIELD(tap_columns, tapColumns);                               // of this phase
    int FIELD(filter_rows, filterRows), FIELD(filter_columns, filterColumns);                   // of the whole filter
    int FIELD(first_row, firstRow), FIELD(first_column, firstColumn);           // of the phase, in the mirrored filter
    int FIELD(tap_step_height, tapStepHeight), FIELD(tap_step_width, tapStepWidth);
    int FIELD(result_height, resultHeight), FIELD(result_width, resultWidth), FIELD(result_channels, resultChannels);
    int FIELD(result_step_height, resultStepHeight), FIELD(result_step_width, resultStepWidth);
    int FIELD(phase_height, phaseHeight), FIELD(phase_width, phaseWidth);
    int FIELD(offset_kind, offsetKind), epilogue;
    int FIELD(source_batch, sourceBatch);               // values from one batch of products to the next
    int FIELD(filter_batch, filterBatch), FIELD(result_batch, resultBatch);
    int FIELD(result_stride, resultStride);             // values from pixel to pixel of the result,
    int FIELD(result_first, resultFirst);               // and to its first channel
    int FIELD(source_stride, sourceStride), FIELD(source_first, sourceFirst);   // of the source, on GPUs
} ConvolutionGeometry;

// Convolutions and filter gradients on CPUs that copy what they read: packed, along rows, dense.
typedef struct {
    LAYER_FIELDS
    int FIELD(offset_kind, offsetKind), epilogue;       // of the forward pass and the input gradient
    int FIELD(has_bias, hasBias);                       // of the filter gradient, and the next three
    int splits, FIELD(group_tiles, groupTiles), FIELD(part_rows, partRows); // the second of packed ones, too
    int pitch;                                          // floats from patch to patch, or from line to line
    int block;                                          // pixels packed, rows of results or of a dense filter at a time
    int chunk;                                          // vectors of a patch that are multiplied at a time
    int FIELD(result_stride, resultStride), FIELD(result_first, resultFirst);
} PatchGeometry;

// The filter gradient that serves every shape on CPUs.
typedef struct {
    LAYER_FIELDS
    int splits, FIELD(block_images, blockImages);
    int FIELD(has_bias, hasBias);
} FilterGradientGeometry;

// Convolutions in groups: depthwise ones and their gradients, and filter gradients of all.
typedef struct {
    LAYER_FIELDS
    int FIELD(dilation_height, dilationHeight), FIELD(dilation_width, dilationWidth);
    int groups;
    int FIELD(offset_kind, offsetKind), epilogue;       // of the forward pass and the input gradient
    int splits, FIELD(has_bias, hasBias);               // of the filter gradient
} GroupedGeometry;

// Convolutions in groups on CPUs that copy rows (cpu/convolution2d_group_rows.cl).
typedef struct {
    int FIELD(source_height, sourceHeight), FIELD(source_width, sourceWidth), FIELD(source_channels, sourceChannels);
    int FIELD(result_height, resultHeight), FIELD(result_width, resultWidth), FIELD(result_channels, resultChannels);
    int outputs;                                        // channels of a group, on the result's side
    int FIELD(kernel_height, kernelHeight), FIELD(stride_height, strideHeight);
    int FIELD(dilation_height, dilationHeight), FIELD(padding_height, paddingHeight);
    int blocks, parts;                                  // of channels; of the rows (n, i) of the result,
    int rows;                                           // which are so many, or up to the image's end
    int FIELD(first_column, firstColumn);               // of the source, with which a line begins
    int FIELD(line_pixels, linePixels), pitch;          // floats from line to line
    int FIELD(result_columns, resultColumns);           // that runs are taken of, whole runs,
    int FIELD(hidden_columns, hiddenColumns);           // and of them those before the result's first
    int FIELD(offset_kind, offsetKind), epilogue;
    int FIELD(has_bias, hasBias);                       // of the filter gradient
} GroupRowsGeometry;

// The filter gradient on GPUs.
typedef struct {
    LAYER_FIELDS
    int splits;
    int accumulates;                                    // adds to what is there
    int FIELD(split_stride, splitStride);               // floats from one split's sums to the next's
    int FIELD(bias_offset, biasOffset);                 // floats from a split's sums to its bias sums
    int FIELD(has_bias, hasBias);
    int FIELD(adds_splits, addsSplits);                 // by the last group of each tile
    int FIELD(image_batch, imageBatch), FIELD(gradient_batch, gradientBatch), FIELD(sums_batch, sumsBatch);
    int FIELD(gradient_stride, gradientStride);         // values from pixel to pixel of dy,
    int FIELD(gradient_first, gradientFirst);           // and to its first channel
} TiledGradientGeometry;

// Minimal filtering, on CPUs and on GPUs.
typedef struct {
    int images, height, width, channels;
    int FIELD(padding_height, paddingHeight), FIELD(padding_width, paddingWidth);
    int FIELD(result_height, resultHeight), FIELD(result_width, resultWidth), FIELD(result_channels, resultChannels);
    int FIELD(tile_rows, tileRows), FIELD(tile_columns, tileColumns);
    int block;
    int FIELD(result_stride, resultStride), FIELD(result_first, resultFirst);
    int FIELD(offset_kind, offsetKind), epilogue;
} WinogradGeometry;

typedef struct {
    int height, width, channels;
    int FIELD(kernel_height, kernelHeight), FIELD(kernel_width, kernelWidth);
    int FIELD(stride_height, strideHeight), FIELD(stride_width, strideWidth);
    int FIELD(padding_height, paddingHeight), FIELD(padding_width, paddingWidth);
    int FIELD(output_height, outputHeight), FIELD(output_width, outputWidth);
    int FIELD(counts_padding, countsPadding);           // average pooling
    int FIELD(gives_indices, givesIndices), epilogue;   // max pooling
    int rows;                                           // (n, i) of the result
} PoolGeometry;

// Channels that are split into up to four parts.
typedef struct {
    int pixels, channels;                               // of what is split
    int first;                                          // channel of the first part
    int FIELD(first_count, firstCount), FIELD(second_count, secondCount);       // channels of each
    int FIELD(third_count, thirdCount), FIELD(fourth_count, fourthCount);
    int chunk;                                          // pixels that a work-item takes
} SplitGeometry;

// Images that are upsampled (upsampling.cl).
typedef struct {
    int height, width, channels;
    int FIELD(output_height, outputHeight), FIELD(output_width, outputWidth);
    int FIELD(is_bilinear, isBilinear), FIELD(aligns_corners, alignsCorners);
} ResizeGeometry;

typedef struct {
    int FIELD(source_height, sourceHeight), FIELD(source_width, sourceWidth), channels;
    int height, width;
    int FIELD(crop_padding, cropPadding), flips;
    int rows;                                           // (n, i) of the batch
} InputGeometry;

// Pixels of an image; a box without rows is none.
typedef struct {
    int top, left, height, width;
} PixelBox;

// A change of an image's bytes: what `kind` is, and its amounts, in the order of Sources/Tensor/ImageSample.swift.
#define ADJUST_BRIGHTNESS 1
#define ADJUST_CONTRAST 2
#define ADJUST_SATURATION 3
#define ADJUST_HUE 4
#define ADJUST_SHARPNESS 5
#define ADJUST_POSTERIZE 6
#define ADJUST_SOLARIZE 7
#define ADJUST_AUTOCONTRAST 8
#define ADJUST_EQUALIZE 9
#define ADJUST_AFFINE 10
typedef struct {
    int kind;
    float amounts[6];
} ImageAdjustment;

// How a row of a batch is made of an image's bytes; the host writes it (Sources/Tensor/ImageSample+Words.swift).
#define SAMPLE_ADJUSTMENTS 8
typedef struct {
    unsigned int FIELD(offset_low, offsetLow);          // where the piece begins in the bytes, both halves of it
    unsigned int FIELD(offset_high, offsetHigh);
    PixelBox piece;                                     // what is stored, relative to the box
    PixelBox box;                                       // what is resized, in the image
    int FIELD(resized_height, resizedHeight), FIELD(resized_width, resizedWidth);
    int FIELD(window_top, windowTop), FIELD(window_left, windowLeft);   // of the result, in the resized box
    int FIELD(is_mirrored, isMirrored), FIELD(is_flipped, isFlipped);
    int label;
    int FIELD(adjustment_count, adjustmentCount);
    ImageAdjustment adjustments[SAMPLE_ADJUSTMENTS];
    PixelBox erased;
    int partner;                                        // row of the batch that is mixed in, −1 for none
    float share;                                        // this row's
    PixelBox mixed;                                     // pixels that are the partner's
} ImageSample;

// Crops of photographs; bytes where nothing else is said.
typedef struct {
    int height, width;                                  // of the result
    int rows;                                           // (n, i) of the batch
    int bands, items;                                   // of an image, and of all
    int pitch;                                          // of a row that is resized
    int scratch;                                        // of a work-item
} CropGeometry;

// A filter that is put in order for tiles of pieces (gpu/convolution2d_filter_operands.cl).
typedef struct {
    int FIELD(first_group, firstGroup);
    int source;                                         // where it begins among the parameters
    int target;                                         // where its operands begin
    int taps, channels, outputs;
    int FIELD(sums_outputs, sumsOutputs);               // whether it is for the image's gradient
} FilterTask;

#endif
