#include "cmsis_windows.h"
/* Convolution. The scratch memory holds two columns of int16. */
NN_KERNEL void nn_cmsis_conv(const nn_cmsis_conv_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    NN_CMSIS_CONV(arm_convolve_s8, p, scratch, x, y);
}
