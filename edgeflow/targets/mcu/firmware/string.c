/* Copies words where both ends are aligned. Built such that no loop becomes a call of itself. */
#include "string.h"

#include <stdint.h>

typedef uint32_t __attribute__((may_alias)) word_t;

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((((uintptr_t)out | (uintptr_t)in) & 3u) == 0u) {
        for (; count >= 4u; count -= 4u) {
            *(word_t *)out = *(const word_t *)in;
            out += 4;
            in += 4;
        }
    }
    for (; count > 0u; count--) {
        *out++ = *in++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((uintptr_t)out <= (uintptr_t)in) {
        for (size_t i = 0; i < count; i++) {
            out[i] = in[i];
        }
    } else {
        for (size_t i = count; i > 0u; i--) {
            out[i - 1u] = in[i - 1u];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *out = to;
    const uint32_t word = (uint8_t)value * 0x01010101u;
    for (; count > 0u && ((uintptr_t)out & 3u) != 0u; count--) {
        *out++ = (uint8_t)value;
    }
    for (; count >= 4u; count -= 4u) {
        *(word_t *)out = word;
        out += 4;
    }
    for (; count > 0u; count--) {
        *out++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *one, const void *other, size_t count)
{
    const uint8_t *a = one;
    const uint8_t *b = other;
    for (; count > 0u; count--, a++, b++) {
        if (*a != *b) {
            return *a < *b ? -1 : 1;
        }
    }
    return 0;
}
