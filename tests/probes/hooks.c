/*
 * hooks.c: functions under the names of libc's that map memory, read files, look for symbols or limits; each allocates.
 *
 * The executable's definitions come first for every library but libc itself. Includes no header that declares the true ones,
 * so that one shape does for all: they are called, and fail.
 */
#include "tests/probes/hooks.h"

void *malloc(unsigned long size);
void free(void *block);

unsigned long hooks_called;
const char *hooks_last;

static long hook_result(const char *name)
{
	static int busy;

	hooks_called++;
	hooks_last = name;
	if (busy)
		return -1;
	busy = 1;
	free(malloc(100));
	busy = 0;
	return -1;
}

#define HOOK(name)                                                   \
	long name(void);                                             \
	__attribute__((visibility("default"), used)) long name(void) \
	{                                                            \
		return hook_result(#name);                           \
	}

HOOK(mmap)
HOOK(mmap64)
HOOK(munmap)
HOOK(mprotect)
HOOK(madvise)
HOOK(mremap)
HOOK(sbrk)
HOOK(brk)
HOOK(open)
HOOK(open64)
HOOK(openat)
HOOK(openat64)
HOOK(read)
HOOK(close)
HOOK(fopen)
HOOK(prctl)
HOOK(syscall)
HOOK(sysconf)
HOOK(sysinfo)
HOOK(getrlimit)
HOOK(getrlimit64)
HOOK(prlimit)
HOOK(prlimit64)
HOOK(get_nprocs)
HOOK(get_nprocs_conf)
HOOK(sched_getcpu)
HOOK(sched_getaffinity)
HOOK(sched_yield)
HOOK(sigprocmask)
HOOK(pthread_sigmask)
HOOK(pthread_mutex_lock)
HOOK(pthread_mutex_unlock)
HOOK(pthread_getattr_np)
HOOK(clock_gettime)
HOOK(gettimeofday)
HOOK(getpid)
HOOK(gettid)
HOOK(dlsym)
HOOK(dlopen)
HOOK(dl_iterate_phdr)

long hooks_try(void)
{
	return sched_yield();
}
