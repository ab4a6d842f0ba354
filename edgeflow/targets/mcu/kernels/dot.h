#include "common.h"
/* Sums of four units at once, which share what they read. */
typedef struct {
    int32_t s0, s1, s2, s3;
} nn_four;

/* Adds the products of a value with the weights of `many` units, 4 or 1. A product has 16 bits. */
NN_INLINE void nn_step(nn_four *sums, int value, const NN_FLASH int8_t *w, nn_size many)
{
    sums->s0 += value * w[0];
    if (many == 4) {
        sums->s1 += value * w[1];
        sums->s2 += value * w[2];
        sums->s3 += value * w[3];
    }
}

/*
 * Adds the dot product of n values, each plus offset, with the weights of `many` units, 4 or 1,
 * which alternate.
 */
NN_INLINE void nn_dot(nn_four *sums, const int8_t *x, const NN_FLASH int8_t *w, nn_size n,
    int offset, nn_size many)
{
    const int8_t *end = x + n;
    for (const int8_t *fours = x + n / 4 * 4; x != fours; x += 4) {
        nn_step(sums, x[0] + offset, w, many);
        NN_KEEP_ORDER();
        nn_step(sums, x[1] + offset, w + many, many);
        NN_KEEP_ORDER();
        nn_step(sums, x[2] + offset, w + 2 * many, many);
        NN_KEEP_ORDER();
        nn_step(sums, x[3] + offset, w + 3 * many, many);
        w += 4 * many;
    }
    for (; x != end; x++) {
        nn_step(sums, *x + offset, w, many);
        w += many;
    }
}

/* Adds the products of `many` values, 4 or 1, with as many weights. */
NN_INLINE void nn_multiply_four(
    nn_four *sums, const int8_t *x, const NN_FLASH int8_t *w, nn_size many)
{
    sums->s0 += x[0] * w[0];
    if (many == 4) {
        sums->s1 += x[1] * w[1];
        sums->s2 += x[2] * w[2];
        sums->s3 += x[3] * w[3];
    }
}

NN_INLINE nn_four nn_load(const NN_FLASH int32_t *from, nn_size many)
{
    nn_four found = {from[0], 0, 0, 0};
    if (many == 4) {
        found.s1 = from[1];
        found.s2 = from[2];
        found.s3 = from[3];
    }
    return found;
}

NN_INLINE void nn_store(const nn_four *from, int32_t *to, nn_size many)
{
    to[0] = from->s0;
    if (many == 4) {
        to[1] = from->s1;
        to[2] = from->s2;
        to[3] = from->s3;
    }
}
