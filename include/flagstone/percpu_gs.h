/*
 * flagstone/percpu_gs.h: operations on this CPU's variables, x86-64: one instruction each.
 *
 * An interrupt, or a change of the CPU, comes before or after an instruction, never inside: no operation is split. None
 * takes the lock prefix, since only this CPU writes its variables. (The xchg instruction locks all the same; cmpxchg in a loop
 * would be faster, but an interrupt that changes the variable each time could hold it up for ever.)
 * For <linux/percpu-defs.h> only. Every function takes a link address; size is 1, 2, 4 or 8 and known when compiled.
 */
#ifndef FLAGSTONE_PERCPU_GS_H
#define FLAGSTONE_PERCPU_GS_H

#include <flagstone/percpu.h>

#define FLAGSTONE_GS_INLINE static inline __attribute__((always_inline))

/*
 * For each width:
 *	read:    return gs:*p
 *	write:   gs:*p = v
 *	add, and, or:  gs:*p op= v
 *	xadd:    old = gs:*p; gs:*p = old + v; return old
 *	xchg:    old = gs:*p; gs:*p = v; return old
 *	cmpxchg: now = gs:*p; if (now == old) gs:*p = v; return now
 */
#define FLAGSTONE_GS_WIDTH(bits, suffix, reg, value)                                                                  \
	typedef uint##bits##_t __attribute__((may_alias)) flagstone_gs##bits;                                         \
                                                                                                                      \
	FLAGSTONE_GS_INLINE uint64_t flagstone_gs_read##bits(const void *p)                                           \
	{                                                                                                             \
		uint##bits##_t v;                                                                                     \
                                                                                                                      \
		__asm__ volatile("mov" suffix " %%gs:%1, %0" : "=" reg(v) : "m"(*(const flagstone_gs##bits *)p));     \
		return v;                                                                                             \
	}                                                                                                             \
                                                                                                                      \
	FLAGSTONE_GS_INLINE void flagstone_gs_write##bits(void *p, uint##bits##_t v)                                  \
	{                                                                                                             \
		__asm__ volatile("mov" suffix " %1, %%gs:%0" : "+m"(*(flagstone_gs##bits *)p) : value(v));            \
	}                                                                                                             \
                                                                                                                      \
	FLAGSTONE_GS_INLINE void flagstone_gs_add##bits(void *p, uint##bits##_t v)                                    \
	{                                                                                                             \
		__asm__ volatile("add" suffix " %1, %%gs:%0" : "+m"(*(flagstone_gs##bits *)p) : value(v) : "cc");     \
	}                                                                                                             \
                                                                                                                      \
	FLAGSTONE_GS_INLINE void flagstone_gs_and##bits(void *p, uint##bits##_t v)                                    \
	{                                                                                                             \
		__asm__ volatile("and" suffix " %1, %%gs:%0" : "+m"(*(flagstone_gs##bits *)p) : value(v) : "cc");     \
	}                                                                                                             \
                                                                                                                      \
	FLAGSTONE_GS_INLINE void flagstone_gs_or##bits(void *p, uint##bits##_t v)                                     \
	{                                                                                                             \
		__asm__ volatile("or" suffix " %1, %%gs:%0" : "+m"(*(flagstone_gs##bits *)p) : value(v) : "cc");      \
	}                                                                                                             \
                                                                                                                      \
	FLAGSTONE_GS_INLINE uint64_t flagstone_gs_xadd##bits(void *p, uint##bits##_t v)                               \
	{                                                                                                             \
		__asm__ volatile("xadd" suffix " %0, %%gs:%1" : "+" reg(v), "+m"(*(flagstone_gs##bits *)p) : : "cc"); \
		return v;                                                                                             \
	}                                                                                                             \
                                                                                                                      \
	FLAGSTONE_GS_INLINE uint64_t flagstone_gs_xchg##bits(void *p, uint##bits##_t v)                               \
	{                                                                                                             \
		__asm__ volatile("xchg" suffix " %0, %%gs:%1" : "+" reg(v), "+m"(*(flagstone_gs##bits *)p));          \
		return v;                                                                                             \
	}                                                                                                             \
                                                                                                                      \
	FLAGSTONE_GS_INLINE uint64_t flagstone_gs_cmpxchg##bits(void *p, uint##bits##_t old, uint##bits##_t v)        \
	{                                                                                                             \
		__asm__ volatile("cmpxchg" suffix " %2, %%gs:%1"                                                      \
				 : "+a"(old), "+m"(*(flagstone_gs##bits *)p)                                          \
				 : reg(v)                                                                             \
				 : "cc");                                                                             \
		return old;                                                                                           \
	}

FLAGSTONE_GS_WIDTH(8, "b", "q", "qi")
FLAGSTONE_GS_WIDTH(16, "w", "r", "ri")
FLAGSTONE_GS_WIDTH(32, "l", "r", "ri")
FLAGSTONE_GS_WIDTH(64, "q", "r", "re")

FLAGSTONE_GS_INLINE uint64_t flagstone_percpu_read(const void *p, size_t size)
{
	return size == 1   ? flagstone_gs_read8(p)
	       : size == 2 ? flagstone_gs_read16(p)
	       : size == 4 ? flagstone_gs_read32(p)
			   : flagstone_gs_read64(p);
}

#define FLAGSTONE_GS_VOID(name)                                                                \
	FLAGSTONE_GS_INLINE void flagstone_percpu_##name(void *p, size_t size, uint64_t value) \
	{                                                                                      \
		switch (size) {                                                                \
		case 1:                                                                        \
			flagstone_gs_##name##8(p, (uint8_t)value);                             \
			break;                                                                 \
		case 2:                                                                        \
			flagstone_gs_##name##16(p, (uint16_t)value);                           \
			break;                                                                 \
		case 4:                                                                        \
			flagstone_gs_##name##32(p, (uint32_t)value);                           \
			break;                                                                 \
		default:                                                                       \
			flagstone_gs_##name##64(p, value);                                     \
		}                                                                              \
	}

FLAGSTONE_GS_VOID(write)
FLAGSTONE_GS_VOID(add)
FLAGSTONE_GS_VOID(and)
FLAGSTONE_GS_VOID(or)

/* Returns the new value; bits beyond the size are anything. */
FLAGSTONE_GS_INLINE uint64_t flagstone_percpu_add_return(void *p, size_t size, uint64_t value)
{
	return value + (size == 1          ? flagstone_gs_xadd8(p, (uint8_t)value)
			       : size == 2 ? flagstone_gs_xadd16(p, (uint16_t)value)
			       : size == 4 ? flagstone_gs_xadd32(p, (uint32_t)value)
					   : flagstone_gs_xadd64(p, value));
}

/* Returns what the variable was: expected, if value was written. */
FLAGSTONE_GS_INLINE uint64_t flagstone_percpu_cmpxchg(void *p, size_t size, uint64_t expected, uint64_t value)
{
	return size == 1   ? flagstone_gs_cmpxchg8(p, (uint8_t)expected, (uint8_t)value)
	       : size == 2 ? flagstone_gs_cmpxchg16(p, (uint16_t)expected, (uint16_t)value)
	       : size == 4 ? flagstone_gs_cmpxchg32(p, (uint32_t)expected, (uint32_t)value)
			   : flagstone_gs_cmpxchg64(p, expected, value);
}

/* Returns the old value. */
FLAGSTONE_GS_INLINE uint64_t flagstone_percpu_xchg(void *p, size_t size, uint64_t value)
{
	return size == 1   ? flagstone_gs_xchg8(p, (uint8_t)value)
	       : size == 2 ? flagstone_gs_xchg16(p, (uint16_t)value)
	       : size == 4 ? flagstone_gs_xchg32(p, (uint32_t)value)
			   : flagstone_gs_xchg64(p, value);
}

/* The address of this CPU's copy. Meaningful while the thread cannot change its CPU. */
FLAGSTONE_GS_INLINE void *flagstone_percpu_here(const volatile void *p)
{
	void *here = (void *)(uintptr_t)p;

	__asm__("add %%gs:%1, %0" : "+r"(here) : "m"(flagstone_percpu_self) : "cc");
	return here;
}

#endif
