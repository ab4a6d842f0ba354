#include "common.h"
/* Rows of the input into wider rows of the output, from `offset` on. */
typedef struct {
    nn_size rows;
    nn_size width;
    nn_size stride;
    nn_size offset;
} nn_copy_rows_t;

NN_KERNEL void nn_copy_rows(const NN_FLASH nn_copy_rows_t *p, const int8_t *x, int8_t *y)
{
    y += p->offset;
    for (nn_size row = 0; row < p->rows; row++) {
        for (nn_size i = 0; i < p->width; i++) {
            y[i] = x[i];
        }
        x += p->width;
        y += p->stride;
    }
}
