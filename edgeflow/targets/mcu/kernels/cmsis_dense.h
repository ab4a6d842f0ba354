#include "common.h"
#include "cmsis.h"
/* Fully connected layer. */
typedef struct {
    cmsis_nn_fc_params params;
    cmsis_nn_per_tensor_quant_params scale;
    cmsis_nn_dims in;
    cmsis_nn_dims filter;
    cmsis_nn_dims units;
    cmsis_nn_dims out;
    const int8_t *weights;
    const int32_t *bias;
} nn_cmsis_dense_t;

NN_KERNEL void nn_cmsis_dense(const nn_cmsis_dense_t *p, const int8_t *x, int8_t *y)
{
    const cmsis_nn_context context = {NULL, 0};
    (void)arm_fully_connected_s8(&context, &p->params, &p->scale, &p->in, x, &p->filter,
        p->weights, &p->units, p->bias, &p->out, y);
}
