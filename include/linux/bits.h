/*
 * linux/bits.h: words with some bits set.
 *
 * Semantics: Linux, the kernel's header of this name. Any context. All are constants where their arguments are.
 */
#ifndef FLAGSTONE_LINUX_BITS_H
#define FLAGSTONE_LINUX_BITS_H

#define BITS_PER_BYTE 8
#ifndef BITS_PER_LONG
#define BITS_PER_LONG 64
#endif
#ifndef BITS_PER_LONG_LONG
#define BITS_PER_LONG_LONG 64
#endif
#define BITS_PER_TYPE(type) (sizeof(type) * BITS_PER_BYTE)

/* Bit nr, from 0 to 63, of an unsigned long, or of an unsigned long long. */
#define BIT(nr) (1ul << (nr))
#define BIT_ULL(nr) (1ull << (nr))
/* Of bit nr of an array of longs: its mask in its word, and the word's index. */
#define BIT_MASK(nr) (1ul << ((nr) % BITS_PER_LONG))
#define BIT_WORD(nr) ((nr) / BITS_PER_LONG)
#define BIT_ULL_MASK(nr) (1ull << ((nr) % BITS_PER_LONG_LONG))
#define BIT_ULL_WORD(nr) ((nr) / BITS_PER_LONG_LONG)
/* How many longs hold that many bits; how many other units. */
#define BITS_TO_LONGS(nr) (((nr) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define BITS_TO_U64(nr) (((nr) + 63) / 64)
#define BITS_TO_U32(nr) (((nr) + 31) / 32)
#define BITS_TO_BYTES(nr) (((nr) + BITS_PER_BYTE - 1) / BITS_PER_BYTE)
/* Bits l to h, both included, l <= h < 64. */
#define GENMASK(h, l) ((~0ul << (l)) & (~0ul >> (BITS_PER_LONG - 1 - (h))))
#define GENMASK_ULL(h, l) ((~0ull << (l)) & (~0ull >> (BITS_PER_LONG_LONG - 1 - (h))))

#endif
