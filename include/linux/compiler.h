/*
 * linux/compiler.h: single accesses that the compiler neither splits nor repeats, and hints for it.
 *
 * Semantics: Linux, Documentation/memory-barriers.txt. Under ThreadSanitizer a marked access is no data race.
 */
#ifndef FLAGSTONE_LINUX_COMPILER_H
#define FLAGSTONE_LINUX_COMPILER_H

#pragma GCC system_header /* for #include_next, which is an extension */
#if defined(__has_include_next)
#if __has_include_next(<linux/compiler.h>)
#include_next <linux/compiler.h>
#endif
#endif

/* One load, or store, of a variable of up to eight bytes. Any context. */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value) __atomic_store_n(&(x), (value), __ATOMIC_RELAXED)

/* Nothing that the compiler knows of memory survives this. */
#define barrier() __asm__ __volatile__("" : : : "memory")

#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif
#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif
#ifndef __maybe_unused
#define __maybe_unused __attribute__((__unused__))
#endif
#ifndef noinline
#define noinline __attribute__((__noinline__))
#endif

#endif
