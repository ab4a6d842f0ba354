#include "cmsis_windows.h"
/* Depthwise convolution, one output for each channel. The scratch memory holds a window of int16. */
typedef nn_cmsis_depthwise_t nn_cmsis_depthwise_columns_t;

NN_KERNEL void nn_cmsis_depthwise_columns(
    const nn_cmsis_depthwise_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    NN_CMSIS_CONV(arm_depthwise_conv_s8_opt, p, scratch, x, y);
}
