/*
 * x86_64/syscall.h: the system call instruction and the spin hint of x86-64.
 *
 * Calls nothing. Knows no call numbers: host.c names them.
 */
#ifndef RUNTIME_HOST_SYSCALL_H
#define RUNTIME_HOST_SYSCALL_H

#include <stdint.h>

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

/*
 * pid = kernel[clone](flags, stack, tid, tid, tls); in the new thread: body(), which must not return.
 *
 * The new thread starts with this thread's registers and another stack, so that everything it needs is in registers.
 */
static inline long clone_thread(long nr, long flags, void *stack, uint32_t *tid, void *tls, void (*body)(void))
{
	register long r10 __asm__("r10") = (long)tid;
	register long r8 __asm__("r8") = (long)tls;
	long result;

	__asm__ volatile("syscall\n"
			 "\ttest %%rax, %%rax\n"
			 "\tjnz 1f\n"
			 "\txor %%ebp, %%ebp\n"
			 "\tcall *%[body]\n"
			 "\tud2\n"
			 "1:"
			 : "=a"(result)
			 : "a"(nr), "D"(flags), "S"(stack), "d"(tid), "r"(r10), "r"(r8), [body] "b"(body)
			 : "rcx", "r11", "memory", "cc");
	return result;
}

#define HAS_GS_BASE 1

/* kernel[arch_prctl](ARCH_SET_GS, base): 0 or -errno. */
static inline long set_gs_base(unsigned long base)
{
	return syscall6(158, 0x1001, (long)base, 0, 0, 0, 0);
}

/* Tells the core that this is a spin loop. */
static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

#endif
