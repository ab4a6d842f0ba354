/* Runs the network on each sample that comes in. */
#include "firmware.h"
#include "tensors.h"

/* The stack is painted, so that the deepest byte that was ever written can be told. */
#define PAINT 0xC5u
#define PAINTED_MAX_BYTES 65536ul

#if defined(__AVR__)
#include <avr/io.h>
#define STACK_POINTER(sp) ((sp) = (volatile uint8_t *)SP)
#elif defined(__riscv)
#define STACK_POINTER(sp) __asm__ volatile("mv %0, sp" : "=r"(sp))
#else
#define STACK_POINTER(sp) __asm__ volatile("mov %0, sp" : "=r"(sp))
#endif

#define DECLARE(name, bytes) static int8_t name[bytes] __attribute__((aligned(8)));
EACH_INPUT(DECLARE)
EACH_OUTPUT(DECLARE)

static volatile uint8_t *painted;

static __attribute__((noinline)) void paint_stack(void)
{
    volatile uint8_t *end; /* below it lies nothing: there are no interrupts */
    STACK_POINTER(end);
    painted = stack_limit;
    const uint32_t size = (uint32_t)((uintptr_t)end - (uintptr_t)painted);
    if (size > PAINTED_MAX_BYTES) {
        painted = end - PAINTED_MAX_BYTES;
    }
    for (volatile uint8_t *byte = painted; byte < end; byte++) {
        *byte = PAINT;
    }
}

static __attribute__((noinline)) uint32_t used_stack_bytes(void)
{
    const volatile uint8_t *byte = painted;
    while (byte < stack_top && *byte == PAINT) {
        byte++;
    }
    return (uint32_t)(stack_top - byte);
}

#define RECEIVE(name, bytes) io_receive(name, bytes);
#define SEND(name, bytes) io_send(name, bytes);

int main(void)
{
    paint_stack();
    MODEL_INIT();
    io_begin();
    for (;;) {
        EACH_INPUT(RECEIVE)
        if (io_received()) {
            MODEL_INVOKE();
            EACH_OUTPUT(SEND)
            io_sent(used_stack_bytes());
        }
    }
}
