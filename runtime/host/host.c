/*
 * host.c: the operating system by raw system calls.
 *
 * Calls the kernel, and of libc only what neither allocates nor waits: getauxval, and the string functions.
 * Refuses to know who asks: no locks, no reports, no tunables, no state but the page size and, before libc has set
 * environ, a copy of the environment.
 */
#include <errno.h>
#include <link.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "syscall.h"

#define AUXV_RSEQ_FEATURE_SIZE 27 /* AT_RSEQ_FEATURE_SIZE, younger than the libc headers */
#define HWCAP2_FSGSBASE 2 /* x86-64's bit of AT_HWCAP2, younger than the libc headers */
#define RSEQ_ORIGINAL_SIZE 20 /* what every kernel with rseq fills in */
#define KERNEL_SIGSET_BYTES 8
#define FIRST_HIGH_FD 256
#define ENVIRONMENT_BYTES 65536

static long call0(long nr)
{
	return syscall6(nr, 0, 0, 0, 0, 0, 0);
}

static long call2(long nr, long a, long b)
{
	return syscall6(nr, a, b, 0, 0, 0, 0);
}

static long call3(long nr, long a, long b, long c)
{
	return syscall6(nr, a, b, c, 0, 0, 0);
}

static long call4(long nr, long a, long b, long c, long d)
{
	return syscall6(nr, a, b, c, d, 0, 0);
}

static bool call_failed(long result)
{
	return (unsigned long)result >= -4095UL;
}

/* ---- address space ---- */

static void *map_at(void *addr, size_t size, int protection, int flags)
{
	long result =
		syscall6(SYS_mmap, (long)addr, (long)size, protection, flags | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return call_failed(result) ? NULL : (void *)result;
}

/* Maps align bytes too many, then unmaps what is before and after the aligned part. */
static void *map_aligned(size_t size, size_t align, int protection, int flags)
{
	size_t slack = align > host_page_size() ? align - host_page_size() : 0;
	size_t total, before;
	char *start, *aligned;

	if (__builtin_add_overflow(size, slack, &total))
		return NULL;
	start = map_at(NULL, total, protection, flags);
	if (!start || !slack)
		return start;
	aligned = (char *)ALIGN_UP((uintptr_t)start, align);
	before = (size_t)(aligned - start);
	if (before)
		host_unmap(start, before);
	if (before < slack)
		host_unmap(aligned + size, slack - before);
	return aligned;
}

void *host_reserve(size_t size, size_t align)
{
	return map_aligned(size, align, PROT_NONE, MAP_NORESERVE);
}

int host_commit(void *addr, size_t size)
{
	return (int)call3(SYS_mprotect, (long)addr, (long)size, PROT_READ | PROT_WRITE);
}

void *host_map(size_t size)
{
	return map_at(NULL, size, PROT_READ | PROT_WRITE, 0);
}

void *host_map_aligned(size_t size, size_t align)
{
	return map_aligned(size, align, PROT_READ | PROT_WRITE, 0);
}

/* Kernels before 4.17 do not know MAP_FIXED_NOREPLACE and take addr as a hint: hence the look at the result. */
static int map_exactly(void *addr, size_t size, int protection, int flags)
{
	flags |= MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS;
	long result = syscall6(SYS_mmap, (long)addr, (long)size, protection, flags, -1, 0);

	if (call_failed(result))
		return (int)result;
	if ((void *)result == addr)
		return 0;
	host_unmap((void *)result, size);
	return -EEXIST;
}

int host_map_at(void *addr, size_t size)
{
	return map_exactly(addr, size, PROT_READ | PROT_WRITE, 0);
}

int host_reserve_at(void *addr, size_t size)
{
	return map_exactly(addr, size, PROT_NONE, MAP_NORESERVE);
}

int host_forbid(void *addr, size_t size)
{
	return (int)call3(SYS_mprotect, (long)addr, (long)size, PROT_NONE);
}

void host_unmap(void *addr, size_t size)
{
	if (call2(SYS_munmap, (long)addr, (long)size) < 0)
		host_discard(addr, size);
}

void *host_remap(void *addr, size_t old_size, size_t new_size, bool may_move)
{
	long flags = may_move ? MREMAP_MAYMOVE : 0;
	long result = call4(SYS_mremap, (long)addr, (long)old_size, (long)new_size, flags);

	return call_failed(result) ? NULL : (void *)result;
}

int host_discard(void *addr, size_t size)
{
	return (int)call3(SYS_madvise, (long)addr, (long)size, MADV_DONTNEED);
}

int host_populate(void *addr, size_t size)
{
	return (int)call3(SYS_madvise, (long)addr, (long)size, MADV_POPULATE_WRITE);
}

int host_memfd(const char *name, size_t size)
{
	int low = (int)call2(SYS_memfd_create, (long)name, MFD_CLOEXEC);
	int fd, err;

	if (low < 0)
		return low;
	fd = host_duplicate(low);
	host_close(low);
	if (fd < 0)
		return fd;
	err = (int)call2(SYS_ftruncate, fd, (long)size);
	if (!err)
		return fd;
	host_close(fd);
	return err;
}

int host_map_shared_at(void *addr, size_t size, int fd, size_t offset)
{
	long result = syscall6(
		SYS_mmap, (long)addr, (long)size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED, fd, (long)offset);

	return call_failed(result) ? (int)result : 0;
}

int host_clear_shared(int fd, size_t offset, size_t size)
{
	static const char zeros[4096];
	long result = call4(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (long)offset, (long)size);

	/* A file system, or an emulator, that has no holes. */
	while (result < 0 && size) {
		size_t length = size < sizeof(zeros) ? size : sizeof(zeros);
		long written = call4(SYS_pwrite64, fd, (long)zeros, (long)length, (long)offset);

		if (written <= 0)
			return written ? (int)written : -EIO;
		offset += (size_t)written;
		size -= (size_t)written;
	}
	return 0;
}

void host_advise_thp(void *addr, size_t size, enum host_thp policy)
{
	call3(SYS_madvise, (long)addr, (long)size, policy == HOST_THP_ALWAYS ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

size_t host_address_space_limit(void)
{
	struct {
		uint64_t soft, hard;
	} limit;

	if (call4(SYS_prlimit64, 0, RLIMIT_AS, 0, (long)&limit) < 0)
		return SIZE_MAX;
	return limit.soft;
}

size_t host_ram_bytes(void)
{
	struct sysinfo info = {0};

	syscall6(SYS_sysinfo, (long)&info, 0, 0, 0, 0, 0);
	return info.totalram * (info.mem_unit ? info.mem_unit : 1);
}

/* getauxval tells "not there" by errno too, which is the program's. */
static unsigned long auxv_get(unsigned long type)
{
	int saved = errno;
	unsigned long value = getauxval(type);

	errno = saved;
	return value;
}

size_t host_page_size(void)
{
	static size_t page_size; /* Synchronization: atomic; every thread would store the same */
	size_t size = __atomic_load_n(&page_size, __ATOMIC_RELAXED);

	if (likely(size))
		return size;
	size = auxv_get(AT_PAGESZ);
	if (!size)
		size = 4096;
	__atomic_store_n(&page_size, size, __ATOMIC_RELAXED);
	return size;
}

/* What was added to the program's addresses when it was loaded: the table of its segments tells where it lies itself. */
static uintptr_t load_distance(const ElfW(Phdr) * table, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (table[i].p_type == PT_PHDR)
			return (uintptr_t)table - table[i].p_vaddr;
	return 0; /* linked to fixed addresses */
}

bool host_is_constant(const void *addr)
{
	const ElfW(Phdr) *table = (const ElfW(Phdr) *)auxv_get(AT_PHDR);
	size_t nr = table ? auxv_get(AT_PHNUM) : 0;
	uintptr_t linked = (uintptr_t)addr - load_distance(table, nr);

	for (size_t i = 0; i < nr; i++)
		if (table[i].p_type == PT_LOAD && !(table[i].p_flags & PF_W) &&
			linked - table[i].p_vaddr < table[i].p_memsz)
			return true;
	return false;
}

/* Reads a decimal number at *text and moves *text behind it. */
static unsigned long take_number(const char **text)
{
	unsigned long number = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++)
		number = number * 10 + (unsigned long)(**text - '0');
	return number;
}

size_t host_resident_bytes(void)
{
	char buffer[128];
	const char *text = buffer;

	if (host_read_file("/proc/self/statm", buffer, sizeof(buffer)) <= 0)
		return 0;
	take_number(&text);
	if (*text != ' ')
		return 0;
	text++;
	return take_number(&text) * host_page_size();
}

/* ---- threads, time, signals ---- */

uint32_t host_gettid(void)
{
	return (uint32_t)call0(SYS_gettid);
}

uint32_t host_getpid(void)
{
	return (uint32_t)call0(SYS_getpid);
}

uint64_t host_clock_ns(void)
{
	struct timespec now = {0};

	call2(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void host_yield(void)
{
	call0(SYS_sched_yield);
}

void host_relax(void)
{
	cpu_relax();
}

void host_futex_wait(uint32_t *word, uint32_t value)
{
	call4(SYS_futex, (long)word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, (long)value, 0);
}

void host_futex_wait_for(uint32_t *word, uint32_t value, uint64_t ns)
{
	struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};

	call4(SYS_futex, (long)word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, (long)value, (long)&timeout);
}

void host_futex_wake(uint32_t *word, int nr_waiters)
{
	call3(SYS_futex, (long)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, nr_waiters);
}

void host_kick(uint32_t tid, int signal)
{
	call3(SYS_tgkill, host_getpid(), (long)tid, signal);
}

static host_sigmask_t signals_set(host_sigmask_t mask)
{
	host_sigmask_t old = 0;

	call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, (long)&old, KERNEL_SIGSET_BYTES);
	return old;
}

const struct host_mask_ops *host_mask_ops;

host_sigmask_t host_signals_block(void)
{
	if (host_mask_ops)
		return host_mask_ops->block();
	return signals_set(~(host_sigmask_t)0);
}

void host_signals_restore(host_sigmask_t mask)
{
	if (host_mask_ops)
		host_mask_ops->restore(mask);
	else
		signals_set(mask);
}

/* The exclusive end of a list of ranges such as "0-3,8-11"; 0 when it is no such list. */
static unsigned int cpu_list_end(const char *list)
{
	unsigned long end = 0;

	while (*list >= '0' && *list <= '9') {
		unsigned long last = take_number(&list);

		end = last + 1 > end ? last + 1 : end;
		if (*list == '-' || *list == ',')
			list++;
	}
	return (unsigned int)end;
}

/*
 * The affinity call returns the bytes of the kernel's CPU masks: a bound that costs no file to read. Kernels built for
 * thousands of CPUs may overstate it, so that sysfs is asked where the bound would rule out per-CPU areas.
 */
unsigned int host_nr_cpu_ids(void)
{
	unsigned long mask[1024 / sizeof(long)];
	long bytes = call3(SYS_sched_getaffinity, 0, sizeof(mask), (long)mask);
	unsigned int bound = bytes > 0 ? (unsigned int)bytes * 8 : CONFIG_NR_CPUS + 1;
	char list[256];
	unsigned int end;

	if (bound <= CONFIG_NR_CPUS)
		return bound;
	if (host_read_file("/sys/devices/system/cpu/possible", list, sizeof(list)) <= 0)
		return bound;
	end = cpu_list_end(list);
	return end ? end : bound;
}

int host_set_gs_base(unsigned long base)
{
	return (int)set_gs_base(base);
}

bool host_has_fsgsbase(void)
{
	return HAS_GS_BASE && (auxv_get(AT_HWCAP2) & HWCAP2_FSGSBASE);
}

int host_rseq_register(void *area, uint32_t size, uint32_t signature)
{
	return (int)call4(SYS_rseq, (long)area, (long)size, 0, (long)signature);
}

size_t host_rseq_feature_size(void)
{
	unsigned long size = auxv_get(AUXV_RSEQ_FEATURE_SIZE);

	return size ? size : RSEQ_ORIGINAL_SIZE;
}

int host_membarrier_register(void)
{
	long result = call3(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);

	if (result < 0)
		return (int)result;
	return (int)call3(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0);
}

int host_membarrier_rseq(void)
{
	return (int)call3(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0);
}

int host_membarrier(void)
{
	return (int)call3(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

/* ---- environment, files, output ---- */

static char **given_environment start_data; /* Synchronization: written by the constructor, before there are threads */

start_code void host_set_environment(char **environment)
{
	given_environment = environment;
}

/* The value in "NAME=value" if the name is this one, or NULL. */
static const char *entry_value(const char *entry, const char *name, size_t length)
{
	return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

/*
 * The environment as the process was started with it, for calls that come before libc has set environ: the dynamic
 * linker allocates that early. What is beyond ENVIRONMENT_BYTES is not seen.
 */
static struct {
	enum { UNREAD, READING, READ } state; /* Synchronization: atomic */
	size_t length; /* Synchronization: const once state is READ */
	char text[ENVIRONMENT_BYTES]; /* Synchronization: const once state is READ */
} started_with;

/* Signals are blocked while READING, so that no handler can wait for the thread that it interrupted. */
static void started_with_read(void)
{
	host_sigmask_t mask = host_signals_block();
	__typeof__(started_with.state) expected = UNREAD;
	long length;

	if (__atomic_compare_exchange_n(
		    &started_with.state, &expected, READING, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		length = host_read_file("/proc/self/environ", started_with.text, sizeof(started_with.text));
		started_with.length = length > 0 ? (size_t)length : 0;
		/* Pairs with started_with_ready(): who sees READ sees the text. */
		__atomic_store_n(&started_with.state, READ, __ATOMIC_RELEASE);
	}
	host_signals_restore(mask);
}

/* False if another thread reads for ever: it does not exist here, in the child of a fork that met it. */
static bool started_with_ready(void)
{
	int tries;

	for (tries = 0; tries < 10000; tries++) {
		/* Pairs with started_with_read(): who sees READ sees the text. */
		if (__atomic_load_n(&started_with.state, __ATOMIC_ACQUIRE) == READ)
			return true;
		host_yield();
	}
	return false;
}

static const char *started_with_find(const char *name, size_t length)
{
	const char *entry, *value;

	started_with_read();
	if (!started_with_ready())
		return NULL;
	for (entry = started_with.text; entry < started_with.text + started_with.length; entry += strlen(entry) + 1) {
		value = entry_value(entry, name, length);
		if (value)
			return value;
	}
	return NULL;
}

start_code const char *host_getenv(const char *name)
{
	size_t length = strlen(name);
	const char *value;
	char **entry;

	if (!environ && !given_environment)
		return started_with_find(name, length);
	for (entry = environ ? environ : given_environment; *entry; entry++) {
		value = entry_value(*entry, name, length);
		if (value)
			return value;
	}
	return NULL;
}

int host_open(const char *path)
{
	return (int)call4(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);
}

long host_read(int fd, char *buffer, size_t size)
{
	long result;

	do
		result = call3(SYS_read, fd, (long)buffer, (long)size);
	while (result == -EINTR);
	return result;
}

void host_close(int fd)
{
	syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
}

long host_read_file(const char *path, char *buffer, size_t size)
{
	size_t length = 0;
	long result;
	int fd;

	if (!size)
		return -EINVAL;
	fd = host_open(path);
	if (fd < 0)
		return fd;
	do {
		result = host_read(fd, buffer + length, size - 1 - length);
		length += result > 0 ? (size_t)result : 0;
	} while (result > 0 && length < size - 1);
	host_close(fd);
	buffer[length] = '\0';
	return result < 0 ? result : (long)length;
}

static long write_all(int fd, const char *text, size_t length)
{
	while (length) {
		long result = call3(SYS_write, fd, (long)text, (long)length);

		if (result == -EINTR)
			continue;
		if (result <= 0)
			return result;
		text += result;
		length -= (size_t)result;
	}
	return 0;
}

/* A copy of the process's descriptor, in a thread that has a table of its own; or -errno. */
static int fetch_descriptor(int fd)
{
	int process = (int)call2(SYS_pidfd_open, host_getpid(), 0);
	int copy;

	if (process < 0)
		return process;
	copy = (int)call3(SYS_pidfd_getfd, process, fd, 0);
	host_close(process);
	return copy;
}

bool host_peek(const void *from, void *to, size_t size)
{
	struct iovec local = {to, size}, remote = {(void *)from, size};

	return syscall6(SYS_process_vm_readv, (long)host_getpid(), (long)&local, 1, (long)&remote, 1, 0) == (long)size;
}

void host_write(int fd, const char *text, size_t length)
{
	int copy;

	if (write_all(fd, text, length) != -EBADF)
		return;
	copy = fetch_descriptor(fd);
	if (copy < 0)
		return;
	write_all(copy, text, length);
	host_close(copy);
}

int host_duplicate(int fd)
{
	return (int)call3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FIRST_HIGH_FD);
}

/* The kernel's struct sigaction, not libc's; the same on both ISAs. */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	host_sigmask_t mask;
};

/* The signal is sent while blocked, and arrives when the mask opens: nothing can come between. */
void host_abort(void)
{
	struct kernel_sigaction standard = {.handler = SIG_DFL};

	signals_set(~(host_sigmask_t)0);
	call4(SYS_rt_sigaction, SIGABRT, (long)&standard, 0, KERNEL_SIGSET_BYTES);
	call3(SYS_tgkill, host_getpid(), host_gettid(), SIGABRT);
	signals_set(~((host_sigmask_t)1 << (SIGABRT - 1)));
	/* Process 1 of a container gets no signal by default. */
	for (;;)
		syscall6(SYS_exit_group, 127, 0, 0, 0, 0, 0);
}

int host_exec_self(char *const argv[], char *const envp[])
{
	return (int)call3(SYS_execve, (long)"/proc/self/exe", (long)argv, (long)envp);
}
