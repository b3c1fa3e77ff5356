// Channels copied from one tensor of [pixels][channels] to another: concatenation, one launch for each input that was
// not written there at once, and its gradient, a slice.
//
// Work-items: global (channel workers, pixel workers). A work-item takes `chunk` consecutive pixels and every
// size(0)-th vector of LANES channels, so that a CPU copies long stretches (size(0) = 1) and a GPU's neighbours
// copy neighbouring channels.

// to[pixel][to_first + c] = from[pixel][from_first + c] for c < count; with a mask, a ReLU's output, its gradient:
// 0 where mask[pixel][mask_first + c] is not above zero.
__kernel void copy_channels(__global const activation *restrict from, __global const activation *restrict mask,
                            __global activation *restrict to, int pixels, int count, int from_channels, int from_first,
                            int to_channels, int to_first, int has_mask, int mask_channels, int mask_first, int chunk) {
    const int start = get_global_id(1) * chunk, end = min(pixels, start + chunk);
    for (int pixel = start; pixel < end; pixel++) {
        __global const activation *source = from + (size_t)pixel * from_channels + from_first;
        __global activation *target = to + (size_t)pixel * to_channels + to_first;
        __global const activation *output = mask + (size_t)pixel * mask_channels + mask_first;
        for (int channel = get_global_id(0) * LANES; channel < count; channel += get_global_size(0) * LANES) {
            lanes value = load_first(source + channel, count - channel);
            if (has_mask) value = ACTIVATION_GRADIENT(value, load_first(output + channel, count - channel));
            store_first(value, target + channel, count - channel);
        }
    }
}
