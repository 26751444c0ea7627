/*
 * linux/bitmap.h: sets of bits in arrays of longs: DECLARE_BITMAP(name, nbits).
 *
 * Semantics: Linux, the kernel's header of this name. Any context. nbits: bits of a map; what lies behind them in its last word is
 * nobody's: it is ignored, and may change. Nothing here is atomic: set_bit() and its like of <linux/bitops.h> are. to may be a or b.
 */
#ifndef FLAGSTONE_LINUX_BITMAP_H
#define FLAGSTONE_LINUX_BITMAP_H

#include <linux/align.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/types.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The bits of a map's first word from start on; those of its last word. */
#define BITMAP_FIRST_WORD_MASK(start) (~0ul << ((start) & (BITS_PER_LONG - 1)))
#define BITMAP_LAST_WORD_MASK(nbits) (~0ul >> (-(nbits) & (BITS_PER_LONG - 1)))
#define bitmap_size(nbits) (BITS_TO_LONGS(nbits) * sizeof(long))

/* ---- memory of their own: for bitmap_free(). NULL when memory is out. Context: by the flags. _z: no bit is set ---- */

static inline unsigned long *bitmap_alloc(unsigned int nbits, gfp_t flags)
{
	return (unsigned long *)kmalloc_array(BITS_TO_LONGS((size_t)nbits), sizeof(long), flags);
}

static inline unsigned long *bitmap_zalloc(unsigned int nbits, gfp_t flags)
{
	return bitmap_alloc(nbits, flags | __GFP_ZERO);
}

/* On a node: see kmalloc_node(). */
static inline unsigned long *bitmap_alloc_node(unsigned int nbits, gfp_t flags, int node)
{
	return (unsigned long *)kmalloc_array_node(BITS_TO_LONGS((size_t)nbits), sizeof(long), flags, node);
}

static inline unsigned long *bitmap_zalloc_node(unsigned int nbits, gfp_t flags, int node)
{
	return bitmap_alloc_node(nbits, flags | __GFP_ZERO, node);
}

static inline void bitmap_free(const unsigned long *bitmap)
{
	kfree(bitmap);
}

/* ---- whole maps ---- */

/* The w-th of the words that hold nbits: the bits of it that count. */
static inline unsigned long flagstone_bitmap_mask(unsigned int word, unsigned int nbits)
{
	return word + 1 < BITS_TO_LONGS(nbits) ? ~0ul : BITMAP_LAST_WORD_MASK(nbits);
}

static inline void bitmap_zero(unsigned long *to, unsigned int nbits)
{
	memset(to, 0, bitmap_size(nbits));
}

static inline void bitmap_fill(unsigned long *to, unsigned int nbits)
{
	memset(to, 0xff, bitmap_size(nbits));
}

static inline void bitmap_copy(unsigned long *to, const unsigned long *from, unsigned int nbits)
{
	memmove(to, from, bitmap_size(nbits));
}

/* The same, with zeros behind the last bit. */
static inline void bitmap_copy_clear_tail(unsigned long *to, const unsigned long *from, unsigned int nbits)
{
	bitmap_copy(to, from, nbits);
	if (nbits % BITS_PER_LONG)
		to[nbits / BITS_PER_LONG] &= BITMAP_LAST_WORD_MASK(nbits);
}

/* to = a & b, a & ~b: returns whether any bit is set then; to = a | b, a ^ b, ~a. */
static inline bool bitmap_and(unsigned long *to, const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	unsigned long any = 0;

	for (unsigned int word = 0; word < BITS_TO_LONGS(nbits); word++)
		any |= to[word] = a[word] & b[word] & flagstone_bitmap_mask(word, nbits);
	return any != 0;
}

static inline bool bitmap_andnot(unsigned long *to, const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	unsigned long any = 0;

	for (unsigned int word = 0; word < BITS_TO_LONGS(nbits); word++)
		any |= to[word] = a[word] & ~b[word] & flagstone_bitmap_mask(word, nbits);
	return any != 0;
}

static inline void bitmap_or(unsigned long *to, const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	for (unsigned int word = 0; word < BITS_TO_LONGS(nbits); word++)
		to[word] = a[word] | b[word];
}

static inline void bitmap_xor(unsigned long *to, const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	for (unsigned int word = 0; word < BITS_TO_LONGS(nbits); word++)
		to[word] = a[word] ^ b[word];
}

static inline void bitmap_complement(unsigned long *to, const unsigned long *a, unsigned int nbits)
{
	for (unsigned int word = 0; word < BITS_TO_LONGS(nbits); word++)
		to[word] = ~a[word];
}

/* to = old, but the bits of mask as in fresh. */
static inline void bitmap_replace(unsigned long *to, const unsigned long *old, const unsigned long *fresh,
	const unsigned long *mask, unsigned int nbits)
{
	for (unsigned int word = 0; word < BITS_TO_LONGS(nbits); word++)
		to[word] = (old[word] & ~mask[word]) | (fresh[word] & mask[word]);
}

/* Whether they are the same; whether some bit is set in both; whether every bit of a is set in b. */
static inline bool bitmap_equal(const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	for (unsigned int word = 0; word < BITS_TO_LONGS(nbits); word++)
		if ((a[word] ^ b[word]) & flagstone_bitmap_mask(word, nbits))
			return false;
	return true;
}

static inline bool bitmap_intersects(const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	return find_first_and_bit(a, b, nbits) < nbits;
}

static inline bool bitmap_subset(const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	return find_next_andnot_bit(a, b, nbits, 0) >= nbits;
}

/* Whether none, or all, of the bits are set; how many are; how many are set in both. */
static inline bool bitmap_empty(const unsigned long *map, unsigned int nbits)
{
	return find_first_bit(map, nbits) >= nbits;
}

static inline bool bitmap_full(const unsigned long *map, unsigned int nbits)
{
	return find_first_zero_bit(map, nbits) >= nbits;
}

static inline unsigned int bitmap_weight(const unsigned long *map, unsigned int nbits)
{
	unsigned int weight = 0;

	for (unsigned int word = 0; word < BITS_TO_LONGS(nbits); word++)
		weight += (unsigned int)hweight_long(map[word] & flagstone_bitmap_mask(word, nbits));
	return weight;
}

static inline unsigned int bitmap_weight_and(const unsigned long *a, const unsigned long *b, unsigned int nbits)
{
	unsigned int weight = 0;

	for (unsigned int word = 0; word < BITS_TO_LONGS(nbits); word++)
		weight += (unsigned int)hweight_long(a[word] & b[word] & flagstone_bitmap_mask(word, nbits));
	return weight;
}

/* Bit n becomes bit n - shift, or n + shift; zeros come in from the other end. to may be from. */
static inline void bitmap_shift_right(
	unsigned long *to, const unsigned long *from, unsigned int shift, unsigned int nbits)
{
	for (unsigned int bit = 0; bit < nbits; bit++)
		__assign_bit(bit, to, shift < nbits - bit && test_bit((long)bit + shift, from));
}

static inline void bitmap_shift_left(
	unsigned long *to, const unsigned long *from, unsigned int shift, unsigned int nbits)
{
	for (unsigned int bit = nbits; bit-- > 0;)
		__assign_bit(bit, to, bit >= shift && test_bit((long)bit - shift, from));
}

/* ---- runs of bits: nr from start on ---- */

static inline void bitmap_set(unsigned long *map, unsigned int start, unsigned int nr)
{
	for (unsigned int end = start + nr; start < end;) {
		unsigned int word = BIT_WORD(start), last = (word + 1) * BITS_PER_LONG;
		unsigned long bits = BITMAP_FIRST_WORD_MASK(start);

		if (end < last)
			bits &= BITMAP_LAST_WORD_MASK(end);
		map[word] |= bits;
		start = last;
	}
}

static inline void bitmap_clear(unsigned long *map, unsigned int start, unsigned int nr)
{
	for (unsigned int end = start + nr; start < end;) {
		unsigned int word = BIT_WORD(start), last = (word + 1) * BITS_PER_LONG;
		unsigned long bits = BITMAP_FIRST_WORD_MASK(start);

		if (end < last)
			bits &= BITMAP_LAST_WORD_MASK(end);
		map[word] &= ~bits;
		start = last;
	}
}

/*
 * The first of nr bits in a row that are clear, from start on, so that it and offset together are a multiple of align_mask + 1, a power of
 * two. Above size if there are none.
 */
static inline unsigned long bitmap_find_next_zero_area_off(unsigned long *map, unsigned long size, unsigned long start,
	unsigned int nr, unsigned long align_mask, unsigned long align_offset)
{
	for (;;) {
		unsigned long first = find_next_zero_bit(map, size, start), set;

		first = ((first + align_offset + align_mask) & ~align_mask) - align_offset;
		if (first + nr > size)
			return first + nr;
		set = find_next_bit(map, first + nr, first);
		if (set >= first + nr)
			return first;
		start = set + 1;
	}
}

static inline unsigned long bitmap_find_next_zero_area(
	unsigned long *map, unsigned long size, unsigned long start, unsigned int nr, unsigned long align_mask)
{
	return bitmap_find_next_zero_area_off(map, size, start, nr, align_mask, 0);
}

/* Blocks of 1 << order bits that begin at a multiple of as many. Sets those of one that is clear. 0, or -EBUSY. */
static inline int bitmap_allocate_region(unsigned long *map, unsigned int position, int order)
{
	if (find_next_bit(map, position + (1ul << order), position) < position + (1ul << order))
		return -EBUSY;
	bitmap_set(map, position, 1u << order);
	return 0;
}

/* Sets those of the first that is clear. Returns its first bit, or -ENOMEM. */
static inline int bitmap_find_free_region(unsigned long *map, unsigned int nbits, int order)
{
	for (unsigned int position = 0; position + (1u << order) <= nbits; position += 1u << order)
		if (!bitmap_allocate_region(map, position, order))
			return (int)position;
	return -ENOMEM;
}

static inline void bitmap_release_region(unsigned long *map, unsigned int position, int order)
{
	bitmap_clear(map, position, 1u << order);
}

/* ---- from and to other words; the lower bits come first ---- */

static inline void bitmap_from_u64(unsigned long *to, uint64_t bits)
{
	to[0] = bits;
}

static inline void bitmap_from_arr32(unsigned long *to, const uint32_t *from, unsigned int nbits)
{
	for (unsigned int word = 0; word < BITS_TO_U32(nbits); word++) {
		if (word % 2)
			to[word / 2] |= (unsigned long)from[word] << 32;
		else
			to[word / 2] = from[word];
	}
	if (nbits % BITS_PER_LONG)
		to[nbits / BITS_PER_LONG] &= BITMAP_LAST_WORD_MASK(nbits);
}

/* With zeros behind the last bit. */
static inline void bitmap_to_arr32(uint32_t *to, const unsigned long *from, unsigned int nbits)
{
	for (unsigned int word = 0; word < BITS_TO_U32(nbits); word++)
		to[word] = (uint32_t)(from[word / 2] >> word % 2 * 32);
	if (nbits % 32)
		to[nbits / 32] &= ~(uint32_t)0 >> (32 - nbits % 32);
}

#ifdef __cplusplus
}
#endif

#endif
