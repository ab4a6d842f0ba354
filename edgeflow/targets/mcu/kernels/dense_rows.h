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
    const NN_FLASH int8_t *shifts;
} nn_dense_rows_t;

/* x * q / 2^31 * 2^shift, rounded half away from zero; shift is 30 at most. */
NN_INLINE int32_t nn_scale_once(int32_t x, int32_t q, int8_t shift)
{
    const int64_t product = (int64_t)x * q;
    const int64_t magnitude = product < 0 ? -product : product;
    const int64_t rounded = ((magnitude >> (30 - shift)) + 1) >> 1;
    const int32_t scaled = rounded > INT32_MAX ? INT32_MAX : (int32_t)rounded;
    return product < 0 ? -scaled : scaled;
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
                    once ? nn_scale_once(sums[i], p->multipliers[scale], p->shifts[scale])
                         : nn_scaled(sums[i], p->multipliers[scale], p->shifts[scale]);
                *y++ = nn_output(scaled, p->zero_point, p->low, p->high);
            }
        }
        x += p->inputs;
    }
}
