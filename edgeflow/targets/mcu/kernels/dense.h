#include "dense_rows.h"
/* Fully connected layer as TensorFlow Lite Micro computes it. */
typedef nn_dense_rows_t nn_dense_t;

NN_KERNEL void nn_dense(const NN_FLASH nn_dense_t *p, const int8_t *x, int8_t *y)
{
    nn_dense_rows(p, x, y, 0);
}
