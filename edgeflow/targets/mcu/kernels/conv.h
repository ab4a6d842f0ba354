#include "dot.h"
#include "window.h"
/*
 * Convolution, also in groups. In each group the weights of four channels alternate, as long as
 * there are four; those of a channel lie in the order of rows, columns, depth.
 */
typedef struct {
    nn_size in_rows;
    nn_size in_columns;
    nn_size in_depth;
    nn_size out_rows;
    nn_size out_columns;
    nn_size groups;
    nn_size group_inputs;
    nn_size group_outputs;
    nn_size kernel_rows;
    nn_size kernel_columns;
    nn_size stride_rows;
    nn_size stride_columns;
    nn_size dilation_rows;
    nn_size dilation_columns;
    nn_size pad_rows;
    nn_size pad_columns;
    int8_t joined; /* whether the taps of a row follow one another in memory */
    int8_t scales_step; /* 0: one multiplier for all channels */
    int8_t padded_rows; /* whether windows lie partly outside */
    int8_t padded_columns;
    int16_t offset; /* of the input, as its zero point, which is 0 outside */
    int8_t zero_point;
    int8_t low;
    int8_t high;
    const NN_FLASH int8_t *weights;
    const NN_FLASH int32_t *bias;
    const NN_FLASH int32_t *multipliers;
    const NN_FLASH int8_t *shifts;
} nn_conv_t;

/* The sums of 4 channels or 1, at one place of the output; x is where the window begins. */
NN_INLINE void nn_conv_sums(const NN_FLASH nn_conv_t *p, const int8_t *x,
    const NN_FLASH int8_t *w, nn_window rows, nn_window columns, nn_size channel, nn_size many,
    int32_t *sums)
{
    const nn_size runs = p->joined ? 1 : columns.count;
    const nn_size length = p->joined ? columns.count * p->group_inputs : p->group_inputs;
    nn_four four = nn_load(p->bias + channel, many);
    for (nn_size row = 0; row < rows.count; row++) {
        const int8_t *from = x + row * p->dilation_rows * p->in_columns * p->in_depth;
        nn_size tap = (rows.first + row) * p->kernel_columns + columns.first;
        for (nn_size run = 0; run < runs; run++) {
            nn_dot(&four, from + run * p->dilation_columns * p->in_depth,
                w + tap * p->group_inputs * many, length, p->offset, many);
            tap++;
        }
    }
    nn_store(&four, sums, many);
}

/* All channels at one place of the output; x is where the window begins; returns the next place. */
NN_INLINE int8_t *nn_conv_place(const NN_FLASH nn_conv_t *p, const int8_t *x, int8_t *y,
    nn_window rows, nn_window columns)
{
    const NN_FLASH int8_t *w = p->weights;
    nn_size many;
    for (nn_size group = 0; group < p->groups; group++) {
        const nn_size first = group * p->group_outputs;
        for (nn_size done = 0; done < p->group_outputs; done += many) {
            int32_t sums[4];
            many = p->group_outputs - done >= 4 ? 4 : 1;
            if (many == 4) {
                nn_conv_sums(p, x, w, rows, columns, first + done, 4, sums);
            } else {
                nn_conv_sums(p, x, w, rows, columns, first + done, 1, sums);
            }
            w += many * p->kernel_rows * p->kernel_columns * p->group_inputs;
            for (nn_size i = 0; i < many; i++) {
                const nn_size scale = (first + done + i) * p->scales_step;
                const int32_t scaled =
                    nn_scaled(sums[i], p->multipliers[scale], p->shifts[scale]);
                *y++ = nn_output(scaled, p->zero_point, p->low, p->high);
            }
        }
        x += p->group_inputs;
    }
    return y;
}

NN_KERNEL void nn_conv(const NN_FLASH nn_conv_t *p, const int8_t *x, int8_t *y)
{
    for (nn_size row = 0; row < p->out_rows; row++) {
        const nn_window rows = nn_clip(row * p->stride_rows - p->pad_rows, p->dilation_rows,
            p->kernel_rows, p->in_rows, p->padded_rows);
        for (nn_size column = 0; column < p->out_columns; column++) {
            const nn_window columns = nn_clip(column * p->stride_columns - p->pad_columns,
                p->dilation_columns, p->kernel_columns, p->in_columns, p->padded_columns);
            const nn_size start = rows.start * p->in_columns + columns.start;
            y = nn_conv_place(p, x + start * p->in_depth, y, rows, columns);
        }
    }
}
