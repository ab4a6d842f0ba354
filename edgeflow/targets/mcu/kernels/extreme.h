#include "common.h"
/* The larger of two values, or the smaller; sizes and strides as those of nn_add. */
typedef struct {
    nn_size size0, size1, size2, size3;
    nn_size a0, a1, a2, a3;
    nn_size b0, b1, b2, b3;
    int8_t sign; /* 1: the larger, -1: the smaller */
} nn_extreme_t;

NN_KERNEL void nn_extreme(
    const NN_FLASH nn_extreme_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (nn_size i0 = 0; i0 < p->size0; i0++) {
        for (nn_size i1 = 0; i1 < p->size1; i1++) {
            for (nn_size i2 = 0; i2 < p->size2; i2++) {
                const int8_t *u = a + i0 * p->a0 + i1 * p->a1 + i2 * p->a2;
                const int8_t *v = b + i0 * p->b0 + i1 * p->b1 + i2 * p->b2;
                for (nn_size i3 = 0; i3 < p->size3; i3++) {
                    *y++ = *u * p->sign > *v * p->sign ? *u : *v;
                    u += p->a3;
                    v += p->b3;
                }
            }
        }
    }
}
