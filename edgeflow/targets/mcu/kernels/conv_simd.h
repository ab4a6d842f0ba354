#include "simd.h"
/*
 * Convolution by four pixels and two channels at once. The pixels are put into columns of int16
 * first: for each pair of taps four words, one for each pixel. A column holds what lies under the
 * window, its rows one after the other, of each four values the first and third, then the second
 * and fourth: so SXTB16 gives them, and so the weights lie too, of two channels in turns. Outside
 * of the image lies the zero point; the bias holds it already.
 */
typedef struct {
    int32_t in_rows;
    int32_t in_columns;
    int32_t in_depth;
    int32_t out_rows;
    int32_t out_columns;
    int32_t channels;
    int32_t kernel_rows;
    int32_t kernel_columns;
    int32_t stride_rows;
    int32_t stride_columns;
    int32_t dilation_rows;
    int32_t dilation_columns;
    int32_t pad_rows;
    int32_t pad_columns;
    int32_t taps; /* of a column, a multiple of 8, the last ones with weights of zero */
    int32_t run; /* bytes of a row of the window */
    int32_t centre; /* of the scaling: twice the zero point, and 1 */
    int8_t in_zero_point;
    int8_t clamped; /* whether the activation's range is not all of int8 */
    int8_t low;
    int8_t high;
    const NN_FLASH int8_t *weights;
    const NN_FLASH int32_t *bias;
    const NN_FLASH int32_t *multipliers;
    const NN_FLASH int8_t *shifts;
} nn_conv_simd_t;

enum { NN_PIXELS = 4 };

/* Copies a row of the window, of which parts may lie outside of the image. */
NN_INLINE void nn_gather(
    const NN_FLASH nn_conv_simd_t *p, const int8_t *x, int32_t row, int32_t column, int8_t *to)
{
    const int inside = row >= 0 && row < p->in_rows;
    x += inside ? row * p->in_columns * p->in_depth : 0;
    if (inside && p->dilation_columns == 1 && column >= 0
        && column + p->kernel_columns <= p->in_columns) {
        memcpy(to, x + column * p->in_depth, (size_t)p->run);
        return;
    }
    for (int32_t tap = 0; tap < p->kernel_columns; tap++) {
        if (inside && column >= 0 && column < p->in_columns) {
            memcpy(to, x + column * p->in_depth, (size_t)p->in_depth);
        } else {
            memset(to, p->in_zero_point, (size_t)p->in_depth);
        }
        to += p->in_depth;
        column += p->dilation_columns;
    }
}

/* Writes n bytes, rounded up to whole words, into a column; returns its end. */
NN_SHARED int16_t *nn_expand(const int8_t *from, int16_t *column, int32_t n)
{
    const int8_t *end = from + n;
    do {
        const int32_t word = nn_load_word(from);
        nn_store_word(column, nn_sxtb16(word));
        nn_store_word(column + 2 * NN_PIXELS, nn_sxtb16_ror8(word));
        column += 4 * NN_PIXELS;
        from += 4;
    } while (from < end);
    return column;
}

NN_INLINE void nn_column(const NN_FLASH nn_conv_simd_t *p, const int8_t *x, int32_t row,
    int32_t column, int8_t *bytes, int16_t *to)
{
    if (p->run % 4 != 0) {
        for (int32_t tap = 0; tap < p->kernel_rows; tap++) {
            nn_gather(p, x, row + tap * p->dilation_rows, column, bytes + tap * p->run);
        }
        (void)nn_expand(bytes, to, p->kernel_rows * p->run);
        return;
    }
    const int whole = p->dilation_columns == 1 && column >= 0
        && column + p->kernel_columns <= p->in_columns;
    for (int32_t tap = 0; tap < p->kernel_rows; tap++) {
        const int8_t *from = bytes;
        if (whole && row >= 0 && row < p->in_rows) {
            from = x + (row * p->in_columns + column) * p->in_depth;
        } else {
            nn_gather(p, x, row, column, bytes);
        }
        to = nn_expand(from, to, p->run);
        row += p->dilation_rows;
    }
}

/* The sums of one channel, and where each of its four pixels is written. */
typedef struct {
    int32_t s0, s1, s2, s3;
} nn_pixels;

/*
 * Writes one channel of four pixels, the last first: where there are fewer, their places are those
 * of the last one that there is, which is written over the others.
 */
NN_INLINE void nn_put_pixels(const NN_FLASH nn_conv_simd_t *p, nn_pixels x, int32_t channel,
    nn_pixels places, int8_t *y)
{
    const nn_scale scale = nn_scale_of(p->multipliers[channel], p->shifts[channel], p->centre);
    y[places.s3] = (int8_t)nn_rescale(x.s3, scale);
    y[places.s2] = (int8_t)nn_rescale(x.s2, scale);
    y[places.s1] = (int8_t)nn_rescale(x.s1, scale);
    y[places.s0] = (int8_t)nn_rescale(x.s0, scale);
}

/* One pair of taps of one pixel, for two channels. */
#define NN_PAIR(a, b, from)                      \
    do {                                         \
        const int32_t pair = nn_load_word(from); \
        (a) = nn_smlad(w0, pair, a);             \
        (b) = nn_smlad(w1, pair, b);             \
        NN_IN_ORDER;                             \
    } while (0)

#define NN_PAIRS(weights, from)                     \
    do {                                            \
        const int32_t word = nn_load_word(weights); \
        const int32_t w0 = nn_sxtb16(word);         \
        const int32_t w1 = nn_sxtb16_ror8(word);    \
        NN_PAIR(a.s0, b.s0, from);                  \
        NN_PAIR(a.s1, b.s1, (from) + 2);            \
        NN_PAIR(a.s2, b.s2, (from) + 4);            \
        NN_PAIR(a.s3, b.s3, (from) + 6);            \
    } while (0)

/* All channels of up to four pixels. The last channel may be one too many. */
NN_SHARED void nn_channels(
    const NN_FLASH nn_conv_simd_t *p, const int16_t *columns, int32_t pixels, int8_t *y)
{
    const NN_FLASH int8_t *w = p->weights;
    const int16_t *end = columns + p->taps * NN_PIXELS;
    const int32_t last = (pixels - 1) * p->channels;
    const nn_pixels places = {0, pixels > 1 ? p->channels : 0,
        pixels > 2 ? 2 * p->channels : last, last};
    for (int32_t channel = 0; channel < p->channels; channel += 2) {
        const int32_t b0 = p->bias[channel], b1 = p->bias[channel + 1];
        nn_pixels a = {b0, b0, b0, b0}, b = {b1, b1, b1, b1};
        const int16_t *x = columns;
        do {
            NN_PAIRS(w, x);
            NN_PAIRS(w + 4, x + 2 * NN_PIXELS);
            NN_PAIRS(w + 8, x + 4 * NN_PIXELS);
            NN_PAIRS(w + 12, x + 6 * NN_PIXELS);
            w += 16;
            x += 8 * NN_PIXELS;
        } while (x != end);
        NN_ONE_POINTER(y);
        nn_put_pixels(p, a, channel, places, y);
        y++;
        if (channel + 1 < p->channels) {
            nn_put_pixels(p, b, channel + 1, places, y);
            y++;
        }
    }
    if (p->clamped) {
        nn_clamp_all(y - p->channels, pixels * p->channels, p->low, p->high);
    }
}

NN_KERNEL void nn_conv_simd(
    const NN_FLASH nn_conv_simd_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    int16_t *columns = (int16_t *)(void *)scratch;
    int8_t *bytes = scratch + 2 * p->taps * NN_PIXELS;
    int32_t row = -p->pad_rows, column = -p->pad_columns;
    const int32_t last = p->out_columns * p->stride_columns - p->pad_columns;
    memset(scratch, 0, (size_t)(2 * p->taps * NN_PIXELS + p->taps));
    for (int32_t left = p->out_rows * p->out_columns; left > 0; left -= NN_PIXELS) {
        const int32_t pixels = left < NN_PIXELS ? left : NN_PIXELS;
        for (int32_t i = 0; i < pixels; i++) {
            nn_column(p, x, row, column, bytes, columns + 2 * i);
            column += p->stride_columns;
            if (column == last) {
                column = -p->pad_columns;
                row += p->stride_rows;
            }
        }
        nn_channels(p, columns, pixels, y);
        y += pixels * p->channels;
    }
}
