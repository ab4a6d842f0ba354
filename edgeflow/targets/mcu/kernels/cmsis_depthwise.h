#include "cmsis_conv.h"
/* Depthwise convolution of any form. */
typedef struct {
    cmsis_nn_dw_conv_params params;
    cmsis_nn_dims in;
    cmsis_nn_dims filter;
    cmsis_nn_dims units;
    cmsis_nn_dims out;
    int32_t scratch_bytes;
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multipliers;
    const int32_t *shifts;
} nn_cmsis_depthwise_t;

NN_KERNEL void nn_cmsis_depthwise(const nn_cmsis_depthwise_t *p, const int8_t *x, int8_t *y)
{
    NN_CMSIS_CONV(arm_depthwise_conv_s8, p, NULL, x, y);
}
