/* Vector table and start of a Cortex-M. */
#include <string.h>

#include "firmware.h"

extern uint8_t data_start[], data_end[], data_load[], bss_start[], bss_end[];
int main(void);

static void fault(void)
{
    io_fail("the processor stopped at a fault");
}

void start(void)
{
    memcpy(data_start, data_load, (uint32_t)(data_end - data_start));
    memset(bss_start, 0, (uint32_t)(bss_end - bss_start));
    main();
}

typedef void (*handler_t)(void);

/* Stack pointer, reset, and the exceptions that mean a fault: NMI to usage fault. */
__attribute__((section(".vectors"), used)) static const struct {
    void *stack;
    handler_t handlers[6];
} vectors = {stack_top, {start, fault, fault, fault, fault, fault}};
