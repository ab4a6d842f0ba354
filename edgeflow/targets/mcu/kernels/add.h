#include "pairs.h"
/*
 * Sum or difference of tensors that broadcast. A is the operand of the larger scale: brought to
 * twice that scale, with 20 fractional bits, it is a shift alone; `bias` holds its zero point. The
 * signs of both make a difference of a sum.
 */
typedef struct {
    nn_pairs_t pairs;
    int32_t a_factor;
    int32_t bias;
    int32_t multiplier;
    uint16_t b_high, b_low; /* halves of the multiplier of B */
    int16_t b_zero_point;
    int8_t b_right;
    int8_t b_sign;
    int8_t shift;
    int8_t zero_point;
    int8_t low;
    int8_t high;
} nn_add_t;

/*
 * v * 2^20 * q / 2^31 / 2^right, rounded twice as by nn_requantize; v has 9 bits, so that the halves
 * of q take two products of 32 bits.
 */
NN_INLINE int32_t nn_add_scale(int32_t v, uint16_t high, uint16_t low, int8_t right)
{
    const int32_t scaled = v * (int32_t)high * 32 + ((v * (int32_t)low + 1024) >> 11);
    if (right == 0) {
        return scaled;
    }
    return (scaled + ((int32_t)1 << (right - 1)) - (scaled < 0 ? 1 : 0)) >> right;
}

NN_KERNEL void nn_add(const NN_FLASH nn_add_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    NN_EACH_PAIR (&p->pairs, u, v) {
        const int32_t scaled = nn_add_scale(
            (int32_t)b[v] - p->b_zero_point, p->b_high, p->b_low, p->b_right);
        int32_t sum = a[u] * p->a_factor + p->bias;
        sum = p->b_sign < 0 ? sum - scaled : sum + scaled;
        sum = nn_requantize(sum, p->multiplier, p->shift);
        *y++ = nn_output(sum, p->zero_point, p->low, p->high);
    }
}
