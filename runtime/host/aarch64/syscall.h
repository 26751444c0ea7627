/*
 * aarch64/syscall.h: the system call instruction and the spin hint of AArch64.
 *
 * Calls nothing. Knows no call numbers: host.c names them.
 */
#ifndef RUNTIME_HOST_SYSCALL_H
#define RUNTIME_HOST_SYSCALL_H

#include <errno.h>
#include <stdint.h>

/* return kernel[nr](a, b, c, d, e, f): a value, or -errno. */
static inline long syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
	return x0;
}

/* As x86_64/syscall.h's; on this ISA the kernel takes tls before the second tid. */
static inline long clone_thread(long nr, long flags, void *stack, uint32_t *tid, void *tls, void (*body)(void))
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = flags;
	register long x1 __asm__("x1") = (long)stack;
	register long x2 __asm__("x2") = (long)tid;
	register long x3 __asm__("x3") = (long)tls;
	register long x4 __asm__("x4") = (long)tid;
	register long x9 __asm__("x9") = (long)body;

	__asm__ volatile("svc #0\n"
			 "\tcbnz x0, 1f\n"
			 "\tmov x29, xzr\n"
			 "\tmov x30, xzr\n"
			 "\tblr x9\n"
			 "\tbrk #0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x9)
			 : "memory", "cc");
	return x0;
}

#define HAS_GS_BASE 0

/* There is no such register. */
static inline long set_gs_base(unsigned long base)
{
	(void)base;
	return -ENOSYS;
}

/* Tells the core that this is a spin loop. `isb` waits long enough to matter; `yield` is a no-op on most cores. */
static inline void cpu_relax(void)
{
	__asm__ volatile("isb" ::: "memory");
}

#endif
