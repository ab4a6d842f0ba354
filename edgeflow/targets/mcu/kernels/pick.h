#include "common.h"
/* Values of the input at regular distances: slices and transpositions. */
typedef struct {
    nn_size offset;
    nn_size size0, size1, size2, size3;
    nn_size stride0, stride1, stride2, stride3;
} nn_pick_t;

NN_KERNEL void nn_pick(const NN_FLASH nn_pick_t *p, const int8_t *x, int8_t *y)
{
    for (nn_size i0 = 0; i0 < p->size0; i0++) {
        for (nn_size i1 = 0; i1 < p->size1; i1++) {
            for (nn_size i2 = 0; i2 < p->size2; i2++) {
                nn_size at = p->offset + i0 * p->stride0 + i1 * p->stride1 + i2 * p->stride2;
                for (nn_size i3 = 0; i3 < p->size3; i3++) {
                    *y++ = x[at];
                    at += p->stride3;
                }
            }
        }
    }
}
