#include "common.h"
#include "cmsis.h"
/* What convolutions have in common. */
typedef struct {
    cmsis_nn_conv_params params;
    cmsis_nn_dims in;
    cmsis_nn_dims filter;
    cmsis_nn_dims units;
    cmsis_nn_dims out;
    int32_t scratch_bytes;
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multipliers;
    const int32_t *shifts;
} nn_cmsis_conv_t;

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

#define NN_CMSIS_CONV(function, p, buffer, x, y)                                                 \
    do {                                                                                         \
        const cmsis_nn_context context = {buffer, (p)->scratch_bytes};                           \
        const cmsis_nn_per_channel_quant_params scales = {                                       \
            (int32_t *)(uintptr_t)(p)->multipliers, (int32_t *)(uintptr_t)(p)->shifts};          \
        (void)function(&context, &(p)->params, &scales, &(p)->in, x, &(p)->filter, (p)->weights, \
            &(p)->units, (p)->bias, &(p)->out, y);                                               \
    } while (0)
