/*
 * asm/barrier.h: the order in which other CPUs see memory accesses.
 *
 * Semantics: Linux, Documentation/memory-barriers.txt. Any context. ThreadSanitizer knows no fences: there each barrier is an
 * atomic operation on one word of the process, so that two of them order what is around them.
 */
#ifndef FLAGSTONE_ASM_BARRIER_H
#define FLAGSTONE_ASM_BARRIER_H

#include <asm/processor.h>
#include <linux/compiler.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__SANITIZE_THREAD__)
#define FLAGSTONE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FLAGSTONE_TSAN 1
#endif
#endif

#ifdef FLAGSTONE_TSAN
/* Synchronization: atomic */
extern unsigned int flagstone_fence_word;
#define flagstone_fence(order) ((void)__atomic_fetch_add(&flagstone_fence_word, 0, __ATOMIC_SEQ_CST))
#else
#define flagstone_fence(order) __atomic_thread_fence(order)
#endif

/* All accesses before are seen before all after; loads only; stores only. */
#define smp_mb() flagstone_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() flagstone_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() flagstone_fence(__ATOMIC_RELEASE)
/* The same towards devices, which are simulated by other threads. */
#define mb() smp_mb()
#define rmb() smp_rmb()
#define wmb() smp_wmb()
#define dma_rmb() smp_rmb()
#define dma_wmb() smp_wmb()

/* Make a barrier of an atomic operation without one, before or after it. */
#define smp_mb__before_atomic() smp_mb()
#define smp_mb__after_atomic() smp_mb()
#define smp_mb__after_spinlock() smp_mb()

/* A store after which comes a full barrier. */
#define smp_store_mb(variable, value)        \
	do {                                 \
		WRITE_ONCE(variable, value); \
		smp_mb();                    \
	} while (0)

/* A load that all later accesses come after, and a store that all earlier ones come before: they pair. */
#define smp_load_acquire(pointer) __atomic_load_n((pointer), __ATOMIC_ACQUIRE)
#define smp_store_release(pointer, value) __atomic_store_n((pointer), (value), __ATOMIC_RELEASE)

/* After a branch on a loaded value: what follows comes after that load. */
#define smp_acquire__after_ctrl_dep() smp_rmb()

/*
 * Loads *pointer again and again until the condition holds, which calls the value VAL. Returns it. Keeps the CPU busy: for what another
 * CPU or an interrupt does. _acquire: all later accesses come after the last load.
 */
#define smp_cond_load_relaxed(pointer, condition)                                        \
	({                                                                               \
		__typeof__(*(pointer)) VAL;                                              \
		while (VAL = __atomic_load_n((pointer), __ATOMIC_RELAXED), !(condition)) \
			cpu_relax();                                                     \
		VAL;                                                                     \
	})
#define smp_cond_load_acquire(pointer, condition)                                        \
	({                                                                               \
		__typeof__(*(pointer)) VAL;                                              \
		while (VAL = __atomic_load_n((pointer), __ATOMIC_ACQUIRE), !(condition)) \
			cpu_relax();                                                     \
		VAL;                                                                     \
	})

#ifdef __cplusplus
}
#endif

#endif
