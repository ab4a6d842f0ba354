#include "common.h"
/* For each pixel of the output the nearest one of the input: its row and its column, in bytes. */
typedef struct {
    nn_size height;
    nn_size width;
    nn_size depth;
    const NN_FLASH int32_t *rows;
    const NN_FLASH int32_t *columns;
} nn_resize_nearest_t;

NN_KERNEL void nn_resize_nearest(
    const NN_FLASH nn_resize_nearest_t *p, const int8_t *x, int8_t *y)
{
    for (nn_size row = 0; row < p->height; row++) {
        for (nn_size column = 0; column < p->width; column++) {
            const int8_t *pixel = x + (nn_size)(p->rows[row] + p->columns[column]);
            for (nn_size i = 0; i < p->depth; i++) {
                *y++ = pixel[i];
            }
        }
    }
}
