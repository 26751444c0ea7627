/*
 * linux/cache.h: lines of the processor's cache.
 *
 * Semantics: Linux, Documentation/core-api/cachetlb.rst. Any context.
 */
#ifndef FLAGSTONE_LINUX_CACHE_H
#define FLAGSTONE_LINUX_CACHE_H

#ifndef L1_CACHE_SHIFT
#define L1_CACHE_SHIFT 6
#endif
#define L1_CACHE_BYTES (1 << L1_CACHE_SHIFT)
#define SMP_CACHE_BYTES L1_CACHE_BYTES
#define cache_line_size() L1_CACHE_BYTES
#define L1_CACHE_ALIGN(x) (((x) + (__typeof__(x))(L1_CACHE_BYTES - 1)) & ~(__typeof__(x))(L1_CACHE_BYTES - 1))

/* A type or variable that starts on a line of its own. */
#define ____cacheline_aligned __attribute__((__aligned__(SMP_CACHE_BYTES)))
#define ____cacheline_aligned_in_smp ____cacheline_aligned
#define __cacheline_aligned ____cacheline_aligned
/* A variable that is read often and seldom written. */
#define __read_mostly

#endif
