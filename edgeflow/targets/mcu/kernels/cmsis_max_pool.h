#include "common.h"
#include "cmsis.h"
/* Largest values of windows. */
typedef struct {
    cmsis_nn_pool_params params;
    cmsis_nn_dims in;
    cmsis_nn_dims filter;
    cmsis_nn_dims out;
} nn_cmsis_max_pool_t;

NN_KERNEL void nn_cmsis_max_pool(const nn_cmsis_max_pool_t *p, const int8_t *x, int8_t *y)
{
    const cmsis_nn_context context = {NULL, 0};
    (void)arm_max_pool_s8(&context, &p->params, &p->in, x, &p->filter, &p->out, y);
}
