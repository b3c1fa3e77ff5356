// Channels copied from one tensor of [pixels][channels] to another: concatenation, one launch an input, and its
// gradient, a slice.
//
// Work-items: global (channel workers, pixel workers). A work-item takes `chunk` consecutive pixels and every
// size(0)-th vector of LANES channels, so that a CPU copies long stretches (size(0) = 1) and a GPU's neighbours
// copy neighbouring channels.

// to[pixel][to_first + c] = from[pixel][from_first + c] for c < count
__kernel void copy_channels(__global const float *restrict from, __global float *restrict to, int pixels,
                            int count, int from_channels, int from_first, int to_channels, int to_first,
                            int chunk) {
    const int start = get_global_id(1) * chunk, end = min(pixels, start + chunk);
    for (int pixel = start; pixel < end; pixel++) {
        __global const float *source = from + (size_t)pixel * from_channels + from_first;
        __global float *target = to + (size_t)pixel * to_channels + to_first;
        for (int channel = get_global_id(0) * LANES; channel < count; channel += get_global_size(0) * LANES)
            store_first(load_first(source + channel, count - channel), target + channel, count - channel);
    }
}
