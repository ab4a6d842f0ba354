#include "dot.h"
/*
 * Fully connected layer, also for each pixel. The bias holds the input's zero point already. The
 * weights of four units alternate, as long as there are four.
 */
typedef struct {
    nn_size rows;
    nn_size inputs;
    nn_size units;
    int8_t scales_step; /* 0: one multiplier for all units */
    int8_t zero_point;
    int8_t low;
    int8_t high;
    const NN_FLASH int8_t *weights;
    const NN_FLASH int32_t *bias;
    const NN_FLASH int32_t *multipliers;
    const NN_FLASH int32_t *rests; /* of the multipliers, where sums are rounded once */
    const NN_FLASH int8_t *shifts;
} nn_dense_rows_t;

/*
 * x * (q + rest / 2^22) / 2^31 * 2^shift, as a product of numbers of 53 bits, rounded half away from
 * zero; shift is 30 at most. The product is computed whole, of 84 bits, and then rounded to 53, which
 * matters where it is just below a tie: so half of the last of them is added.
 */
NN_INLINE int32_t nn_scale_once(int32_t x, int32_t q, int32_t rest, int8_t shift)
{
    const uint32_t size = x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
    const uint64_t low = (uint64_t)size * (uint32_t)rest;
    uint64_t high = (uint64_t)size * (uint32_t)q + (low >> 22);
    uint64_t half = 0;
    for (uint32_t above = (uint32_t)(high >> 31); above != 0; above >>= 1) {
        half = half != 0 ? half << 1 : 1;
    }
    high += ((low & 0x3fffffu) + half) >> 22;
    high = ((high >> (30 - shift)) + 1u) >> 1;
    const int32_t scaled = high < 0x3fffffffu ? (int32_t)high : 0x3fffffff;
    return x < 0 ? -scaled : scaled;
}

NN_INLINE void nn_dense_sums(const NN_FLASH nn_dense_rows_t *p, const int8_t *x,
    const NN_FLASH int8_t *w, nn_size unit, nn_size many, int32_t *sums)
{
    nn_four four = nn_load(p->bias + unit, many);
    nn_dot(&four, x, w, p->inputs, 0, many);
    nn_store(&four, sums, many);
}

NN_INLINE void nn_dense_rows(
    const NN_FLASH nn_dense_rows_t *p, const int8_t *x, int8_t *y, int once)
{
    for (nn_size row = 0; row < p->rows; row++) {
        const NN_FLASH int8_t *w = p->weights;
        nn_size many;
        for (nn_size unit = 0; unit < p->units; unit += many) {
            int32_t sums[4];
            many = p->units - unit >= 4 ? 4 : 1;
            if (many == 4) {
                nn_dense_sums(p, x, w, unit, 4, sums);
            } else {
                nn_dense_sums(p, x, w, unit, 1, sums);
            }
            w += many * p->inputs;
            for (nn_size i = 0; i < many; i++) {
                const nn_size scale = (unit + i) * p->scales_step;
                const int32_t scaled =
                    once ? nn_scale_once(sums[i], p->multipliers[scale], p->rests[scale], p->shifts[scale])
                         : nn_scaled(sums[i], p->multipliers[scale], p->shifts[scale]);
                *y++ = nn_output(scaled, p->zero_point, p->low, p->high);
            }
        }
        x += p->inputs;
    }
}
