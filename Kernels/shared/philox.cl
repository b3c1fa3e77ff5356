// Philox4x32-10 (Salmon et al., SC 2011): four random words, a pure function of key and counter. The same as
// Sources/Tensor/Philox.swift; the stream numbers are part of what a seed means.

#define STREAM_AUGMENTATION 0x9E370003u
#define STREAM_DROPOUT 0x9E370004u

static inline uint4 philox(uint4 counter, uint2 key) {
    for (int round = 0; round < 10; round++) {
        const uint first_high = mul_hi(counter.x, 0xD2511F53u), first_low = counter.x * 0xD2511F53u;
        const uint second_high = mul_hi(counter.z, 0xCD9E8D57u), second_low = counter.z * 0xCD9E8D57u;
        counter = (uint4)(second_high ^ counter.y ^ key.x, second_low, first_high ^ counter.w ^ key.y, first_low);
        key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
    }
    return counter;
}

static inline uint2 philox_key(const StepUniforms *step, uint stream) {
    return (uint2)(step->seed_low ^ stream, step->seed_high);
}
