#include "common.h"
/* Sums of four units at once, which share what they read. */
typedef struct {
    int32_t s0, s1, s2, s3;
} nn_four;

/* The dot product of n values, each plus offset, and the weights of `many` units, 4 or 1, which
 * alternate. It is added to sums. A product has 16 bits: it fits an int.
 */
NN_INLINE void nn_dot(nn_four *sums, const int8_t *x, const NN_FLASH int8_t *w, nn_size n,
    int offset, nn_size many)
{
    for (const int8_t *end = x + n; x != end; x++) {
        const int value = *x + offset;
        sums->s0 += value * w[0];
        if (many == 4) {
            sums->s1 += value * w[1];
            sums->s2 += value * w[2];
            sums->s3 += value * w[3];
        }
        w += many;
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

/* Adds `many` products, 4 or 1, of values that follow one another, each plus offset. */
NN_INLINE void nn_multiply_four(
    nn_four *sums, const int8_t *x, const NN_FLASH int8_t *w, int offset, nn_size many)
{
    sums->s0 += (x[0] + offset) * w[0];
    if (many == 4) {
        sums->s1 += (x[1] + offset) * w[1];
        sums->s2 += (x[2] + offset) * w[2];
        sums->s3 += (x[3] + offset) * w[3];
    }
}
