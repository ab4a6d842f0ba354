#include "dot.h"
#include "window.h"
/* Depthwise convolution, an output channel for each channel. The weights of four channels alternate. */
typedef struct {
    nn_size in_rows;
    nn_size in_columns;
    nn_size depth;
    nn_size out_rows;
    nn_size out_columns;
    nn_size kernel_rows;
    nn_size kernel_columns;
    nn_size stride_rows;
    nn_size stride_columns;
    nn_size dilation_rows;
    nn_size dilation_columns;
    nn_size pad_rows;
    nn_size pad_columns;
    int8_t scales_step; /* 0: one multiplier for all channels */
    int16_t offset; /* of the input: its zero point, negated */
    int8_t zero_point;
    int8_t low;
    int8_t high;
    const NN_FLASH int8_t *weights;
    const NN_FLASH int32_t *bias;
    const NN_FLASH int32_t *multipliers;
    const NN_FLASH int8_t *shifts;
} nn_depthwise_t;

/* The sums of 4 channels or 1, at one place of the output; x is where the window begins. */
NN_INLINE void nn_depthwise_sums(const NN_FLASH nn_depthwise_t *p, const int8_t *x,
    const NN_FLASH int8_t *w, nn_window rows, nn_window columns, nn_size channel, nn_size many,
    int32_t *sums)
{
    nn_four four = nn_load(p->bias + channel, many);
    for (nn_size row = 0; row < rows.count; row++) {
        const int8_t *from = x + row * p->dilation_rows * p->in_columns * p->depth;
        const nn_size tap = (rows.first + row) * p->kernel_columns + columns.first;
        const NN_FLASH int8_t *weights = w + tap * many;
        for (nn_size column = 0; column < columns.count; column++) {
            nn_multiply_four(&four, from, weights, p->offset, many);
            from += p->dilation_columns * p->depth;
            weights += many;
        }
    }
    nn_store(&four, sums, many);
}

/* All channels at one place of the output; returns the next place. */
NN_INLINE int8_t *nn_depthwise_place(const NN_FLASH nn_depthwise_t *p, const int8_t *x, int8_t *y,
    nn_window rows, nn_window columns)
{
    const NN_FLASH int8_t *w = p->weights;
    nn_size many;
    for (nn_size channel = 0; channel < p->depth; channel += many) {
        int32_t sums[4];
        many = p->depth - channel >= 4 ? 4 : 1;
        if (many == 4) {
            nn_depthwise_sums(p, x + channel, w, rows, columns, channel, 4, sums);
        } else {
            nn_depthwise_sums(p, x + channel, w, rows, columns, channel, 1, sums);
        }
        w += many * p->kernel_rows * p->kernel_columns;
        for (nn_size i = 0; i < many; i++) {
            const nn_size scale = (channel + i) * p->scales_step;
            const int32_t scaled = nn_requantize(sums[i], p->multipliers[scale], p->shifts[scale]);
            *y++ = nn_output(scaled, p->zero_point, p->low, p->high);
        }
    }
    return y;
}

NN_KERNEL void nn_depthwise(const NN_FLASH nn_depthwise_t *p, const int8_t *x, int8_t *y)
{
    for (nn_size row = 0; row < p->out_rows; row++) {
        const nn_window rows = nn_clip(row * p->stride_rows - p->pad_rows, p->dilation_rows,
            p->kernel_rows, p->in_rows);
        for (nn_size column = 0; column < p->out_columns; column++) {
            const nn_window columns = nn_clip(column * p->stride_columns - p->pad_columns,
                p->dilation_columns, p->kernel_columns, p->in_columns);
            const nn_size start = rows.start * p->in_columns + columns.start;
            y = nn_depthwise_place(p, x + start * p->depth, y, rows, columns);
        }
    }
}
