/*
 * linux/compiler.h: accesses that the compiler neither splits, repeats nor leaves out.
 *
 * Semantics: Linux, Documentation/memory-barriers.txt. For scalars of at most 8 bytes; no order between accesses to
 * different variables is implied. Calls nothing.
 */
#ifndef FLAGSTONE_LINUX_COMPILER_H
#define FLAGSTONE_LINUX_COMPILER_H

/* The value of x, read once. Context: any. */
#ifndef READ_ONCE
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#endif
/* x = value, written once. Context: any. */
#ifndef WRITE_ONCE
#define WRITE_ONCE(x, value) __atomic_store_n(&(x), (value), __ATOMIC_RELAXED)
#endif

#endif
