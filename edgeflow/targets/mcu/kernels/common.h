/*
 * What all kernels share. Two things that C leaves to the compiler are taken as those of all
 * microcontrollers define them: a negative number shifted right stays negative (it is divided by a
 * power of two and rounded down), and a conversion to a signed type keeps the lowest bits.
 */
#if defined(__AVR__)
#define NN_FLASH __flash /* constants stay in flash, which has addresses of its own */
#else
#define NN_FLASH
#endif

#if defined(__GNUC__)
#define NN_INLINE static inline __attribute__((always_inline, unused))
#define NN_COMPACT static __attribute__((noinline, unused)) /* a kernel that layers share */
#define NN_ENTRY __attribute__((noinline))
#if defined(__clang__)
#define NN_SHARED static __attribute__((noinline, unused))
#define NN_STRAIGHT static __attribute__((noinline))
#else
#define NN_SHARED static __attribute__((noinline, noclone, unused))
/* Long code without loops, of which GCC's other optimizations keep too much in memory. */
#define NN_STRAIGHT static __attribute__((noinline, optimize("Os")))
#endif
#define NN_ALIGNED __attribute__((aligned(4)))
#else
#define NN_COMPACT static
#define NN_SHARED static
#define NN_STRAIGHT static
#define NN_INLINE static inline
#define NN_ENTRY
#define NN_ALIGNED
#endif

/* Sizes and offsets: 16 bits where no array is larger than those count, as on AVR. */
typedef int_fast16_t nn_size;

/* Cores with few registers, which multiply 32 bits by 32 into 64 in software alone. */
#if defined(__AVR__) || defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define NN_SMALL_CORE
#endif

/* A part of a kernel that has the registers to itself, where they are few. */
#if defined(NN_SMALL_CORE)
#define NN_PART NN_SHARED
#else
#define NN_PART NN_INLINE
#endif

/* Values are not loaded long before they are used, where registers are few. */
#if defined(NN_SMALL_CORE) && defined(__GNUC__)
#define NN_KEEP_ORDER() __asm__ volatile("" : : : "memory")
#else
#define NN_KEEP_ORDER() ((void)0)
#endif

/*
 * nn_requantize for shift > -2, which is rare: multipliers of layers are small. Its first rounding
 * is half up, the second half away from zero.
 */
NN_SHARED int32_t nn_requantize_large(int32_t x, int32_t q, int8_t shift)
{
    const int8_t left = shift > 0 ? shift : 0;
    const int64_t product = (int64_t)(int32_t)((uint32_t)x << left) * q;
    const int32_t high = (int32_t)((product + ((int64_t)1 << 30)) >> 31);
    return shift >= 0 ? high : ((high - (high < 0 ? 1 : 0)) + 1) >> 1;
}

/*
 * x * q / 2^31 * 2^shift, rounded twice: SaturatingRoundingDoublingHighMul and RoundingDivideByPOT
 * of gemmlowp's fixedpoint.h, as TensorFlow Lite puts them together. q has 31 bits.
 *
 * With right = -shift, the two are floor((x * q + h) / 2^(31 + right)), where h is 2^(30 + right) for
 * the second rounding, and 2^30 for the first, for x < 0 less 2^31. The upper halves of the sum and
 * of 2^(30 + right) are enough.
 */
NN_INLINE int32_t nn_requantize(int32_t x, int32_t q, int8_t shift)
{
    if (shift > -2) {
        return nn_requantize_large(x, q, shift);
    }
    const uint32_t sign = x < 0 ? 0xffffffffu : 0u;
#if defined(NN_SMALL_CORE)
    /* Of the absolute value, for which h is 2^(30 + right) + 2^30, less 1 for x < 0. */
    const uint32_t a = ((uint32_t)x ^ sign) - sign;
    const uint16_t a1 = (uint16_t)(a >> 16), a0 = (uint16_t)a;
    const uint16_t q1 = (uint16_t)((uint32_t)q >> 16), q0 = (uint16_t)q;
    const uint32_t low = (uint32_t)a0 * q0 + 0x10000u + sign;
    const uint32_t middle = (uint32_t)a1 * q0 + (uint32_t)a0 * q1 + (low >> 16) + 0x3fffu;
    const uint32_t high = (uint32_t)a1 * q1 + (middle >> 16);
    const uint32_t scaled = ((high >> (-2 - shift)) + 1u) >> 1;
    return (int32_t)((scaled ^ sign) - sign);
#else
    const uint32_t half = (uint32_t)1 << (-2 - shift);
    const uint64_t h = (uint64_t)(half + sign) << 32 | (0x40000000u + (sign << 31));
    return (int32_t)(((int64_t)x * q + (int64_t)h) >> 32) >> (-1 - shift);
#endif
}

/* nn_requantize for kernels. */
NN_PART int32_t nn_scaled(int32_t x, int32_t q, int8_t shift)
{
    return nn_requantize(x, q, shift);
}

NN_INLINE int8_t nn_clamp(int32_t x, int8_t low, int8_t high)
{
    return (int8_t)(x < low ? low : x > high ? high : x);
}

/* A scaled sum as an output; where this overflows, it wraps, as in TensorFlow Lite. */
NN_INLINE int8_t nn_output(int32_t scaled, int8_t zero_point, int8_t low, int8_t high)
{
    return nn_clamp((int32_t)((uint32_t)scaled + (uint32_t)zero_point), low, high);
}
