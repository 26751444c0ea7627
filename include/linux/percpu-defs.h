/*
 * linux/percpu-defs.h: per-CPU variables: definitions, pointers, operations on this CPU's copy.
 *
 * Semantics: Linux, Documentation/core-api/this_cpu_ops.rst and the kernel's header of this name. Context: any, unless said.
 *
 * A per-CPU variable, and a pointer to one (__percpu), is a name: reading or writing through it, without the functions here,
 * faults while a machine runs. Before boot and after shutdown it is the variable's initial value, which the next machine
 * starts with.
 *
 * Limits: DECLARE_PER_CPU declares for one program or shared library: the variables of another are reached by a function or a
 * pointer of its own (a variable that is declared and not defined does not link). this_cpu_cmpxchg_double is absent.
 */
#ifndef FLAGSTONE_LINUX_PERCPU_DEFS_H
#define FLAGSTONE_LINUX_PERCPU_DEFS_H

#pragma GCC system_header /* its macros nest, with locals of the same names */
#include <flagstone/percpu.h>
#if FLAGSTONE_PERCPU_GS
#include <flagstone/percpu_gs.h>
#else
#include <flagstone/percpu_generic.h>
#endif

/* ---- definitions ---- */

/* Marks pointers to per-CPU variables, for the reader. */
#define __percpu

#define FLAGSTONE_PERCPU_SECTION __attribute__((section("flagstone_percpu")))

/*
 * DEFINE_PER_CPU(type, name) [= initial value]; one variable on each possible CPU; may follow static. DECLARE_PER_CPU(type,
 * name): defined elsewhere in this program or library. The other forms:
 *	_ALIGNED, _SHARED_ALIGNED	starts a cache line (64 bytes)
 *	_PAGE_ALIGNED			starts a page (4096 bytes)
 *	_READ_MOSTLY			as plain
 */
#define DEFINE_PER_CPU(type, name) FLAGSTONE_PERCPU_SECTION __typeof__(type) name
#define DECLARE_PER_CPU(type, name) extern FLAGSTONE_PERCPU_SECTION FLAGSTONE_PERCPU_HIDDEN __typeof__(type) name
#define DEFINE_PER_CPU_ALIGNED(type, name) DEFINE_PER_CPU(type, name) __attribute__((aligned(64)))
#define DECLARE_PER_CPU_ALIGNED(type, name) DECLARE_PER_CPU(type, name) __attribute__((aligned(64)))
#define DEFINE_PER_CPU_SHARED_ALIGNED(type, name) DEFINE_PER_CPU_ALIGNED(type, name)
#define DECLARE_PER_CPU_SHARED_ALIGNED(type, name) DECLARE_PER_CPU_ALIGNED(type, name)
#define DEFINE_PER_CPU_PAGE_ALIGNED(type, name) DEFINE_PER_CPU(type, name) __attribute__((aligned(4096)))
#define DECLARE_PER_CPU_PAGE_ALIGNED(type, name) DECLARE_PER_CPU(type, name) __attribute__((aligned(4096)))
#define DEFINE_PER_CPU_READ_MOSTLY(type, name) DEFINE_PER_CPU(type, name)
#define DECLARE_PER_CPU_READ_MOSTLY(type, name) DECLARE_PER_CPU(type, name)

/* The names are this program's or library's: nothing is exported. */
#define EXPORT_PER_CPU_SYMBOL(name)
#define EXPORT_PER_CPU_SYMBOL_GPL(name)

/* ---- pointers ---- */

/* Hides from the compiler where the address comes from, so that it assumes nothing of what lies beyond that variable. */
#define FLAGSTONE_PERCPU_HIDE(pointer)                             \
	__extension__({                                            \
		uintptr_t flagstone_hidden = (uintptr_t)(pointer); \
		__asm__("" : "+r"(flagstone_hidden));              \
		flagstone_hidden;                                  \
	})

/* The distance from a link address to CPU cpu's copy, in bytes. */
#define per_cpu_offset(cpu) (flagstone_percpu_distance[cpu])

/* The address of CPU cpu's copy of what the per-CPU pointer names: like any address, usable by every CPU. */
#define per_cpu_ptr(pointer, cpu) ((__typeof__(*(pointer)) *)(FLAGSTONE_PERCPU_HIDE(pointer) + per_cpu_offset(cpu)))
/* CPU cpu's copy of the variable, an lvalue. */
#define per_cpu(variable, cpu) (*per_cpu_ptr(&(variable), cpu))

/* The address of this CPU's copy. Only where the task stays on its CPU: preemption off, or an interrupt. */
#define this_cpu_ptr(pointer) ((__typeof__(*(pointer)) *)flagstone_percpu_here(pointer))
#define raw_cpu_ptr(pointer) this_cpu_ptr(pointer)

/*
 * This CPU's copy, an lvalue, and its address, with preemption off until put_cpu_var() or put_cpu_ptr() on the same CPU.
 * Context: any; between the two nothing may sleep. Needs <linux/percpu.h>.
 */
#define get_cpu_var(variable)            \
	(*__extension__({                \
		preempt_disable();       \
		this_cpu_ptr(&variable); \
	}))
#define put_cpu_var(variable)      \
	do {                       \
		(void)&(variable); \
		preempt_enable();  \
	} while (0)
#define get_cpu_ptr(pointer)           \
	__extension__({                \
		preempt_disable();     \
		this_cpu_ptr(pointer); \
	})
#define put_cpu_ptr(pointer)      \
	do {                      \
		(void)(pointer);  \
		preempt_enable(); \
	} while (0)

/* ---- operations on this CPU's copy ---- */

/*
 * Each is done on one CPU as a whole: no interrupt and no change of the CPU comes in between. variable is the variable itself,
 * or an lvalue through a per-CPU pointer (p->field), of 1, 2, 4 or 8 bytes. Arithmetic takes integers only and wraps.
 * Other CPUs must not write it, and read it by READ_ONCE(per_cpu(...)).
 */

#define FLAGSTONE_PERCPU_SIZE(variable)                                                                               \
	(sizeof(char[sizeof(variable) == 1 || sizeof(variable) == 2 || sizeof(variable) == 4 || sizeof(variable) == 8 \
			     ? 1                                                                                      \
			     : -1]) *                                                                                 \
		sizeof(variable))
/* As _SIZE; what is no integer does not compile. */
#define FLAGSTONE_PERCPU_INTEGER(variable) (FLAGSTONE_PERCPU_SIZE(variable) + 0 * sizeof((variable)&1))
/* value, converted to the variable's type, as 64 bits, and back. */
#define FLAGSTONE_PERCPU_BITS(variable, value)                                                              \
	__extension__({                                                                                     \
		__typeof__(variable) flagstone_value = (value);                                             \
		uint64_t flagstone_bits = 0;                                                                \
		__builtin_memcpy(&flagstone_bits, (const void *)&flagstone_value, sizeof(flagstone_value)); \
		flagstone_bits;                                                                             \
	})
#define FLAGSTONE_PERCPU_VALUE(variable, bits)                                                          \
	__extension__({                                                                                 \
		uint64_t flagstone_result = (bits);                                                     \
		__typeof__(variable) flagstone_typed;                                                   \
		__builtin_memcpy((void *)&flagstone_typed, &flagstone_result, sizeof(flagstone_typed)); \
		flagstone_typed;                                                                        \
	})
#define FLAGSTONE_PERCPU_ADDRESS(variable) ((void *)(uintptr_t) & (variable))

/* The value; variable = value. */
#define this_cpu_read(variable) \
	FLAGSTONE_PERCPU_VALUE( \
		variable, flagstone_percpu_read(FLAGSTONE_PERCPU_ADDRESS(variable), FLAGSTONE_PERCPU_SIZE(variable)))
#define this_cpu_write(variable, value)                                                             \
	flagstone_percpu_write(FLAGSTONE_PERCPU_ADDRESS(variable), FLAGSTONE_PERCPU_SIZE(variable), \
		FLAGSTONE_PERCPU_BITS(variable, value))
/* variable += value, and so on. No result. */
#define this_cpu_add(variable, value)                                                                \
	flagstone_percpu_add(FLAGSTONE_PERCPU_ADDRESS(variable), FLAGSTONE_PERCPU_INTEGER(variable), \
		FLAGSTONE_PERCPU_BITS(variable, value))
#define this_cpu_sub(variable, value) this_cpu_add(variable, -(__typeof__(variable))(value))
#define this_cpu_inc(variable) this_cpu_add(variable, 1)
#define this_cpu_dec(variable) this_cpu_sub(variable, 1)
#define this_cpu_and(variable, value)                                                                \
	flagstone_percpu_and(FLAGSTONE_PERCPU_ADDRESS(variable), FLAGSTONE_PERCPU_INTEGER(variable), \
		FLAGSTONE_PERCPU_BITS(variable, value))
#define this_cpu_or(variable, value)                                                                \
	flagstone_percpu_or(FLAGSTONE_PERCPU_ADDRESS(variable), FLAGSTONE_PERCPU_INTEGER(variable), \
		FLAGSTONE_PERCPU_BITS(variable, value))
/* As this_cpu_add; the result is the new value. */
#define this_cpu_add_return(variable, value)                                              \
	FLAGSTONE_PERCPU_VALUE(                                                           \
		variable, flagstone_percpu_add_return(FLAGSTONE_PERCPU_ADDRESS(variable), \
				  FLAGSTONE_PERCPU_INTEGER(variable), FLAGSTONE_PERCPU_BITS(variable, value)))
#define this_cpu_sub_return(variable, value) this_cpu_add_return(variable, -(__typeof__(variable))(value))
#define this_cpu_inc_return(variable) this_cpu_add_return(variable, 1)
#define this_cpu_dec_return(variable) this_cpu_sub_return(variable, 1)
/* variable = value; the result is the old value. */
#define this_cpu_xchg(variable, value)                                                                               \
	FLAGSTONE_PERCPU_VALUE(                                                                                      \
		variable, flagstone_percpu_xchg(FLAGSTONE_PERCPU_ADDRESS(variable), FLAGSTONE_PERCPU_SIZE(variable), \
				  FLAGSTONE_PERCPU_BITS(variable, value)))
/* If variable is old, variable = value. The result is what it was. */
#define this_cpu_cmpxchg(variable, old, value)                                                                \
	FLAGSTONE_PERCPU_VALUE(variable,                                                                      \
		flagstone_percpu_cmpxchg(FLAGSTONE_PERCPU_ADDRESS(variable), FLAGSTONE_PERCPU_SIZE(variable), \
			FLAGSTONE_PERCPU_BITS(variable, old), FLAGSTONE_PERCPU_BITS(variable, value)))

/*
 * The forms for callers that have interrupts or preemption off already, or do not mind on which CPU they are: Linux lets these
 * be split by an interrupt; here they are not.
 */
#define __this_cpu_read(variable) this_cpu_read(variable)
#define __this_cpu_write(variable, value) this_cpu_write(variable, value)
#define __this_cpu_add(variable, value) this_cpu_add(variable, value)
#define __this_cpu_sub(variable, value) this_cpu_sub(variable, value)
#define __this_cpu_inc(variable) this_cpu_inc(variable)
#define __this_cpu_dec(variable) this_cpu_dec(variable)
#define __this_cpu_and(variable, value) this_cpu_and(variable, value)
#define __this_cpu_or(variable, value) this_cpu_or(variable, value)
#define __this_cpu_add_return(variable, value) this_cpu_add_return(variable, value)
#define __this_cpu_sub_return(variable, value) this_cpu_sub_return(variable, value)
#define __this_cpu_inc_return(variable) this_cpu_inc_return(variable)
#define __this_cpu_dec_return(variable) this_cpu_dec_return(variable)
#define __this_cpu_xchg(variable, value) this_cpu_xchg(variable, value)
#define __this_cpu_cmpxchg(variable, old, value) this_cpu_cmpxchg(variable, old, value)

#define raw_cpu_read(variable) this_cpu_read(variable)
#define raw_cpu_write(variable, value) this_cpu_write(variable, value)
#define raw_cpu_add(variable, value) this_cpu_add(variable, value)
#define raw_cpu_sub(variable, value) this_cpu_sub(variable, value)
#define raw_cpu_inc(variable) this_cpu_inc(variable)
#define raw_cpu_dec(variable) this_cpu_dec(variable)
#define raw_cpu_and(variable, value) this_cpu_and(variable, value)
#define raw_cpu_or(variable, value) this_cpu_or(variable, value)
#define raw_cpu_add_return(variable, value) this_cpu_add_return(variable, value)
#define raw_cpu_sub_return(variable, value) this_cpu_sub_return(variable, value)
#define raw_cpu_inc_return(variable) this_cpu_inc_return(variable)
#define raw_cpu_dec_return(variable) this_cpu_dec_return(variable)
#define raw_cpu_xchg(variable, value) this_cpu_xchg(variable, value)
#define raw_cpu_cmpxchg(variable, old, value) this_cpu_cmpxchg(variable, old, value)

#endif
