/*
 * Samples from the file in.bin of the host, answers to its file out.bin, by the semihosting calls of
 * Arm and RISC-V ("Semihosting for AArch32 and AArch64"; "RISC-V Semihosting"). An answer is the
 * outputs and the stack that was used so far, 4 bytes.
 */
#include "firmware.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT = 0x18
};
enum { MODE_READ_BINARY = 1, MODE_WRITE_BINARY = 5 };
enum { STOPPED_RUN_TIME_ERROR = 0x20023, STOPPED_APPLICATION_EXIT = 0x20026 };

static int32_t input;
static int32_t output;

static int32_t call(uint32_t number, uint32_t argument)
{
#if defined(__riscv)
    register uint32_t a0 __asm__("a0") = number;
    register uint32_t a1 __asm__("a1") = argument;
    /* All three in one page, and none of them compressed. */
    __asm__ volatile(".balign 16\n.option push\n.option norvc\n"
                     "slli zero, zero, 0x1f\nebreak\nsrai zero, zero, 7\n.option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return (int32_t)a0;
#else
    register uint32_t r0 __asm__("r0") = number;
    register uint32_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
#endif
}

/* Stops; a debugger that does not know the call for it waits for the end of transmission. */
static void leave(uint32_t reason)
{
    call(SYS_WRITE0, (uint32_t)(uintptr_t)"\x04");
    for (;;) {
        call(SYS_EXIT, reason);
    }
}

static int32_t open_file(const char *name, uint32_t length, uint32_t mode)
{
    const uint32_t block[3] = {(uint32_t)(uintptr_t)name, mode, length};
    const int32_t handle = call(SYS_OPEN, (uint32_t)(uintptr_t)block);
    if (handle == -1) {
        io_fail("no file for samples or answers");
    }
    return handle;
}

/* Moves bytes, and returns how many were not. */
static uint32_t move(uint32_t number, int32_t handle, const void *bytes, uint32_t count)
{
    const uint32_t block[3] = {(uint32_t)handle, (uint32_t)(uintptr_t)bytes, count};
    return (uint32_t)call(number, (uint32_t)(uintptr_t)block);
}

void io_begin(void)
{
    input = open_file("in.bin", 6, MODE_READ_BINARY);
    output = open_file("out.bin", 7, MODE_WRITE_BINARY);
}

void io_receive(int8_t *bytes, uint32_t count)
{
    const uint32_t missing = move(SYS_READ, input, bytes, count);
    if (missing == 0) {
        return;
    }
    if (missing != count) {
        io_fail("a sample is cut off");
    }
    const uint32_t block = (uint32_t)output;
    call(SYS_CLOSE, (uint32_t)(uintptr_t)&block);
    leave(STOPPED_APPLICATION_EXIT);
}

bool io_received(void)
{
    return true;
}

void io_send(const int8_t *bytes, uint32_t count)
{
    if (move(SYS_WRITE, output, bytes, count) != 0) {
        io_fail("an answer cannot be written");
    }
}

void io_sent(uint32_t stack_bytes)
{
    io_send((const int8_t *)&stack_bytes, sizeof stack_bytes);
}

void io_fail(const char *reason)
{
    call(SYS_WRITE0, (uint32_t)(uintptr_t)reason);
    leave(STOPPED_RUN_TIME_ERROR);
}
