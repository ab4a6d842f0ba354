/* The functions of CUDA's runtime library that the engine calls; the GPU is the host's memory. */
#include <stdlib.h>
#include <string.h>

/* Not through cudaMalloc, of which TensorFlow has a stand-in of its own in the same process. */
static int take(void **address, size_t size) {
    if (size > (size_t)1 << 30) return 2;
    *address = malloc(size);
    return *address ? 0 : 2;
}
int cudaMalloc(void **address, size_t size) { return take(address, size); }
int cudaMemcpy(void *to, const void *from, size_t size, int kind) {
    if (kind != 1 && kind != 2) return 21;
    memcpy(to, from, size);
    return 0;
}
int cudaStreamCreate(void **stream) { return take(stream, 1); }
int cudaStreamSynchronize(void *stream) { return stream ? 0 : 400; }
const char *cudaGetErrorString(int code) { return code == 2 ? "out of memory" : "invalid"; }
