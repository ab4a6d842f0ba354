/*
 * Samples and answers over the serial port, 8 bits, no parity, BAUD bits a second.
 *
 * A sample is 'S', the inputs, and a checksum of them; its answer 'A', the outputs, the stack that
 * was used so far in 2 bytes, and a checksum of both; or 'N' alone where the sample came damaged.
 * The checksum is CRC-16/MCRF4XX, its low byte first.
 */
#include <avr/io.h>
#include <util/crc16.h>

#include "firmware.h"

#define BAUD 500000ul /* without error where the clock is a multiple of 4 MHz */

static bool inside; /* a sample, or an answer */
static uint16_t checksum;

static uint8_t take(void)
{
    while ((UCSR0A & _BV(RXC0)) == 0) {
    }
    const uint8_t byte = UDR0;
    checksum = _crc_ccitt_update(checksum, byte);
    return byte;
}

static void give(uint8_t byte)
{
    while ((UCSR0A & _BV(UDRE0)) == 0) {
    }
    UDR0 = byte;
    checksum = _crc_ccitt_update(checksum, byte);
}

static void give_checksum(void)
{
    const uint16_t sum = checksum;
    give((uint8_t)sum);
    give((uint8_t)(sum >> 8));
}

void io_begin(void)
{
    UBRR0 = F_CPU / (8ul * BAUD) - 1u;
    UCSR0A = _BV(U2X0);
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UCSR0B = _BV(RXEN0) | _BV(TXEN0);
}

void io_receive(int8_t *bytes, uint32_t count)
{
    if (!inside) {
        while (take() != 'S') {
        }
        checksum = 0xFFFF;
        inside = true;
    }
    while (count-- > 0) {
        *bytes++ = (int8_t)take();
    }
}

bool io_received(void)
{
    inside = false;
    const uint16_t sum = checksum;
    const uint8_t low = take();
    const uint8_t high = take();
    if (low == (uint8_t)sum && high == (uint8_t)(sum >> 8)) {
        return true;
    }
    give('N');
    return false;
}

void io_send(const int8_t *bytes, uint32_t count)
{
    if (!inside) {
        give('A');
        checksum = 0xFFFF;
        inside = true;
    }
    while (count-- > 0) {
        give((uint8_t)*bytes++);
    }
}

void io_sent(uint32_t stack_bytes)
{
    give((uint8_t)stack_bytes);
    give((uint8_t)(stack_bytes >> 8));
    give_checksum();
    inside = false;
}

void io_fail(const char *reason)
{
    (void)reason;
    for (;;) {
    }
}
