#include "cmsis_windows.h"
/* Convolution of single pixels. */
typedef nn_cmsis_conv_t nn_cmsis_pointwise_t;

NN_KERNEL void nn_cmsis_pointwise(const nn_cmsis_conv_t *p, const int8_t *x, int8_t *y)
{
    NN_CMSIS_CONV(arm_convolve_1x1_s8_fast, p, NULL, x, y);
}
