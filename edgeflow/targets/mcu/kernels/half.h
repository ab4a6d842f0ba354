#include "common.h"
/* 16-bit values in working memory, which is declared as bytes. */
#if defined(__GNUC__)
typedef int16_t __attribute__((may_alias)) nn_half;
#else
typedef int16_t nn_half;
#endif
