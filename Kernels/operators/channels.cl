// Channels copied from one tensor of [pixels][channels] to others: concatenation, one launch for each input that was
// not written there at once, and its gradient, a slice or all of them.
//
// Work-items: global (channel workers, pixel workers). A work-item takes `chunk` consecutive pixels and every
// size(0)-th vector of LANES channels, so that a CPU copies long stretches (size(0) = 1) and a GPU's neighbours
// copy neighbouring channels.

// to[pixel][to_first + c] = from[pixel][from_first + c] for c < count, then the epilogue with addend[pixel][c] and
// mask[pixel][mask_first + c].
__kernel void copy_channels(__global const activation *restrict from, __global const activation *restrict addend,
                            __global const activation *restrict mask, __global activation *restrict to, int pixels,
                            int count, int from_channels, int from_first, int to_channels, int to_first, int epilogue,
                            int mask_channels, int mask_first, int chunk) {
    const int start = get_global_id(1) * chunk, end = min(pixels, start + chunk);
    for (int pixel = start; pixel < end; pixel++) {
        __global const activation *source = from + (size_t)pixel * from_channels + from_first;
        __global activation *target = to + (size_t)pixel * to_channels + to_first;
        __global const activation *output = mask + (size_t)pixel * mask_channels + mask_first;
        for (int channel = get_global_id(0) * LANES; channel < count; channel += get_global_size(0) * LANES) {
            const lanes value = with_epilogue(load_first(source + channel, count - channel), epilogue,
                                              addend + (size_t)pixel * count + channel, output + channel,
                                              count - channel);
            store_first(value, target + channel, count - channel);
        }
    }
}

// to[pixel][first + c] = from[pixel][c] for c < count, and zero in the other channels; then the epilogue with
// addend[pixel][c] and operand[pixel][c], of all channels.
__kernel void pad_channels(__global const activation *restrict from, __global const activation *restrict addend,
                           __global const activation *restrict operand, __global activation *restrict to, int pixels,
                           int count, int first, int channels, int epilogue, int chunk) {
    const int start = get_global_id(1) * chunk, end = min(pixels, start + chunk);
    for (int pixel = start; pixel < end; pixel++) {
        __global const activation *source = from + (size_t)pixel * count;
        const size_t target = (size_t)pixel * channels;
        FOR_EACH_CHANNELS(channel, left, channels) {
            const int place = channel - first;
            lanes value = (lanes)(0.0f);
            if (place >= 0 && place < count) {
                value = load_first(source + place, count - place);
            } else if (place < 0 && place + LANES > 0) {
                float values[LANES];
                for (int lane = 0; lane < LANES; lane++) {
                    const int c = place + lane;
                    values[lane] = c >= 0 && c < count ? LOAD_ONE(source + c) : 0.0f;
                }
                value = JOIN(vload, LANES)(0, values);
            }
            const size_t at = target + channel;
            store_first(with_epilogue(value, epilogue, addend + at, operand + at, left), to + at, left);
        }
    }
}

// to[pixel][c] = from[pixel][(c mod groups) · channels / groups + c / groups].
__kernel void shuffle_channels(__global const activation *restrict from, __global activation *restrict to, int pixels,
                               int channels, int groups, int chunk) {
    const int start = get_global_id(1) * chunk, end = min(pixels, start + chunk), size = channels / groups;
    FOR_EACH_CHANNELS(channel, left, channels) {
        int places[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            const int c = min(channel + lane, channels - 1);
            places[lane] = c % groups * size + c / groups;
        }
        for (int pixel = start; pixel < end; pixel++) {
            __global const activation *source = from + (size_t)pixel * channels;
            float values[LANES];
            for (int lane = 0; lane < LANES; lane++) values[lane] = LOAD_ONE(source + places[lane]);
            store_first(JOIN(vload, LANES)(0, values), to + (size_t)pixel * channels + channel, left);
        }
    }
}

// Copies every `step`-th vector of `count` channels, from `vector` on, and moves `from` behind them; which vector of
// what is behind them is next.
static inline int copy_part(__global const activation **from, __global activation *to, int count, int vector,
                            int step) {
    for (; vector * LANES < count; vector += step)
        store_first(load_first(*from + vector * LANES, count - vector * LANES), to + vector * LANES,
                    count - vector * LANES);
    *from += count;
    return vector - (count + LANES - 1) / LANES;
}

// first[pixel][c] = from[pixel][g.first + c] for c < g.first_count, then as many as there are of the others.
__kernel void split_channels(__global const activation *from, __global activation *first, __global activation *second,
                             __global activation *third, __global activation *fourth, const SplitGeometry g) {
    const int start = get_global_id(1) * g.chunk, end = min(g.pixels, start + g.chunk), step = get_global_size(0);
    for (int pixel = start; pixel < end; pixel++) {
        __global const activation *source = from + (size_t)pixel * g.channels + g.first;
        int vector = get_global_id(0);
        vector = copy_part(&source, first + (size_t)pixel * g.first_count, g.first_count, vector, step);
        vector = copy_part(&source, second + (size_t)pixel * g.second_count, g.second_count, vector, step);
        vector = copy_part(&source, third + (size_t)pixel * g.third_count, g.third_count, vector, step);
        copy_part(&source, fourth + (size_t)pixel * g.fourth_count, g.fourth_count, vector, step);
    }
}
