#include "common.h"
/* Product of tensors that broadcast; sizes and strides as those of nn_add. */
typedef struct {
    nn_size size0, size1, size2, size3;
    nn_size a0, a1, a2, a3;
    nn_size b0, b1, b2, b3;
    int32_t multiplier;
    int16_t a_zero_point;
    int16_t b_zero_point;
    int8_t shift;
    int8_t zero_point;
    int8_t low;
    int8_t high;
} nn_mul_t;

NN_KERNEL void nn_mul(
    const NN_FLASH nn_mul_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (nn_size i0 = 0; i0 < p->size0; i0++) {
        for (nn_size i1 = 0; i1 < p->size1; i1++) {
            for (nn_size i2 = 0; i2 < p->size2; i2++) {
                const int8_t *u = a + i0 * p->a0 + i1 * p->a1 + i2 * p->a2;
                const int8_t *v = b + i0 * p->b0 + i1 * p->b1 + i2 * p->b2;
                for (nn_size i3 = 0; i3 < p->size3; i3++) {
                    int32_t z = ((int32_t)*u - p->a_zero_point) * ((int32_t)*v - p->b_zero_point);
                    z = nn_requantize(z, p->multiplier, p->shift) + p->zero_point;
                    *y++ = nn_clamp(z, p->low, p->high);
                    u += p->a3;
                    v += p->b3;
                }
            }
        }
    }
}
