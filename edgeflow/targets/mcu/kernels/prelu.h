#include "pairs.h"
/* Values below zero are multiplied by b. */
typedef struct {
    nn_pairs_t pairs;
    int32_t above_multiplier;
    int32_t below_multiplier;
    int16_t a_zero_point;
    int16_t b_zero_point;
    int8_t above_shift;
    int8_t below_shift;
    int8_t zero_point;
} nn_prelu_t;

NN_KERNEL void nn_prelu(const NN_FLASH nn_prelu_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    NN_EACH_PAIR (&p->pairs, u, v) {
        int32_t z = (int32_t)a[u] - p->a_zero_point;
        if (z >= 0) {
            z = nn_requantize(z, p->above_multiplier, p->above_shift);
        } else {
            z *= (int32_t)b[v] - p->b_zero_point;
            z = nn_requantize(z, p->below_multiplier, p->below_shift);
        }
        *y++ = nn_output(z, p->zero_point, -128, 127);
    }
}
