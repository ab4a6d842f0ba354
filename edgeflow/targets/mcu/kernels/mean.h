#include "common.h"
/*
 * Means over up to two axes, or groups of adjacent axes, that alternate with those that are kept.
 * Each has a size and the step from one value to the next.
 */
typedef struct {
    nn_size outer;
    nn_size outer_step;
    nn_size inner;
    nn_size inner_step;
    nn_size rows;
    nn_size rows_step;
    nn_size columns;
    nn_size columns_step;
    int32_t start; /* of the sums: the input's zero point in each value, negated */
    int32_t multiplier;
    int8_t shift;
    int8_t zero_point;
} nn_mean_t;

NN_INLINE int8_t nn_mean_one(const NN_FLASH nn_mean_t *p, const int8_t *x)
{
    int32_t sum = p->start;
    for (nn_size row = 0; row < p->rows; row++) {
        for (nn_size column = 0; column < p->columns; column++) {
            sum += x[row * p->rows_step + column * p->columns_step];
        }
    }
    return nn_output(nn_requantize(sum, p->multiplier, p->shift), p->zero_point, -128, 127);
}

NN_KERNEL void nn_mean(const NN_FLASH nn_mean_t *p, const int8_t *x, int8_t *y)
{
    for (nn_size outer = 0; outer < p->outer; outer++) {
        for (nn_size inner = 0; inner < p->inner; inner++) {
            *y++ = nn_mean_one(p, x + outer * p->outer_step + inner * p->inner_step);
        }
    }
}
