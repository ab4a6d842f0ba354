#include "common.h"
/*
 * Softmax over the last dimension. exps[d] is exp of -d steps of the input, in 31 fractional bits;
 * what the table leaves out contributes nothing. Arithmetic of reference_ops::Softmax of
 * TensorFlow Lite, on gemmlowp's fixedpoint.h.
 */
typedef struct {
    nn_size rows;
    nn_size depth;
    nn_size entries;
    const NN_FLASH int32_t *exps;
} nn_softmax_t;

/* a * b / 2^31, rounded; no factor is -2^31. */
NN_INLINE int32_t nn_high_product(int32_t a, int32_t b)
{
    const int64_t product = (int64_t)a * b;
    const int32_t nudge = product >= 0 ? (int32_t)1 << 30 : 1 - ((int32_t)1 << 30);
    return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

/* 1 / (1 + a) of a in [0, 1), both in 31 fractional bits, by Newton's method. */
NN_SHARED int32_t nn_reciprocal(int32_t a)
{
    const int32_t half = (int32_t)(((uint32_t)a + 0x80000000u) >> 1);
    int32_t x = 1515870810 + nn_high_product(half, -1010580540);
    for (int8_t i = 0; i < 3; i++) {
        const int32_t rest = ((int32_t)1 << 29) - nn_high_product(half, x);
        x += nn_high_product(x, rest) * 4;
    }
    return x > 0x3fffffff ? 0x7fffffff : x * 2;
}

NN_KERNEL void nn_softmax(const NN_FLASH nn_softmax_t *p, const int8_t *x, int8_t *y)
{
    for (nn_size row = 0; row < p->rows; row++) {
        int8_t top = x[0];
        for (nn_size i = 1; i < p->depth; i++) {
            top = x[i] > top ? x[i] : top;
        }
        uint32_t sum = 0; /* 19 fractional bits */
        for (nn_size i = 0; i < p->depth; i++) {
            const int16_t steps = (int16_t)(top - x[i]);
            if (steps < p->entries) {
                sum += ((uint32_t)p->exps[steps] + 0x800u) >> 12;
            }
        }
        int8_t shift = 35;
        while (sum < 0x80000000u) {
            sum *= 2u;
            shift--;
        }
        const int32_t scale = nn_reciprocal((int32_t)(sum - 0x80000000u));
        for (nn_size i = 0; i < p->depth; i++) {
            const int16_t steps = (int16_t)(top - x[i]);
            uint32_t share = 0;
            if (steps < p->entries && shift < 32) {
                share = (uint32_t)nn_high_product(scale, p->exps[steps]);
                share = (share >> shift) + (share >> (shift - 1) & 1u);
            }
            y[i] = (int8_t)(share > 255u ? 127 : (int32_t)share - 128);
        }
        x += p->depth;
        y += p->depth;
    }
}
