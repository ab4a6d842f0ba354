/* The same network for the host, many samples in one call. */
#include <stdint.h>
#include <string.h>

#include "tensors.h"

#define DECLARE(name, bytes) static int8_t name[bytes] __attribute__((aligned(8)));
EACH_INPUT(DECLARE)
EACH_OUTPUT(DECLARE)

#define TAKE(name, bytes) (void)memcpy(name, samples, bytes); samples += (bytes);
#define GIVE(name, bytes) (void)memcpy(answers, name, bytes); answers += (bytes);

/* Samples are the inputs of one after the other, answers the outputs. */
void native_run(const int8_t *samples, int8_t *answers, int64_t count)
{
    MODEL_INIT();
    for (int64_t i = 0; i < count; i++) {
        EACH_INPUT(TAKE)
        MODEL_INVOKE();
        EACH_OUTPUT(GIVE)
    }
}
