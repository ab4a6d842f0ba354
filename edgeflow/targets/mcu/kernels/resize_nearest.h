#include "common.h"
/* For each pixel of the output the nearest one of the input: its row and its column, in bytes. */
typedef struct {
    int32_t height;
    int32_t width;
    int32_t depth;
    const NN_FLASH int32_t *rows;
    const NN_FLASH int32_t *columns;
} nn_resize_nearest_t;

NN_KERNEL void nn_resize_nearest(
    const NN_FLASH nn_resize_nearest_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->height; row++) {
        for (int32_t column = 0; column < p->width; column++) {
            const int8_t *pixel = x + p->rows[row] + p->columns[column];
            for (int32_t i = 0; i < p->depth; i++) {
                *y++ = pixel[i];
            }
        }
    }
}
