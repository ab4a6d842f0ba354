#include "common.h"
#include <string.h>
/*
 * Two products at once, by the DSP extension of Arm cores; elsewhere the same in plain C. Names are
 * those of the instructions. Pairs of int16 lie in the halves of a word, the first in the lower.
 */
#if defined(__AVR__)
#error "generate without SIMD for an AVR: its constants cannot be read by words"
#endif
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
#include <arm_acle.h>
#define nn_smlad __smlad
#define nn_smlatb __smlatb
#define nn_smlabt __smlabt
#define nn_ssat8(x) __ssat(x, 8)
#define nn_sxtb16 __sxtb16

/*
 * Of bytes 1 and 3. The ACLE has no name for an operand that is rotated, nor for SMMULR. It is
 * volatile to keep its place: weights unpacked ahead would take registers that the sums need.
 */
NN_INLINE int32_t nn_sxtb16_ror8(int32_t word)
{
    int32_t pair;
    __asm__ volatile("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

NN_INLINE int32_t nn_smmulr(int32_t a, int32_t b)
{
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(a), "r"(b));
    return high;
}

/* Keeps the compiler from loading ahead more than it has registers for. */
#define NN_IN_ORDER __asm__ volatile("" ::: "memory")
/* Keeps it from making several pointers of one, for each of which it would need a register. */
#define NN_ONE_POINTER(pointer) __asm__("" : "+r"(pointer))
#else
NN_INLINE int32_t nn_pair(int32_t low, int32_t high)
{
    return (int32_t)(((uint32_t)low & 0xffffu) | (uint32_t)high << 16);
}

NN_INLINE int16_t nn_low(int32_t pair)
{
    return (int16_t)(uint16_t)((uint32_t)pair & 0xffffu);
}

NN_INLINE int16_t nn_high(int32_t pair)
{
    return (int16_t)(uint16_t)((uint32_t)pair >> 16);
}

NN_INLINE int8_t nn_byte(int32_t word, int place)
{
    return (int8_t)(uint8_t)((uint32_t)word >> (8 * place));
}

NN_INLINE int32_t nn_smlad(int32_t a, int32_t b, int32_t sum)
{
    return sum + (int32_t)nn_low(a) * nn_low(b) + (int32_t)nn_high(a) * nn_high(b);
}

NN_INLINE int32_t nn_smlatb(int32_t a, int32_t b, int32_t sum)
{
    return sum + (int32_t)nn_high(a) * nn_low(b);
}

NN_INLINE int32_t nn_smlabt(int32_t a, int32_t b, int32_t sum)
{
    return sum + (int32_t)nn_low(a) * nn_high(b);
}

NN_INLINE int32_t nn_ssat8(int32_t x)
{
    return x < -128 ? -128 : x > 127 ? 127 : x;
}

NN_INLINE int32_t nn_sxtb16(int32_t word)
{
    return nn_pair(nn_byte(word, 0), nn_byte(word, 2));
}

NN_INLINE int32_t nn_sxtb16_ror8(int32_t word)
{
    return nn_pair(nn_byte(word, 1), nn_byte(word, 3));
}

NN_INLINE int32_t nn_smmulr(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
}

#define NN_IN_ORDER
#define NN_ONE_POINTER(pointer) (void)(pointer)
#endif

NN_INLINE int32_t nn_load_word(const void *from)
{
    int32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

NN_INLINE void nn_store_word(void *to, int32_t word)
{
    memcpy(to, &word, sizeof word);
}

/* What the sums of one channel become: q and right of nn_rescale, and the rest of its addition. */
typedef struct {
    int32_t q;
    int32_t right;
    int32_t rest;
} nn_scale;

/* `centre` is twice the zero point, and 1 for the rounding. */
NN_INLINE nn_scale nn_scale_of(int32_t q, int8_t shift, int32_t centre)
{
    const int32_t right = -shift;
    const nn_scale scale = {q, right, (int32_t)((uint32_t)centre << (right - 1))};
    return scale;
}

/*
 * nn_requantize, the addition of the zero point and the clamp to int8, for right >= 1,
 * |sum| < 2^30 and |sum| + |rest| < 2^31. The first rounding is half up, (x * q + 2^30) >> 31, which
 * is (2x * q + 2^31) >> 32; the second half away from zero, (x + 2^(right - 1) - (x < 0)) >> right.
 * The zero point, shifted left, is part of what is added there.
 */
NN_INLINE int32_t nn_rescale(int32_t sum, nn_scale scale)
{
    int32_t x = nn_smmulr(2 * sum, scale.q);
    x += x >> 31;
    return nn_ssat8((x + scale.rest) >> scale.right);
}

/*
 * Clamps what was written to less than all of int8, which is rare: where a layer's scale fits its
 * activation, saturating does it.
 */
NN_SHARED void nn_clamp_all(int8_t *y, int32_t count, int8_t low, int8_t high)
{
    for (int8_t *end = y + count; y != end; y++) {
        *y = nn_clamp(*y, low, high);
    }
}
