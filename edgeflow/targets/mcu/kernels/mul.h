#include "pairs.h"
/* Product of tensors that broadcast. */
typedef struct {
    nn_pairs_t pairs;
    int32_t multiplier;
    int16_t a_zero_point;
    int16_t b_zero_point;
    int8_t shift;
    int8_t zero_point;
    int8_t low;
    int8_t high;
} nn_mul_t;

NN_KERNEL void nn_mul(const NN_FLASH nn_mul_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    NN_EACH_PAIR (&p->pairs, u, v) {
        int32_t z = ((int32_t)a[u] - p->a_zero_point) * ((int32_t)b[v] - p->b_zero_point);
        z = nn_requantize(z, p->multiplier, p->shift);
        *y++ = nn_output(z, p->zero_point, p->low, p->high);
    }
}
