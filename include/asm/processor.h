/*
 * asm/processor.h: cpu_relax().
 *
 * Semantics: Linux, Documentation/process/volatile-considered-harmful.rst. Any context.
 */
#ifndef FLAGSTONE_ASM_PROCESSOR_H
#define FLAGSTONE_ASM_PROCESSOR_H

#if defined(__x86_64__)
#define FLAGSTONE_CPU_RELAX "pause"
#elif defined(__aarch64__)
#define FLAGSTONE_CPU_RELAX "yield"
#else
#define FLAGSTONE_CPU_RELAX ""
#endif

/* Tells the CPU that this is a loop that waits, and the compiler that memory may have changed. It gives the CPU to no other task, as
 * cond_resched() would: wait so only for what another CPU or an interrupt does. */
static inline void cpu_relax(void)
{
	__asm__ __volatile__(FLAGSTONE_CPU_RELAX : : : "memory");
}

#endif
