#include "common.h"
/*
 * Two tensors that broadcast: sizes of the output's dimensions, the outermost first, and strides of
 * both, of which 0 repeats a tensor.
 */
typedef struct {
    nn_size size0, size1, size2, size3;
    nn_size a0, a1, a2, a3;
    nn_size b0, b1, b2, b3;
} nn_pairs_t;

/* Runs what follows for each value of the output, with the places u and v of what it is made of. */
#define NN_EACH_PAIR(pairs, u, v)                                                    \
    for (nn_size i0 = 0; i0 < (pairs)->size0; i0++)                                  \
        for (nn_size i1 = 0; i1 < (pairs)->size1; i1++)                              \
            for (nn_size i2 = 0; i2 < (pairs)->size2; i2++)                          \
                for (nn_size i3 = 0,                                                 \
                             u = i0 * (pairs)->a0 + i1 * (pairs)->a1 + i2 * (pairs)->a2, \
                             v = i0 * (pairs)->b0 + i1 * (pairs)->b1 + i2 * (pairs)->b2; \
                     i3 < (pairs)->size3; i3++, u += (pairs)->a3, v += (pairs)->b3)
