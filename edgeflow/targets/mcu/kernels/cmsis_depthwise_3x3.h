#include "cmsis_windows.h"
/* Depthwise convolution, 3 x 3. */
typedef nn_cmsis_depthwise_t nn_cmsis_depthwise_3x3_t;

NN_KERNEL void nn_cmsis_depthwise_3x3(const nn_cmsis_depthwise_t *p, const int8_t *x, int8_t *y)
{
    NN_CMSIS_CONV(arm_depthwise_conv_3x3_s8, p, NULL, x, y);
}
