/* What the main loop needs of a board: its stack, and where samples come from and outputs go. */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

/* Lowest address that the stack may grow to, and the one above its first byte. */
extern uint8_t stack_limit[];
extern uint8_t stack_top[];

void io_begin(void);

/* Waits for the next bytes of a sample; does not return where there are no more samples. */
void io_receive(int8_t *bytes, uint32_t count);

/* Whether a whole sample has come undamaged. */
bool io_received(void);

/* Gives the next bytes of the answer away, and then ends it. */
void io_send(const int8_t *bytes, uint32_t count);
void io_sent(uint32_t stack_bytes);

/* Stops where something went wrong. */
void io_fail(const char *reason);

#endif
