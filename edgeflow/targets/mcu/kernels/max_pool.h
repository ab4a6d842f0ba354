#include "pool.h"
typedef nn_pool_t nn_max_pool_t;

/* The largest value of a channel in a window. */
NN_INLINE int8_t nn_max_pool_window(const NN_FLASH nn_max_pool_t *p, const int8_t *x, nn_size rows,
    nn_size columns)
{
    int8_t largest = -128;
    for (nn_size row = 0; row < rows; row++) {
        for (nn_size column = 0; column < columns; column++) {
            const int8_t value = x[(row * p->in_columns + column) * p->depth];
            largest = value > largest ? value : largest;
        }
    }
    return nn_clamp(largest, p->low, p->high);
}

NN_KERNEL void nn_max_pool(const NN_FLASH nn_max_pool_t *p, const int8_t *x, int8_t *y)
{
    for (nn_size row = 0; row < p->out_rows; row++) {
        const nn_window rows =
            nn_clip(row * p->stride_rows - p->pad_rows, 1, p->kernel_rows, p->in_rows, p->padded_rows);
        for (nn_size column = 0; column < p->out_columns; column++) {
            const nn_window columns = nn_clip(
                column * p->stride_columns - p->pad_columns, 1, p->kernel_columns, p->in_columns,
                p->padded_columns);
            const int8_t *from = x + (rows.start * p->in_columns + columns.start) * p->depth;
            for (nn_size channel = 0; channel < p->depth; channel++) {
                *y++ = nn_max_pool_window(p, from + channel, rows.count, columns.count);
            }
        }
    }
}
