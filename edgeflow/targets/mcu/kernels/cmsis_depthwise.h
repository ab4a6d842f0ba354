#include "cmsis_windows.h"
/* Depthwise convolution of any form. */
NN_KERNEL void nn_cmsis_depthwise(const nn_cmsis_depthwise_t *p, const int8_t *x, int8_t *y)
{
    NN_CMSIS_CONV(arm_depthwise_conv_s8, p, NULL, x, y);
}
