"""The C++ between a caller in C and Verilator's model of a network."""

from collections.abc import Sequence

_SOURCE = """\
// Runs samples through the pipeline, a new one with each edge of the clock.
#include "Vmodel.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

static const uint8_t in_bits[] = {%(inputs)s}, out_bits[] = {%(outputs)s};
static const uint8_t out_signed[] = {%(signs)s};
static const size_t inputs = sizeof in_bits, outputs = sizeof out_bits, latency = %(latency)d;
typedef std::vector<uint32_t> words_t;

static void put(words_t &words, size_t at, uint32_t value, unsigned bits) {
  if (!bits) return;
  const uint64_t mask = bits == 32 ? 0xffffffffu : (1u << bits) - 1;
  const uint64_t shifted = (value & mask) << at %% 32;
  words[at / 32] |= (uint32_t)shifted;
  if (at %% 32 + bits > 32) words[at / 32 + 1] |= (uint32_t)(shifted >> 32);
}

static int32_t take(const words_t &words, size_t at, unsigned bits, bool is_signed) {
  if (!bits) return 0;
  uint64_t both = words[at / 32];
  if (at %% 32 + bits > 32) both |= (uint64_t)words[at / 32 + 1] << 32;
  const uint32_t value = (uint32_t)(both >> at %% 32) << (32 - bits);
  return is_signed ? (int32_t)value >> (32 - bits) : (int32_t)(value >> (32 - bits));
}

template <typename T> std::enable_if_t<std::is_integral_v<T>> write(T &port, const words_t &words) {
  port = (T)(words[0] | (words.size() > 1 ? (uint64_t)words[1] << 32 : 0));
}
template <size_t N> void write(VlWide<N> &port, const words_t &words) {
  for (size_t i = 0; i < N; i++) port[i] = words[i];
}
template <typename T> std::enable_if_t<std::is_integral_v<T>> read(const T &port, words_t &words) {
  words[0] = (uint32_t)port;
  if (words.size() > 1) words[1] = (uint32_t)((uint64_t)port >> 32);
}
template <size_t N> void read(const VlWide<N> &port, words_t &words) {
  for (size_t i = 0; i < N; i++) words[i] = port[i];
}

static size_t total(const uint8_t *bits, size_t count) {
  size_t sum = 0;
  for (size_t i = 0; i < count; i++) sum += bits[i];
  return sum;
}

extern "C" __attribute__((visibility("default"))) int edgeflow_run(
    const int32_t *in, int32_t *out, size_t samples) {
  const auto context = std::make_unique<VerilatedContext>();
  const auto model = std::make_unique<Vmodel>(context.get(), "model");
  words_t given((total(in_bits, inputs) + 31) / 32), taken((total(out_bits, outputs) + 31) / 32);
  for (size_t cycle = 0; cycle < samples + latency; cycle++) {
    if (cycle < samples) {
      given.assign(given.size(), 0);
      size_t at = 0;
      for (size_t i = 0; i < inputs; at += in_bits[i++])
        put(given, at, (uint32_t)in[cycle * inputs + i], in_bits[i]);
      write(model->model_inp, given);
    }
    model->clk = 0;
    model->eval();
    model->clk = 1;
    model->eval();
    if (cycle < latency) continue;
    read(model->model_out, taken);
    size_t at = 0;
    for (size_t i = 0; i < outputs; at += out_bits[i++])
      out[(cycle - latency) * outputs + i] = take(taken, at, out_bits[i], out_signed[i]);
  }
  model->final();
  return 0;
}
"""


def harness(
    inputs: Sequence[int], outputs: Sequence[int], signs: Sequence[int], latency: int
) -> str:
    """Return the source of `edgeflow_run(inputs, outputs, samples)`.

    Args:
        inputs: bits of each input element, at most 32.
        outputs: the same of the output.
        signs: of each output element, 1 where it has a sign.
        latency: edges of the clock between one that takes a sample and the one that gives it out.
    """
    listed = {"inputs": inputs, "outputs": outputs, "signs": signs}
    texts = {key: ", ".join(map(str, values)) for key, values in listed.items()}
    return _SOURCE % {**texts, "latency": latency}
