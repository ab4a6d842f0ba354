#include "common.h"
/* Any function of single values: table[(uint8_t)x] holds what becomes of x. */
typedef struct {
    nn_size size;
    const NN_FLASH int8_t *table;
} nn_table_t;

NN_KERNEL void nn_table(const NN_FLASH nn_table_t *p, const int8_t *x, int8_t *y)
{
    for (nn_size i = 0; i < p->size; i++) {
        y[i] = p->table[(uint8_t)x[i]];
    }
}
