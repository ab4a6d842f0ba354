#include "dot.h"
#include "window.h"
/*
 * Depthwise convolution, an output channel for each channel. The weights of four channels alternate.
 * The bias holds the input's zero point already.
 */
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
    int8_t padded_rows; /* whether windows lie partly outside */
    int8_t padded_columns;
    int8_t in_zero_point;
    int8_t zero_point;
    int8_t low;
    int8_t high;
    const NN_FLASH int8_t *weights;
    const NN_FLASH int32_t *bias;
    const NN_FLASH int32_t *multipliers;
    const NN_FLASH int8_t *shifts;
} nn_depthwise_t;

/* Adds up a window that lies in the image; x is where it begins. */
NN_INLINE void nn_depthwise_inside(const NN_FLASH nn_depthwise_t *p, const int8_t *x,
    const NN_FLASH int8_t *w, nn_size many, nn_four *sums)
{
    const nn_size step = p->dilation_columns * p->depth;
    for (nn_size row = 0; row < p->kernel_rows; row++) {
        const int8_t *from = x + row * p->dilation_rows * p->in_columns * p->depth;
        nn_size left = p->kernel_columns;
        for (; left >= 3; left -= 3) {
            nn_multiply_four(sums, from, w, many);
            NN_KEEP_ORDER();
            nn_multiply_four(sums, from + step, w + many, many);
            NN_KEEP_ORDER();
            nn_multiply_four(sums, from + 2 * step, w + 2 * many, many);
            from += 3 * step;
            w += 3 * many;
        }
        for (; left > 0; left--) {
            nn_multiply_four(sums, from, w, many);
            from += step;
            w += many;
        }
    }
}

/* Adds up a window of which a part lies outside, where all is zero; x is where the image begins. */
NN_INLINE void nn_depthwise_across(const NN_FLASH nn_depthwise_t *p, const int8_t *x,
    const NN_FLASH int8_t *w, nn_size top, nn_size left, nn_size many, nn_four *sums)
{
    const int8_t zero = p->in_zero_point;
    const int8_t zeros[4] = {zero, zero, zero, zero};
    for (nn_size row = 0; row < p->kernel_rows; row++) {
        const nn_size y = top + row * p->dilation_rows;
        for (nn_size column = 0; column < p->kernel_columns; column++) {
            const nn_size z = left + column * p->dilation_columns;
            const int inside = y >= 0 && y < p->in_rows && z >= 0 && z < p->in_columns;
            nn_multiply_four(
                sums, inside ? x + (y * p->in_columns + z) * p->depth : zeros, w, many);
            w += many;
        }
    }
}

/* The sums of 4 channels or 1, at one place of the output; x is where the image begins. */
NN_INLINE void nn_depthwise_sums(const NN_FLASH nn_depthwise_t *p, const int8_t *x,
    const NN_FLASH int8_t *w, nn_size top, nn_size left, int inside, nn_size channel, nn_size many,
    int32_t *sums)
{
    nn_four four = nn_load(p->bias + channel, many);
    if (inside) {
        const nn_size start = (top * p->in_columns + left) * p->depth;
        nn_depthwise_inside(p, x + start, w, many, &four);
    } else {
        nn_depthwise_across(p, x, w, top, left, many, &four);
    }
    nn_store(&four, sums, many);
}

/* All channels at one place of the output; returns the next place. */
NN_INLINE int8_t *nn_depthwise_place(const NN_FLASH nn_depthwise_t *p, const int8_t *x, int8_t *y,
    nn_size top, nn_size left, int inside)
{
    const NN_FLASH int8_t *w = p->weights;
    nn_size many;
    for (nn_size channel = 0; channel < p->depth; channel += many) {
        int32_t sums[4];
        many = p->depth - channel >= 4 ? 4 : 1;
        if (many == 4) {
            nn_depthwise_sums(p, x + channel, w, top, left, inside, channel, 4, sums);
        } else {
            nn_depthwise_sums(p, x + channel, w, top, left, inside, channel, 1, sums);
        }
        w += many * p->kernel_rows * p->kernel_columns;
        for (nn_size i = 0; i < many; i++) {
            const nn_size scale = (channel + i) * p->scales_step;
            const int32_t scaled = nn_scaled(sums[i], p->multipliers[scale], p->shifts[scale]);
            *y++ = nn_output(scaled, p->zero_point, p->low, p->high);
        }
    }
    return y;
}

NN_KERNEL void nn_depthwise(const NN_FLASH nn_depthwise_t *p, const int8_t *x, int8_t *y)
{
    for (nn_size row = 0; row < p->out_rows; row++) {
        const nn_size top = row * p->stride_rows - p->pad_rows;
        const int rows_inside =
            nn_whole(top, p->dilation_rows, p->kernel_rows, p->in_rows, p->padded_rows);
        for (nn_size column = 0; column < p->out_columns; column++) {
            const nn_size left = column * p->stride_columns - p->pad_columns;
            const int inside = rows_inside && nn_whole(left, p->dilation_columns,
                p->kernel_columns, p->in_columns, p->padded_columns);
            y = nn_depthwise_place(p, x, y, top, left, inside);
        }
    }
}
