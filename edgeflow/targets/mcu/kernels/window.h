#include "common.h"
/* The part of a window that lies in the image, along one side. */
typedef struct {
    nn_size first; /* tap */
    nn_size count; /* of taps */
    nn_size start; /* where the first of them lies */
} nn_window;

/* Without `padded`, all of the window lies in the image. */
NN_INLINE nn_window nn_clip(
    nn_size start, nn_size dilation, nn_size taps, nn_size size, int8_t padded)
{
    nn_window found = {0, taps, start};
    if (padded) {
        while (found.start < 0) {
            found.start += dilation;
            found.first++;
            found.count--;
        }
        while (found.count > 0 && found.start + (found.count - 1) * dilation >= size) {
            found.count--;
        }
        if (found.count <= 0) {
            found.first = found.count = found.start = 0;
        }
    }
    return found;
}

/* Whether a window lies in the image, along one side where some may not. */
NN_INLINE int nn_whole(
    nn_size start, nn_size dilation, nn_size taps, nn_size size, int8_t padded)
{
    return !padded || (start >= 0 && start + (taps - 1) * dilation < size);
}
