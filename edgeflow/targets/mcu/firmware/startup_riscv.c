/* Start of a 32-bit RISC-V core in machine mode. */
#include <string.h>

#include "firmware.h"

extern uint8_t data_start[], data_end[], data_load[], bss_start[], bss_end[];
int main(void);

__attribute__((aligned(4), used)) void trap(void)
{
    io_fail("the processor stopped at a trap");
}

__attribute__((used)) void start_c(void)
{
    memcpy(data_start, data_load, (uint32_t)(data_end - data_start));
    memset(bss_start, 0, (uint32_t)(bss_end - bss_start));
    main();
}

__attribute__((naked, section(".vectors"), used)) void start(void)
{
    __asm__ volatile(".option push\n.option norelax\nla gp, __global_pointer$\n.option pop\n"
                     "la sp, stack_top\nla t0, trap\ncsrw mtvec, t0\nj start_c");
}
