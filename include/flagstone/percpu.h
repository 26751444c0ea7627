/*
 * flagstone/percpu.h: where per-CPU variables live, for <linux/percpu-defs.h> and the library.
 *
 * The link address of a per-CPU variable is only a name: its section has no access rights while a machine is booted. The
 * variable of a CPU lies at a distance from that name, one distance a CPU, the same for every variable:
 *
 *	address on CPU c = link address + flagstone_percpu_distance[c]
 *
 * A pointer from alloc_percpu() is such a name too, in a range without access rights. On x86-64 the %gs base of a thread is
 * the distance of its CPU, so that one instruction, "add %gs:x", finds the variable and changes it. Elsewhere, and in builds
 * with a sanitizer, flagstone_percpu_op() does, with interrupts off.
 *
 * Limits: a variable is used by the program or shared library that defines it, no other (the linker says so of one that is
 * declared and not defined). Every object file that has such variables takes whole pages for them, on each CPU. GCC's link-time
 * optimization has to be in one partition (-flto-partition=one); else boot refuses the program, as it does any section that is
 * not whole pages.
 */
#ifndef FLAGSTONE_PERCPU_H
#define FLAGSTONE_PERCPU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FLAGSTONE_PERCPU_CPUS 256 /* most simulated CPUs */

#ifndef __has_feature
#define __has_feature(x) 0
#endif
/* Whether this translation unit uses %gs. Define FLAGSTONE_PERCPU_GENERIC for the version of other ISAs. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) &&                          \
	!defined(FLAGSTONE_PERCPU_GENERIC) && !__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer) && \
	!__has_feature(memory_sanitizer)
#define FLAGSTONE_PERCPU_GS 1
#else
#define FLAGSTONE_PERCPU_GS 0
#endif

/* Bytes, as text: the largest base page of the ISA. */
#ifdef __x86_64__
#define FLAGSTONE_PERCPU_PAGE "4096"
#else
#define FLAGSTONE_PERCPU_PAGE "65536"
#endif

/*
 * The section's part of each object file is padded to whole pages, so that nothing else shares them: subsection 1 comes
 * after the variables. flagstone_percpu_self, one a program or library, holds the distance of the CPU that reads it by %gs.
 * (Defined once too where link-time optimization makes one file of many.)
 */
__asm__(".ifndef flagstone_percpu_self\n"
	"\t.pushsection flagstone_percpu, \"awG\", %progbits, flagstone_percpu_self, comdat\n"
	"\t.balign " FLAGSTONE_PERCPU_PAGE "\n"
	"\t.weak flagstone_percpu_self\n"
	"\t.hidden flagstone_percpu_self\n"
	"\t.type flagstone_percpu_self, %object\n"
	"\t.size flagstone_percpu_self, 8\n"
	"flagstone_percpu_self:\n"
	"\t.quad 0\n"
	"\t.balign " FLAGSTONE_PERCPU_PAGE "\n"
	"\t.popsection\n"
	"\t.endif\n"
	"\t.pushsection flagstone_percpu, 1, \"aw\", %progbits\n"
	"\t.balign " FLAGSTONE_PERCPU_PAGE "\n"
	"\t.popsection\n");

#define FLAGSTONE_PERCPU_HIDDEN __attribute__((visibility("hidden")))
extern FLAGSTONE_PERCPU_HIDDEN unsigned long flagstone_percpu_self;
extern FLAGSTONE_PERCPU_HIDDEN char __start_flagstone_percpu[], __stop_flagstone_percpu[];

/* The per-CPU variables of one program or shared library. */
struct flagstone_percpu_section {
	char *start, *stop; /* link addresses. Synchronization: const */
	unsigned long *self; /* link address of its flagstone_percpu_self. Synchronization: const */
	struct flagstone_percpu_section *next; /* Synchronization: the library's */
};

/*
 * Makes the variables of a section known: each CPU of a booted machine, or of the next one, gets its copies. A section that
 * is known already is left alone. Context: task, constructors. A BUG report if a booted machine has no room for it.
 */
void flagstone_percpu_register(struct flagstone_percpu_section *section);
/* Forgets it, with the copies: before its library is unloaded. Context: task, destructors. */
void flagstone_percpu_unregister(struct flagstone_percpu_section *section);

/* One of each in a program or library, however many of its object files include this. */
extern struct flagstone_percpu_section flagstone_percpu_section;
__attribute__((weak)) FLAGSTONE_PERCPU_HIDDEN struct flagstone_percpu_section flagstone_percpu_section = {
	__start_flagstone_percpu, __stop_flagstone_percpu, &flagstone_percpu_self, NULL};
void flagstone_percpu_start(void);
void flagstone_percpu_end(void);

__attribute__((weak, constructor)) FLAGSTONE_PERCPU_HIDDEN void flagstone_percpu_start(void)
{
	flagstone_percpu_register(&flagstone_percpu_section);
}

__attribute__((weak, destructor)) FLAGSTONE_PERCPU_HIDDEN void flagstone_percpu_end(void)
{
	flagstone_percpu_unregister(&flagstone_percpu_section);
}

/* By CPU; 0 for those that the machine does not have, whose variables fault. Synchronization: const while a machine runs. */
extern unsigned long flagstone_percpu_distance[FLAGSTONE_PERCPU_CPUS];
/* Of the CPU that this thread holds; 0 if it holds none. Context: any. */
unsigned long flagstone_percpu_this_distance(void);

enum flagstone_percpu_operation {
	FLAGSTONE_PERCPU_READ,
	FLAGSTONE_PERCPU_WRITE,
	FLAGSTONE_PERCPU_ADD,
	FLAGSTONE_PERCPU_AND,
	FLAGSTONE_PERCPU_OR,
	FLAGSTONE_PERCPU_XCHG,
	FLAGSTONE_PERCPU_CMPXCHG,
};

/*
 * Does operation with value on this CPU's copy of the variable of 1, 2, 4 or 8 bytes at link address variable, with
 * interrupts off. CMPXCHG writes value if the variable is expected. Other CPUs may read meanwhile. Context: any.
 * Returns what the variable was, zero-extended.
 */
uint64_t flagstone_percpu_op(
	void *variable, size_t size, enum flagstone_percpu_operation operation, uint64_t value, uint64_t expected);

#ifdef __cplusplus
}
#endif

#endif
