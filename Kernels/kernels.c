// All device code, taken into the binary as text: `kernel_source("pooling2d")` is pooling2d.cl of whatever folder.

#include "ResinKernels.h"

#include <string.h>

static const struct {
    const char *name;
    const char *source;
} files[] = {
    {"KernelStructs", (const char[]){
#embed "include/KernelStructs.h"
    , '\0'}},
    {"activation", (const char[]){
#embed "shared/activation.cl"
    , '\0'}},
    {"common", (const char[]){
#embed "shared/common.cl"
    , '\0'}},
    {"epilogue", (const char[]){
#embed "shared/epilogue.cl"
    , '\0'}},
    {"labels", (const char[]){
#embed "shared/labels.cl"
    , '\0'}},
    {"philox", (const char[]){
#embed "shared/philox.cl"
    , '\0'}},
    {"update", (const char[]){
#embed "shared/update.cl"
    , '\0'}},
    {"winograd", (const char[]){
#embed "shared/winograd.cl"
    , '\0'}},
    {"batch_norm", (const char[]){
#embed "operators/batch_norm.cl"
    , '\0'}},
    {"binary_loss", (const char[]){
#embed "operators/binary_loss.cl"
    , '\0'}},
    {"channels", (const char[]){
#embed "operators/channels.cl"
    , '\0'}},
    {"channel_scaling", (const char[]){
#embed "operators/channel_scaling.cl"
    , '\0'}},
    {"depthwise_convolution2d", (const char[]){
#embed "operators/depthwise_convolution2d.cl"
    , '\0'}},
    {"elementwise", (const char[]){
#embed "operators/elementwise.cl"
    , '\0'}},
    {"group_norm", (const char[]){
#embed "operators/group_norm.cl"
    , '\0'}},
    {"grouped_convolution2d", (const char[]){
#embed "operators/grouped_convolution2d.cl"
    , '\0'}},
    {"image_adjustments", (const char[]){
#embed "operators/image_adjustments.cl"
    , '\0'}},
    {"image_crop", (const char[]){
#embed "operators/image_crop.cl"
    , '\0'}},
    {"image_normalisation", (const char[]){
#embed "operators/image_normalisation.cl"
    , '\0'}},
    {"input", (const char[]){
#embed "operators/input.cl"
    , '\0'}},
    {"local_response_norm", (const char[]){
#embed "operators/local_response_norm.cl"
    , '\0'}},
    {"loss", (const char[]){
#embed "operators/loss.cl"
    , '\0'}},
    {"optimizer", (const char[]){
#embed "operators/optimizer.cl"
    , '\0'}},
    {"optimizer_norms", (const char[]){
#embed "operators/optimizer_norms.cl"
    , '\0'}},
    {"pooling2d", (const char[]){
#embed "operators/pooling2d.cl"
    , '\0'}},
    {"upsampling", (const char[]){
#embed "operators/upsampling.cl"
    , '\0'}},
    {"convolution2d_dense", (const char[]){
#embed "cpu/convolution2d_dense.cl"
    , '\0'}},
    {"convolution2d_filter_gradient", (const char[]){
#embed "cpu/convolution2d_filter_gradient.cl"
    , '\0'}},
    {"convolution2d_filter_reduce", (const char[]){
#embed "cpu/convolution2d_filter_reduce.cl"
    , '\0'}},
    {"convolution2d_gather", (const char[]){
#embed "cpu/convolution2d_gather.cl"
    , '\0'}},
    {"convolution2d_group_rows", (const char[]){
#embed "cpu/convolution2d_group_rows.cl"
    , '\0'}},
    {"convolution2d_packed", (const char[]){
#embed "cpu/convolution2d_packed.cl"
    , '\0'}},
    {"convolution2d_rows", (const char[]){
#embed "cpu/convolution2d_rows.cl"
    , '\0'}},
    {"convolution2d_winograd", (const char[]){
#embed "cpu/convolution2d_winograd.cl"
    , '\0'}},
    {"patch", (const char[]){
#embed "cpu/patch.cl"
    , '\0'}},
    {"pixelwise", (const char[]){
#embed "cpu/pixelwise.cl"
    , '\0'}},
    {"batch_norm_reduction", (const char[]){
#embed "gpu/batch_norm_reduction.cl"
    , '\0'}},
    {"channel_sums_reduction", (const char[]){
#embed "gpu/channel_sums_reduction.cl"
    , '\0'}},
    {"convolution2d_filter_gradient_tiled", (const char[]){
#embed "gpu/convolution2d_filter_gradient_tiled.cl"
    , '\0'}},
    {"convolution2d_filter_operands", (const char[]){
#embed "gpu/convolution2d_filter_operands.cl"
    , '\0'}},
    {"convolution2d_gradients_tiled", (const char[]){
#embed "gpu/convolution2d_gradients_tiled.cl"
    , '\0'}},
    {"convolution2d_norm_sums_tiled", (const char[]){
#embed "gpu/convolution2d_norm_sums_tiled.cl"
    , '\0'}},
    {"convolution2d_tiled", (const char[]){
#embed "gpu/convolution2d_tiled.cl"
    , '\0'}},
    {"convolution2d_winograd_stages", (const char[]){
#embed "gpu/convolution2d_winograd_stages.cl"
    , '\0'}},
    {"group_norm_reduction", (const char[]){
#embed "gpu/group_norm_reduction.cl"
    , '\0'}},
    {"last_group", (const char[]){
#embed "gpu/last_group.cl"
    , '\0'}},
    {"loss_reduction", (const char[]){
#embed "gpu/loss_reduction.cl"
    , '\0'}},
    {"pixelwise_reduction", (const char[]){
#embed "gpu/pixelwise_reduction.cl"
    , '\0'}},
    {"pooling2d_reduction", (const char[]){
#embed "gpu/pooling2d_reduction.cl"
    , '\0'}},
    {"ptx", (const char[]){
#embed "gpu/ptx.cl"
    , '\0'}},
    {"reduction", (const char[]){
#embed "gpu/reduction.cl"
    , '\0'}},
    {"tensor_core", (const char[]){
#embed "gpu/tensor_core.cl"
    , '\0'}},
    {"tile", (const char[]){
#embed "gpu/tile.cl"
    , '\0'}},
    {"tile_pieces", (const char[]){
#embed "gpu/tile_pieces.cl"
    , '\0'}},
    {"calibration", (const char[]){
#embed "probes/calibration.cl"
    , '\0'}},
    {"probe_fence", (const char[]){
#embed "probes/probe_fence.cl"
    , '\0'}},
    {"probe_half", (const char[]){
#embed "probes/probe_half.cl"
    , '\0'}},
    {"probe_loops", (const char[]){
#embed "probes/probe_loops.cl"
    , '\0'}},
    {"probe_memory", (const char[]){
#embed "probes/probe_memory.cl"
    , '\0'}},
    {"probe_mma", (const char[]){
#embed "probes/probe_mma.cl"
    , '\0'}},
    {"probe_ptx", (const char[]){
#embed "probes/probe_ptx.cl"
    , '\0'}},
    {"probe_subgroups", (const char[]){
#embed "probes/probe_subgroups.cl"
    , '\0'}},
};

const char *kernel_source(const char *name) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i].name, name) == 0) return files[i].source;
    return NULL;
}

const char *kernel_source_at(size_t place) { return place < sizeof files / sizeof *files ? files[place].source : NULL; }
