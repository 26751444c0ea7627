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

#include <linux/kconfig.h>

/* The name of a module, which its build says with -D, as the kernel's does. If it does not, each file is one, by its name: "driver.c". */
#ifndef KBUILD_MODNAME
#ifdef __FILE_NAME__
#define KBUILD_MODNAME __FILE_NAME__
#else
#define KBUILD_MODNAME __FILE__
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

/* Attributes of functions, types and variables: Linux, include/linux/compiler_attributes.h. */
#ifndef __must_check
#define __must_check __attribute__((__warn_unused_result__))
#endif
#ifndef __printf
#define __printf(format, first) __attribute__((__format__(printf, format, first)))
#endif
#ifndef __packed
#define __packed __attribute__((__packed__))
#endif
#ifndef __aligned
#define __aligned(bytes) __attribute__((__aligned__(bytes)))
#endif
#ifndef __always_unused
#define __always_unused __attribute__((__unused__))
#endif
#ifndef __used
#define __used __attribute__((__used__))
#endif
#ifndef __cold
#define __cold __attribute__((__cold__))
#endif
#if !defined(fallthrough) && !defined(__cplusplus)
#define fallthrough __attribute__((__fallthrough__))
#endif

/* Whether two types, or expressions, are of one type. 0, as an int; but an error of the compiler's for what is no array. C only. */
#ifndef __cplusplus
#define __same_type(a, b) __builtin_types_compatible_p(__typeof__(a), __typeof__(b))
#define __must_be_array(array) ((int)(sizeof(char[1 - 2 * !!__same_type((array), &(array)[0])]) - 1))
#else
#define __must_be_array(array) 0
#endif

#endif
