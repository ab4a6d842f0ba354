#include "common.h"
#include "half.h"
/*
 * LSTM with an 8-bit state and 16-bit cells. Gates are input, forget, cell and output; weights are
 * those of each unit in this order. Biases hold the zero points already. Scales of what the gates
 * read are the first four, those of what they read of the state the next; `scratch` holds the cells.
 */
typedef struct {
    nn_size batches;
    nn_size steps;
    nn_size inputs;
    nn_size units;
    int32_t input_multiplier;
    int32_t forget_multiplier;
    int32_t output_multiplier;
    int8_t input_shift;
    int8_t forget_shift;
    int8_t output_shift;
    int8_t zero_point;
    int16_t cell_factor; /* of the argument of tanh */
    int8_t cell_shift;
    int16_t cell_limit;
    const NN_FLASH int8_t *weights;
    const NN_FLASH int8_t *state_weights;
    const NN_FLASH int32_t *bias;
    const NN_FLASH int32_t *state_bias;
    const NN_FLASH int32_t *multipliers;
    const NN_FLASH int8_t *shifts;
    const NN_FLASH uint16_t *sigmoid; /* of n / 24, in 16 fractional bits */
} nn_lstm_t;

NN_INLINE int16_t nn_clamp_short(int32_t x)
{
    return (int16_t)(x < -32768 ? -32768 : x > 32767 ? 32767 : x);
}

/* The sigmoid of |x| / 24 / 2^bits, in 16 + bits fractional bits, between two values of the table. */
NN_INLINE uint32_t nn_interpolate(const NN_FLASH uint16_t *table, int32_t x, int8_t bits)
{
    const uint32_t size = (uint32_t)(x < 0 ? -x : x);
    const uint32_t at = size >> bits;
    const uint32_t from = table[at];
    return (from << bits) + (size & ((1u << bits) - 1u)) * (table[at + 1u] - from);
}

/* x has 12 fractional bits, the result 15. */
NN_SHARED int16_t nn_sigmoid(const NN_FLASH uint16_t *table, int16_t x)
{
    const int32_t wide = (int32_t)x * 3;
    uint32_t result = (uint32_t)0x7fff << 10;
    if (wide > -((int32_t)255 << 9) && wide < (int32_t)255 << 9) {
        result = nn_interpolate(table, wide, 9);
    }
    result = wide >= 0 ? result + 512u : ((uint32_t)1 << 25) - result + 511u;
    return (int16_t)(result >> 10);
}

/* wide has 12 fractional bits and is 3 times the argument; the result has 15. */
NN_SHARED int16_t nn_tanh(const NN_FLASH uint16_t *table, int32_t wide)
{
    int32_t result = (int32_t)0xffff << 8;
    if (wide > -((int32_t)255 << 8) && wide < (int32_t)255 << 8) {
        result = (int32_t)nn_interpolate(table, wide, 8);
    }
    result -= (int32_t)1 << 23;
    return (int16_t)((wide >= 0 ? result + 128 : 127 - result) >> 8);
}

NN_INLINE int16_t nn_gate(const NN_FLASH int8_t *w, int32_t sum, const int8_t *x, nn_size n,
    int32_t multiplier, int8_t shift)
{
    for (nn_size i = 0; i < n; i++) {
        sum += x[i] * w[i];
    }
    return nn_clamp_short(nn_requantize(sum, multiplier, shift));
}

/* One unit: its cell, and its state as a result; h is the state before, or null. */
NN_INLINE int8_t nn_lstm_unit(
    const NN_FLASH nn_lstm_t *p, nn_size unit, const int8_t *x, const int8_t *h, nn_half *cell)
{
    int16_t gates[4];
    for (nn_size g = 0; g < 4; g++) {
        const nn_size row = 4 * unit + g;
        int32_t gate = nn_gate(p->weights + row * p->inputs, p->bias[row], x, p->inputs,
            p->multipliers[g], p->shifts[g]);
        if (h != 0) {
            gate += nn_gate(p->state_weights + row * p->units, p->state_bias[row], h, p->units,
                p->multipliers[4 + g], p->shifts[4 + g]);
        }
        gates[g] = nn_clamp_short(gate);
    }
    const int32_t input = nn_sigmoid(p->sigmoid, gates[0]);
    const int32_t forget = nn_sigmoid(p->sigmoid, gates[1]);
    const int32_t candidate = nn_tanh(p->sigmoid, (int32_t)gates[2] * 3);
    const int32_t output = nn_sigmoid(p->sigmoid, gates[3]);
    const int32_t kept = nn_requantize(forget * *cell, p->forget_multiplier, p->forget_shift);
    const int32_t added = nn_requantize(input * candidate, p->input_multiplier, p->input_shift);
    int16_t now = nn_clamp_short((int32_t)nn_clamp_short(kept) + nn_clamp_short(added));
    if (p->cell_limit > 0) {
        now = now < -p->cell_limit ? (int16_t)-p->cell_limit : now;
        now = now > p->cell_limit ? p->cell_limit : now;
    }
    *cell = now;
    const int32_t half = p->cell_shift > 0 ? (int32_t)1 << (p->cell_shift - 1) : 0;
    const int32_t wide = ((int32_t)now * p->cell_factor + half) >> p->cell_shift;
    const int32_t state = nn_tanh(p->sigmoid, wide) * output;
    return nn_output(
        nn_requantize(state, p->output_multiplier, p->output_shift), p->zero_point, -128, 127);
}

NN_KERNEL void nn_lstm(const NN_FLASH nn_lstm_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    nn_half *cells = (nn_half *)(void *)scratch;
    for (nn_size batch = 0; batch < p->batches; batch++) {
        const int8_t *h = 0;
        for (nn_size unit = 0; unit < p->units; unit++) {
            cells[unit] = 0;
        }
        for (nn_size step = 0; step < p->steps; step++) {
            for (nn_size unit = 0; unit < p->units; unit++) {
                y[unit] = nn_lstm_unit(p, unit, x, h, &cells[unit]);
            }
            h = y;
            x += p->inputs;
            y += p->units;
        }
    }
}
