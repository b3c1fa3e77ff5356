// All device code, taken into the binary as text: `kernel_source("pooling2d")` is Kernels/pooling2d.cl.

#include "ResinKernels.h"

#include <string.h>

static const char common[] = {
#embed "common.cl"
    , '\0'};
static const char philox[] = {
#embed "philox.cl"
    , '\0'};
static const char batch_norm[] = {
#embed "batch_norm.cl"
    , '\0'};
static const char batch_norm_grouped[] = {
#embed "batch_norm_grouped.cl"
    , '\0'};
static const char calibration[] = {
#embed "calibration.cl"
    , '\0'};
static const char channels[] = {
#embed "channels.cl"
    , '\0'};
static const char convolution2d[] = {
#embed "convolution2d.cl"
    , '\0'};
static const char convolution2d_dense[] = {
#embed "convolution2d_dense.cl"
    , '\0'};
static const char convolution2d_filter_gradient[] = {
#embed "convolution2d_filter_gradient.cl"
    , '\0'};
static const char convolution2d_filter_operands[] = {
#embed "convolution2d_filter_operands.cl"
    , '\0'};
static const char convolution2d_filter_reduce[] = {
#embed "convolution2d_filter_reduce.cl"
    , '\0'};
static const char convolution2d_filter_gradient_tiled[] = {
#embed "convolution2d_filter_gradient_tiled.cl"
    , '\0'};
static const char convolution2d_packed[] = {
#embed "convolution2d_packed.cl"
    , '\0'};
static const char convolution2d_winograd[] = {
#embed "convolution2d_winograd.cl"
    , '\0'};
static const char convolution2d_winograd_stages[] = {
#embed "convolution2d_winograd_stages.cl"
    , '\0'};
static const char winograd[] = {
#embed "winograd.cl"
    , '\0'};
static const char convolution2d_rows[] = {
#embed "convolution2d_rows.cl"
    , '\0'};
static const char convolution2d_tiled[] = {
#embed "convolution2d_tiled.cl"
    , '\0'};
static const char elementwise[] = {
#embed "elementwise.cl"
    , '\0'};
static const char group[] = {
#embed "group.cl"
    , '\0'};
static const char input[] = {
#embed "input.cl"
    , '\0'};
static const char loss[] = {
#embed "loss.cl"
    , '\0'};
static const char loss_grouped[] = {
#embed "loss_grouped.cl"
    , '\0'};
static const char optimizer[] = {
#embed "optimizer.cl"
    , '\0'};
static const char patch[] = {
#embed "patch.cl"
    , '\0'};
static const char pooling2d[] = {
#embed "pooling2d.cl"
    , '\0'};
static const char pooling2d_grouped[] = {
#embed "pooling2d_grouped.cl"
    , '\0'};
static const char probe_half[] = {
#embed "probe_half.cl"
    , '\0'};
static const char probe_memory[] = {
#embed "probe_memory.cl"
    , '\0'};
static const char probe_mma[] = {
#embed "probe_mma.cl"
    , '\0'};
static const char probe_ptx[] = {
#embed "probe_ptx.cl"
    , '\0'};
static const char probe_subgroups[] = {
#embed "probe_subgroups.cl"
    , '\0'};
static const char tensor_core[] = {
#embed "tensor_core.cl"
    , '\0'};
static const char tile[] = {
#embed "tile.cl"
    , '\0'};
static const char tile_async[] = {
#embed "tile_async.cl"
    , '\0'};

static const struct {
    const char *name;
    const char *source;
} kernels[] = {
    {"common", common},
    {"philox", philox},
    {"batch_norm", batch_norm},
    {"batch_norm_grouped", batch_norm_grouped},
    {"calibration", calibration},
    {"channels", channels},
    {"convolution2d", convolution2d},
    {"convolution2d_dense", convolution2d_dense},
    {"convolution2d_filter_gradient", convolution2d_filter_gradient},
    {"convolution2d_filter_gradient_tiled", convolution2d_filter_gradient_tiled},
    {"convolution2d_filter_operands", convolution2d_filter_operands},
    {"convolution2d_filter_reduce", convolution2d_filter_reduce},
    {"convolution2d_tiled", convolution2d_tiled},
    {"convolution2d_packed", convolution2d_packed},
    {"convolution2d_rows", convolution2d_rows},
    {"convolution2d_winograd", convolution2d_winograd},
    {"convolution2d_winograd_stages", convolution2d_winograd_stages},
    {"winograd", winograd},
    {"elementwise", elementwise},
    {"group", group},
    {"input", input},
    {"loss", loss},
    {"loss_grouped", loss_grouped},
    {"optimizer", optimizer},
    {"pooling2d", pooling2d},
    {"pooling2d_grouped", pooling2d_grouped},
    {"probe_half", probe_half},
    {"probe_memory", probe_memory},
    {"probe_mma", probe_mma},
    {"probe_ptx", probe_ptx},
    {"probe_subgroups", probe_subgroups},
    {"patch", patch},
    {"tensor_core", tensor_core},
    {"tile", tile},
    {"tile_async", tile_async},
};

const char *kernel_source(const char *name) {
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (strcmp(kernels[i].name, name) == 0) return kernels[i].source;
    return NULL;
}
