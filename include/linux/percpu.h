/*
 * linux/percpu.h: per-CPU variables, the static ones of linux/percpu-defs.h and those allocated at run time.
 *
 * Semantics: Linux, Documentation/core-api/mm-api.rst and this_cpu_ops.rst.
 */
#ifndef FLAGSTONE_LINUX_PERCPU_H
#define FLAGSTONE_LINUX_PERCPU_H

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/percpu-defs.h>
#include <linux/preempt.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest size that the functions below take, in bytes. */
#define PCPU_MIN_UNIT_SIZE 32768

/*
 * size bytes on each possible CPU, cleared, at a multiple of align (a power of two, at most 4096). The result is a per-CPU
 * pointer: a name for per_cpu_ptr(), this_cpu_ptr() and the operations.
 * gfp: with GFP_KERNEL and more, may sleep and map memory; else takes what is mapped already. __GFP_NOWARN: says nothing
 * on stderr of a failure. Context: as gfp says. Returns NULL when memory is out, or size or align makes no sense.
 */
void __percpu *__alloc_percpu_gfp(size_t size, size_t align, gfp_t gfp);
/* As __alloc_percpu_gfp with GFP_KERNEL. Context: task, may sleep. */
void __percpu *__alloc_percpu(size_t size, size_t align);
/* Frees what these returned; NULL is a no-op. A BUG report on anything else. Context: any. */
void free_percpu(void __percpu *pointer);

/* One object of a type. */
#define alloc_percpu_gfp(type, gfp) ((__typeof__(type) *)__alloc_percpu_gfp(sizeof(type), __alignof__(type), gfp))
#define alloc_percpu(type) ((__typeof__(type) *)__alloc_percpu(sizeof(type), __alignof__(type)))

#ifdef __cplusplus
}
#endif

#endif
