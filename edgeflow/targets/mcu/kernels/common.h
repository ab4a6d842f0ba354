/* What all kernels share. */
#if defined(__AVR__)
#define NN_FLASH __flash /* constants stay in flash, which has addresses of its own */
#else
#define NN_FLASH
#endif

#if defined(__GNUC__)
#define NN_SHARED static __attribute__((noinline, unused))
#define NN_INLINE static inline __attribute__((always_inline, unused))
#define NN_ENTRY __attribute__((noinline))
#define NN_ALIGNED __attribute__((aligned(4)))
#else
#define NN_SHARED static
#define NN_INLINE static inline
#define NN_ENTRY
#define NN_ALIGNED
#endif

/*
 * x * q / 2^31 * 2^shift, rounded twice, half away from zero: SaturatingRoundingDoublingHighMul and
 * RoundingDivideByPOT of gemmlowp's fixedpoint.h, as TensorFlow Lite puts them together.
 */
NN_INLINE int32_t nn_requantize(int32_t x, int32_t q, int8_t shift)
{
    const int8_t left = shift > 0 ? shift : 0;
    const int8_t right = shift > 0 ? 0 : (int8_t)-shift;
    const int64_t product = (int64_t)(int32_t)((uint32_t)x << left) * q;
    const int32_t nudge = product >= 0 ? (int32_t)1 << 30 : 1 - ((int32_t)1 << 30);
    const int32_t high = (int32_t)((product + nudge) / ((int64_t)1 << 31));
    const int32_t mask = (int32_t)(((uint32_t)1 << right) - 1u);
    const int32_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
    return (high >> right) + ((high & mask) > threshold ? 1 : 0);
}

NN_INLINE int8_t nn_clamp(int32_t x, int8_t low, int8_t high)
{
    return (int8_t)(x < low ? low : x > high ? high : x);
}
