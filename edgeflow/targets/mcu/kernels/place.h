#include "common.h"
/* Rows of the input into wider rows of the output, from `offset` on. */
typedef struct {
    int32_t rows;
    int32_t width;
    int32_t stride;
    int32_t offset;
} nn_place_t;

NN_KERNEL void nn_place(const NN_FLASH nn_place_t *p, const int8_t *x, int8_t *y)
{
    y += p->offset;
    for (int32_t row = 0; row < p->rows; row++) {
        for (int32_t i = 0; i < p->width; i++) {
            y[i] = x[i];
        }
        x += p->width;
        y += p->stride;
    }
}
