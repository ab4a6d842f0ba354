#include "pool.h"
typedef nn_pool_t nn_average_pool_t;

/* The mean of a channel over the part of a window in the image, rounded half away from zero. */
NN_INLINE int8_t nn_average_pool_window(const NN_FLASH nn_average_pool_t *p, const int8_t *x, nn_size rows,
    nn_size columns)
{
    const int32_t count = (int32_t)rows * (int32_t)columns;
    int32_t sum = 0;
    for (nn_size row = 0; row < rows; row++) {
        for (nn_size column = 0; column < columns; column++) {
            sum += x[(row * p->in_columns + column) * p->depth];
        }
    }
    sum += sum > 0 ? count / 2 : -(count / 2);
    return nn_clamp(sum / count, p->low, p->high);
}

NN_KERNEL void nn_average_pool(const NN_FLASH nn_average_pool_t *p, const int8_t *x, int8_t *y)
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
                *y++ = nn_average_pool_window(p, from + channel, rows.count, columns.count);
            }
        }
    }
}
