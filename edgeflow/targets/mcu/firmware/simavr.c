/*
 * Runs firmware on simavr: bytes of a file go into the chip's serial port, what comes out of it goes
 * into another file. Counts each call of a function.
 *
 * Arguments: ELF file, chip, clock in Hz, address of the function, file for the port's input, file
 * for its output, bytes of output after which all is done, file for the counts (a line of
 * instructions and cycles for each call), most cycles to run.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

static avr_t *avr;
static FILE *input, *output, *counts;
static uint64_t left;
static bool ready; /* to take a byte; not before the firmware has opened the port */
static avr_irq_t *port;

static int fail(const char *reason)
{
    fprintf(stderr, "%s\n", reason);
    return EXIT_FAILURE;
}

static void on_ready(struct avr_irq_t *irq, uint32_t value, void *data)
{
    (void)irq, (void)value, (void)data;
    ready = true;
}

static void on_full(struct avr_irq_t *irq, uint32_t value, void *data)
{
    (void)irq, (void)value, (void)data;
    ready = false;
}

static void on_output(struct avr_irq_t *irq, uint32_t value, void *data)
{
    (void)irq, (void)data;
    fputc((int)value, output);
    left -= left > 0;
}

static void connect_port(void)
{
    uint32_t flags = 0; /* neither echo to the terminal nor sleep while the firmware waits */
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    port = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    const uint32_t uart = AVR_IOCTL_UART_GETIRQ('0');
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUT_XON), on_ready, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUT_XOFF), on_full, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, uart, UART_IRQ_OUTPUT), on_output, NULL);
}

static void feed_port(void)
{
    while (ready) {
        const int byte = fgetc(input);
        if (byte == EOF) {
            return;
        }
        avr_raise_irq(port, (uint32_t)byte);
    }
}

static uint32_t stack_pointer(void)
{
    return avr->data[R_SPL] | (uint32_t)avr->data[R_SPH] << 8;
}

/* Returns where the function that was just called goes back to; the stack has words' addresses. */
static uint32_t return_address(void)
{
    uint32_t words = 0;
    for (int i = 1; i <= avr->address_size; i++) {
        words = words << 8 | avr->data[stack_pointer() + (uint32_t)i];
    }
    return 2 * words;
}

static void run(uint32_t function, uint64_t cycles_max)
{
    bool inside = false;
    uint32_t back = 0, stack = 0;
    uint64_t instructions = 0, cycles = 0;
    avr->run_cycle_limit = 1; /* one instruction at a time */
    while (left > 0 && avr->cycle < cycles_max) {
        if (!inside && avr->pc == function) {
            inside = true;
            back = return_address();
            stack = stack_pointer() + avr->address_size;
            instructions = 0;
            cycles = avr->cycle;
        } else if (inside && avr->pc == back && stack_pointer() == stack) {
            inside = false;
            fprintf(counts, "%" PRIu64 " %" PRIu64 "\n", instructions, avr->cycle - cycles);
        }
        if (!inside) {
            feed_port();
        }
        instructions++;
        const int state = avr_run(avr);
        if (state == cpu_Done || state == cpu_Crashed) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    elf_firmware_t firmware;
    memset(&firmware, 0, sizeof firmware);
    if (argc != 10 || elf_read_firmware(argv[1], &firmware) != 0) {
        return fail("the firmware cannot be read");
    }
    avr = avr_make_mcu_by_name(argv[2]);
    if (avr == NULL) {
        return fail("simavr does not know this chip");
    }
    avr_init(avr);
    avr->frequency = (uint32_t)strtoul(argv[3], NULL, 0);
    avr_load_firmware(avr, &firmware);
    input = fopen(argv[5], "rb");
    output = fopen(argv[6], "wb");
    counts = fopen(argv[8], "w");
    if (input == NULL || output == NULL || counts == NULL) {
        return fail("a file cannot be opened");
    }
    connect_port();
    left = strtoull(argv[7], NULL, 0);
    run((uint32_t)strtoul(argv[4], NULL, 0), strtoull(argv[9], NULL, 0));
    if (fclose(output) != 0 || fclose(counts) != 0) {
        return fail("a file cannot be written");
    }
    return left == 0 ? EXIT_SUCCESS : fail("the firmware did not answer");
}
