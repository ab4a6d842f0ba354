#include "window.h"
/* Windows that give a value of each channel. */
typedef struct {
    nn_size in_rows;
    nn_size in_columns;
    nn_size depth;
    nn_size out_rows;
    nn_size out_columns;
    nn_size kernel_rows;
    nn_size kernel_columns;
    nn_size stride_rows;
    nn_size stride_columns;
    nn_size pad_rows;
    nn_size pad_columns;
    int8_t padded_rows; /* whether windows lie partly outside */
    int8_t padded_columns;
    int8_t low;
    int8_t high;
} nn_pool_t;
