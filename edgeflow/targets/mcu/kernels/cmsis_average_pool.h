#include "common.h"
#include "cmsis.h"
/* Averages of windows. The scratch memory holds a sum for each channel. */
typedef struct {
    cmsis_nn_pool_params params;
    cmsis_nn_dims in;
    cmsis_nn_dims filter;
    cmsis_nn_dims out;
    int32_t scratch_bytes;
} nn_cmsis_average_pool_t;

NN_KERNEL void nn_cmsis_average_pool(
    const nn_cmsis_average_pool_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const cmsis_nn_context context = {scratch, p->scratch_bytes};
    (void)arm_avgpool_s8(&context, &p->params, &p->in, x, &p->filter, &p->out, y);
}
