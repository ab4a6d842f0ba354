#include "pairs.h"
/* The larger of two values, or the smaller. */
typedef struct {
    nn_pairs_t pairs;
    int8_t sign; /* 1: the larger, -1: the smaller */
} nn_extreme_t;

NN_KERNEL void nn_extreme(
    const NN_FLASH nn_extreme_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    NN_EACH_PAIR (&p->pairs, u, v) {
        *y++ = a[u] * p->sign > b[v] * p->sign ? a[u] : b[v];
    }
}
