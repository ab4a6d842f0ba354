#include "dense_rows.h"
/* Fully connected layer as LiteRT's reference kernels compute it: they round a scaled sum once. */
typedef nn_dense_rows_t nn_dense_once_t;

NN_KERNEL void nn_dense_once(const NN_FLASH nn_dense_once_t *p, const int8_t *x, int8_t *y)
{
    nn_dense_rows(p, x, y, 1);
}
