#include "simd.h"
/*
 * Fully connected layer by four units at once. Of each four inputs follow the weights of four
 * units; units and inputs are rounded up to multiples of four by weights of zero. The bias holds
 * the input's zero point already.
 */
typedef struct {
    int32_t rows;
    int32_t inputs;
    int32_t units;
    int32_t scales_step; /* 0: one multiplier for all units */
    int32_t centre; /* of the scaling: twice the zero point, and 1 */
    int8_t clamped; /* whether the activation's range is not all of int8 */
    int8_t low;
    int8_t high;
    const NN_FLASH int8_t *weights;
    const NN_FLASH int32_t *bias;
    const NN_FLASH int32_t *multipliers;
    const NN_FLASH int8_t *shifts;
} nn_dense_simd_t;

/* The sums of four units. */
typedef struct {
    int32_t s0, s1, s2, s3;
} nn_units;

#define NN_UNIT(sum, weights)                            \
    do {                                                 \
        const int32_t four = nn_load_word(weights);      \
        (sum) = nn_smlad(nn_sxtb16(four), x0, sum);      \
        (sum) = nn_smlad(nn_sxtb16_ror8(four), x1, sum); \
        NN_IN_ORDER;                                     \
    } while (0)

/* Adds the products of four inputs. */
NN_INLINE nn_units nn_four_inputs(nn_units sums, int32_t inputs, const NN_FLASH int8_t *w)
{
    const int32_t x0 = nn_sxtb16(inputs);
    const int32_t x1 = nn_sxtb16_ror8(inputs);
    NN_UNIT(sums.s0, w);
    NN_UNIT(sums.s1, w + 4);
    NN_UNIT(sums.s2, w + 8);
    NN_UNIT(sums.s3, w + 12);
    return sums;
}

NN_INLINE void nn_put_unit(const NN_FLASH nn_dense_simd_t *p, int32_t sum, int32_t unit, int8_t *y)
{
    const int32_t place = unit * p->scales_step;
    const nn_scale scale = nn_scale_of(p->multipliers[place], p->shifts[place], p->centre);
    const int32_t value = nn_rescale(sum, scale);
    y[unit] = p->clamped ? nn_clamp(value, p->low, p->high) : (int8_t)value;
}

/* Writes four units, of which the last ones may be too many. */
NN_INLINE void nn_put_units(
    const NN_FLASH nn_dense_simd_t *p, nn_units sums, int32_t unit, int8_t *y)
{
    const int32_t count = p->units - unit;
    nn_put_unit(p, sums.s0, unit, y);
    if (count > 1) {
        nn_put_unit(p, sums.s1, unit + 1, y);
    }
    if (count > 2) {
        nn_put_unit(p, sums.s2, unit + 2, y);
    }
    if (count > 3) {
        nn_put_unit(p, sums.s3, unit + 3, y);
    }
}

NN_SHARED void nn_dense_row(const NN_FLASH nn_dense_simd_t *p, const int8_t *x, int8_t *y)
{
    const NN_FLASH int8_t *w = p->weights;
    const int8_t *end = x + (p->inputs & ~7);
    int8_t rest[4] = {0, 0, 0, 0};
    memcpy(rest, x + (p->inputs & ~3), (size_t)(p->inputs & 3));
    for (int32_t unit = 0; unit < p->units; unit += 4) {
        const NN_FLASH int32_t *bias = p->bias + unit;
        nn_units sums = {bias[0], bias[1], bias[2], bias[3]};
        const int8_t *from = x;
        while (from != end) {
            sums = nn_four_inputs(sums, nn_load_word(from), w);
            sums = nn_four_inputs(sums, nn_load_word(from + 4), w + 16);
            from += 8;
            w += 32;
        }
        if (p->inputs & 4) {
            sums = nn_four_inputs(sums, nn_load_word(from), w);
            w += 16;
        }
        if (p->inputs & 3) {
            sums = nn_four_inputs(sums, nn_load_word(rest), w);
            w += 16;
        }
        nn_put_units(p, sums, unit, y);
    }
}

NN_KERNEL void nn_dense_simd(const NN_FLASH nn_dense_simd_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->rows; row++) {
        nn_dense_row(p, x + row * p->inputs, y + row * p->units);
    }
}
