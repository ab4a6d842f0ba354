#include "simd.h"
#include "half.h"
/*
 * Depthwise convolution, 3 x 3, channel by channel: a part of the image is put into a plane of
 * int16 with the zero point around it, of which a word has two neighbours. The weights of a row
 * are w0, w1, w1, w2: so SXTB16 gives (w0, w1), then (w1, w2). The bias holds the zero point.
 */
typedef struct {
    int32_t in_rows;
    int32_t in_columns;
    int32_t in_depth;
    int32_t out_rows;
    int32_t out_columns;
    int32_t channels;
    int32_t multiplier; /* channels of the output for one of the input */
    int32_t stride_rows;
    int32_t stride_columns; /* 1 or 2 */
    int32_t pad_rows;
    int32_t pad_columns;
    int32_t part_rows; /* of the output, for which the plane has room */
    int32_t part_columns;
    int32_t centre; /* of the scaling: twice the zero point, and 1 */
    int8_t in_zero_point;
    int8_t clamped; /* whether the activation's range is not all of int8 */
    int8_t low;
    int8_t high;
    const NN_FLASH int8_t *weights;
    const NN_FLASH int32_t *bias;
    const NN_FLASH int32_t *multipliers;
    const NN_FLASH int8_t *shifts;
} nn_depthwise_simd_t;

enum { NN_PLANE = 64 }; /* values of a row of the plane */

/* A part of the output: what is read for it, and how its sums are scaled. */
typedef struct {
    int32_t rows; /* of the output */
    int32_t columns;
    int32_t first_row; /* of the plane that lies in the image */
    int32_t first_column;
    int32_t inside_rows;
    int32_t inside_columns;
    int32_t bias;
    nn_scale scale;
    int32_t first0, first1, first2; /* weights of each row */
    int32_t second0, second1, second2;
} nn_part;

/* How many of `count` places from `start` on are before `size`, and not before 0. */
NN_INLINE int32_t nn_inside(int32_t start, int32_t count, int32_t size)
{
    const int32_t end = start + count < size ? start + count : size;
    start = start > 0 ? start : 0;
    return end > start ? end - start : 0;
}

/* Puts one channel of the image where it lies in the plane. */
NN_SHARED void nn_plane(
    const NN_FLASH nn_depthwise_simd_t *p, const nn_part *part, const int8_t *x, nn_half *to)
{
    const int32_t depth = p->in_depth, columns = part->inside_columns;
    to += part->first_row * NN_PLANE + part->first_column;
    for (int32_t row = part->inside_rows; row > 0; row--) {
        nn_half *at = to;
        const int8_t *from = x;
        int32_t left = columns;
        for (; left >= 4; left -= 4) {
            at[0] = from[0];
            at[1] = from[depth];
            at[2] = from[2 * depth];
            at[3] = from[3 * depth];
            at += 4;
            from += 4 * depth;
        }
        for (; left > 0; left--) {
            *at++ = *from;
            from += depth;
        }
        to += NN_PLANE;
        x += p->in_columns * depth;
    }
}

#define NN_NEIGHBOURS(at, first, second)            \
    do {                                            \
        const int32_t near = nn_load_word(at);      \
        const int32_t far = nn_load_word((at) + 2); \
        s0 = nn_smlad(near, first, s0);             \
        s1 = nn_smlatb(near, first, s1);            \
        s0 = nn_smlabt(far, second, s0);            \
        s1 = nn_smlad(far, second, s1);             \
        NN_IN_ORDER;                                \
    } while (0)

#define NN_THREE(at, first, second)                           \
    do {                                                      \
        sum = nn_smlad(nn_load_word(at), first, sum);         \
        sum = nn_smlabt(nn_load_word((at) + 2), second, sum); \
        NN_IN_ORDER;                                          \
    } while (0)

NN_INLINE int8_t nn_single(const nn_part *part, const nn_half *x)
{
    int32_t sum = part->bias;
    NN_THREE(x, part->first0, part->second0);
    NN_THREE(x + NN_PLANE, part->first1, part->second1);
    NN_THREE(x + 2 * NN_PLANE, part->first2, part->second2);
    return (int8_t)nn_rescale(sum, part->scale);
}

/* Rows of one channel, whose outputs lie `channels` apart, two neighbours at once. */
NN_SHARED void nn_pairs(const NN_FLASH nn_depthwise_simd_t *p, const nn_part *from,
    const nn_half *x, int8_t *y)
{
    const nn_part part = *from;
    const int32_t channels = p->channels, skip = p->out_columns - part.columns;
    for (int32_t row = part.rows; row > 0; row--) {
        const nn_half *at = x;
        const nn_half *end = x + (part.columns & ~1);
        for (; at != end; at += 2) {
            int32_t s0 = part.bias, s1 = part.bias;
            NN_NEIGHBOURS(at, part.first0, part.second0);
            NN_NEIGHBOURS(at + NN_PLANE, part.first1, part.second1);
            NN_NEIGHBOURS(at + 2 * NN_PLANE, part.first2, part.second2);
            s0 = nn_rescale(s0, part.scale);
            s1 = nn_rescale(s1, part.scale);
            y[0] = (int8_t)s0;
            y[channels] = (int8_t)s1;
            y += 2 * channels;
        }
        if (part.columns & 1) {
            *y = nn_single(&part, at);
            y += channels;
        }
        x += p->stride_rows * NN_PLANE;
        y += skip * channels;
    }
}

/* Likewise one by one, two columns further each. */
NN_SHARED void nn_seconds(const NN_FLASH nn_depthwise_simd_t *p, const nn_part *from,
    const nn_half *x, int8_t *y)
{
    const nn_part part = *from;
    const int32_t channels = p->channels, skip = p->out_columns - part.columns;
    for (int32_t row = part.rows; row > 0; row--) {
        const nn_half *at = x;
        for (const nn_half *end = x + 2 * part.columns; at != end; at += 2) {
            *y = nn_single(&part, at);
            y += channels;
        }
        x += p->stride_rows * NN_PLANE;
        y += skip * channels;
    }
}

/* Says which part begins at `row` and `column` of the output; returns what it reads first of x. */
NN_INLINE const int8_t *nn_place(const NN_FLASH nn_depthwise_simd_t *p, nn_part *part,
    const int8_t *x, int32_t row, int32_t column)
{
    const int32_t rows = p->out_rows - row, columns = p->out_columns - column;
    part->rows = rows < p->part_rows ? rows : p->part_rows;
    part->columns = columns < p->part_columns ? columns : p->part_columns;
    row = row * p->stride_rows - p->pad_rows;
    column = column * p->stride_columns - p->pad_columns;
    part->first_row = row < 0 ? -row : 0;
    part->first_column = column < 0 ? -column : 0;
    part->inside_rows = nn_inside(row, (part->rows - 1) * p->stride_rows + 3, p->in_rows);
    part->inside_columns =
        nn_inside(column, (part->columns - 1) * p->stride_columns + 3, p->in_columns);
    row += part->first_row;
    column += part->first_column;
    return x + (row * p->in_columns + column) * p->in_depth;
}

/* One channel of a part. */
NN_INLINE void nn_channel(const NN_FLASH nn_depthwise_simd_t *p, nn_part *part, int32_t channel,
    const int8_t *x, nn_half *plane, int8_t *y)
{
    const NN_FLASH int8_t *w = p->weights + 12 * channel;
    part->bias = p->bias[channel];
    part->scale = nn_scale_of(p->multipliers[channel], p->shifts[channel], p->centre);
    part->first0 = nn_sxtb16(nn_load_word(w));
    part->second0 = nn_sxtb16_ror8(nn_load_word(w));
    part->first1 = nn_sxtb16(nn_load_word(w + 4));
    part->second1 = nn_sxtb16_ror8(nn_load_word(w + 4));
    part->first2 = nn_sxtb16(nn_load_word(w + 8));
    part->second2 = nn_sxtb16_ror8(nn_load_word(w + 8));
    nn_plane(p, part, x + channel / p->multiplier, plane);
    if (p->stride_columns == 1) {
        nn_pairs(p, part, plane, y + channel);
    } else {
        nn_seconds(p, part, plane, y + channel);
    }
}

/* One for all layers: all that takes time in it is shared already. */
NN_SHARED void nn_depthwise_parts(
    const NN_FLASH nn_depthwise_simd_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    nn_half *plane = (nn_half *)(void *)scratch;
    const int32_t values = ((p->part_rows - 1) * p->stride_rows + 3) * NN_PLANE;
    for (int32_t row = 0; row < p->out_rows; row += p->part_rows) {
        for (int32_t column = 0; column < p->out_columns; column += p->part_columns) {
            nn_part part;
            const int8_t *from = nn_place(p, &part, x, row, column);
            int8_t *to = y + (row * p->out_columns + column) * p->channels;
            for (int32_t i = 0; i < values; i++) {
                plane[i] = p->in_zero_point;
            }
            for (int32_t channel = 0; channel < p->channels; channel++) {
                nn_channel(p, &part, channel, from, plane, to);
            }
        }
    }
    if (p->clamped) {
        nn_clamp_all(y, p->out_rows * p->out_columns * p->channels, p->low, p->high);
    }
}

NN_KERNEL void nn_depthwise_simd(
    const NN_FLASH nn_depthwise_simd_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    nn_depthwise_parts(p, x, y, scratch);
}
