#include "common.h"
/* Fully connected layer; the bias holds the input's zero point already. */
typedef struct {
    int32_t batches;
    int32_t inputs;
    int32_t units;
    int32_t multiplier;
    int8_t shift;
    int8_t zero_point;
    int8_t low;
    int8_t high;
    const NN_FLASH int8_t *weights;
    const NN_FLASH int32_t *bias;
} nn_dense_t;

NN_KERNEL void nn_dense(const NN_FLASH nn_dense_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t batch = 0; batch < p->batches; batch++) {
        const NN_FLASH int8_t *w = p->weights;
        for (int32_t unit = 0; unit < p->units; unit++) {
            int32_t sum = p->bias[unit];
            for (int32_t i = 0; i < p->inputs; i++) {
                sum += (int32_t)w[i] * x[i];
            }
            sum = nn_requantize(sum, p->multiplier, p->shift) + p->zero_point;
            *y++ = nn_clamp(sum, p->low, p->high);
            w += p->inputs;
        }
        x += p->inputs;
    }
}
