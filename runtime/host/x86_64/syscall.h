/*
 * x86_64/syscall.h: the system call instruction and the spin hint of x86-64.
 *
 * Calls nothing. Knows no call numbers: host.c names them.
 */
#ifndef RUNTIME_HOST_SYSCALL_H
#define RUNTIME_HOST_SYSCALL_H

/* return kernel[nr](a, b, c, d, e, f): a value, or -errno. The kernel clobbers rcx and r11. */
static inline long syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* Tells the core that this is a spin loop. */
static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

#endif
