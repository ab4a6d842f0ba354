#include "common.h"
/* Values below zero are multiplied by b; sizes and strides as those of nn_add. */
typedef struct {
    nn_size size0, size1, size2, size3;
    nn_size a0, a1, a2, a3;
    nn_size b0, b1, b2, b3;
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
    for (nn_size i0 = 0; i0 < p->size0; i0++) {
        for (nn_size i1 = 0; i1 < p->size1; i1++) {
            for (nn_size i2 = 0; i2 < p->size2; i2++) {
                const int8_t *u = a + i0 * p->a0 + i1 * p->a1 + i2 * p->a2;
                const int8_t *v = b + i0 * p->b0 + i1 * p->b1 + i2 * p->b2;
                for (nn_size i3 = 0; i3 < p->size3; i3++) {
                    int32_t z = (int32_t)*u - p->a_zero_point;
                    if (z >= 0) {
                        z = nn_requantize(z, p->above_multiplier, p->above_shift);
                    } else {
                        z *= (int32_t)*v - p->b_zero_point;
                        z = nn_requantize(z, p->below_multiplier, p->below_shift);
                    }
                    *y++ = nn_output(z, p->zero_point, -128, 127);
                    u += p->a3;
                    v += p->b3;
                }
            }
        }
    }
}
