#include "common.h"
/*
 * A value around the input. Dimensions are the outermost first; before and after are bytes of the
 * output that stand before and after the values of a dimension.
 */
typedef struct {
    nn_size size0, size1, size2, size3;
    nn_size before0, before1, before2, before3;
    nn_size after0, after1, after2, after3;
    int8_t value;
} nn_pad_t;

NN_INLINE int8_t *nn_fill(int8_t *y, nn_size size, int8_t value)
{
    for (nn_size i = 0; i < size; i++) {
        *y++ = value;
    }
    return y;
}

NN_KERNEL void nn_pad(const NN_FLASH nn_pad_t *p, const int8_t *x, int8_t *y)
{
    y = nn_fill(y, p->before0, p->value);
    for (nn_size i0 = 0; i0 < p->size0; i0++) {
        y = nn_fill(y, p->before1, p->value);
        for (nn_size i1 = 0; i1 < p->size1; i1++) {
            y = nn_fill(y, p->before2, p->value);
            for (nn_size i2 = 0; i2 < p->size2; i2++) {
                y = nn_fill(y, p->before3, p->value);
                for (nn_size i3 = 0; i3 < p->size3; i3++) {
                    *y++ = *x++;
                }
                y = nn_fill(y, p->after3, p->value);
            }
            y = nn_fill(y, p->after2, p->value);
        }
        y = nn_fill(y, p->after1, p->value);
    }
    (void)nn_fill(y, p->after0, p->value);
}
