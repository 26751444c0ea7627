/*
 * host.h: the operating system, as the rest of flagstone sees it.
 *
 * The only room that makes system calls. All of them are raw: nothing here touches errno, allocates, or can be
 * interposed, so every function may be called before main, on an allocation path and in a signal handler.
 * Failures are NULL or -errno.
 */
#ifndef RUNTIME_HOST_H
#define RUNTIME_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- address space: sizes and addresses are multiples of the base page, anonymous and private ---- */

/* Reserves size bytes at a multiple of align (a power of two >= 4096) without access rights. */
void *host_reserve(size_t size, size_t align);
/* Makes a reserved range readable and writable. Returns 0 or -errno. */
int host_commit(void *addr, size_t size);
/* Maps readable, writable memory; NULL when out of memory or address space. */
void *host_map(size_t size);
/* As host_map, at a multiple of align. */
void *host_map_aligned(size_t size, size_t align);
/* Maps readable, writable memory at exactly addr, and only if nothing is there: -EEXIST otherwise. */
int host_map_at(void *addr, size_t size);
/* As host_map_at, without access rights. */
int host_reserve_at(void *addr, size_t size);
/* Takes a range's access rights away; its contents stay. host_commit gives them back. Returns 0 or -errno. */
int host_forbid(void *addr, size_t size);
/* A process that has all the mappings it may have cannot split one: then the frames go back, and the addresses stay taken. */
void host_unmap(void *addr, size_t size);
/* Resizes a mapping, moving it if may_move. NULL on failure: the old mapping stays. */
void *host_remap(void *addr, size_t old_size, size_t new_size, bool may_move);
/* Gives the frames back to the OS; the range stays mapped and reads as zero. Returns 0 or -errno. */
int host_discard(void *addr, size_t size);
/* Faults the range in at once. Returns 0 or -errno (-EINVAL on kernels that cannot). */
int host_populate(void *addr, size_t size);
/* A file of size bytes in memory, which read as zero, closed on exec. Returns a descriptor out of the way of a program's own, or
 * -errno. */
int host_memfd(const char *name, size_t size);
/* Maps size bytes of it from offset on, shared, readable and writable, in place of what is at addr. Returns 0 or -errno. */
int host_map_shared_at(void *addr, size_t size, int fd, size_t offset);
/* Makes a range of such a file read as zero, wherever it is mapped. Returns 0 or -errno. */
int host_clear_shared(int fd, size_t offset, size_t size);
enum host_thp { HOST_THP_NEVER, HOST_THP_ALWAYS };
/* Advises the kernel about huge pages for a range; best effort. */
void host_advise_thp(void *addr, size_t size, enum host_thp policy);

/* Bytes of address space that the process may map (RLIMIT_AS), SIZE_MAX if unlimited. */
size_t host_address_space_limit(void);
/* Bytes of RAM in the machine. */
size_t host_ram_bytes(void);
/* Base page size of the kernel, from the auxiliary vector. */
size_t host_page_size(void);
/* Whether an address lies in a part of the program, not of a shared library, that is mapped without the right to write. */
bool host_is_constant(const void *addr);
/* Resident bytes of this process now, 0 when unreadable. */
size_t host_resident_bytes(void);

/* ---- threads, time, signals ---- */

uint32_t host_gettid(void);
uint32_t host_getpid(void);
uint64_t host_clock_ns(void); /* CLOCK_MONOTONIC */
void host_yield(void);
void host_relax(void); /* one turn of a spin loop */
/* Sleeps while *word == value; may wake spuriously. */
void host_futex_wait(uint32_t *word, uint32_t value);
/* As host_futex_wait, for at most ns nanoseconds. */
void host_futex_wait_for(uint32_t *word, uint32_t value, uint64_t ns);
void host_futex_wake(uint32_t *word, int nr_waiters);

/*
 * Starts the one background thread of this process, which runs body() and ends when that returns; at most one at a time.
 * Every signal is blocked in it. libc does not know of it: body() may call nothing of libc's but string functions, and of
 * this library's thread-local variables it has zeroed copies, which prepare(thread pointer) may fill in before it starts.
 * They lie within tls_bytes of the thread pointer, the same number each time: how many depends on the program's own ones.
 * Builds with a sanitizer, which has to know each thread, start one of libc's.
 *
 * Returns 0, -EBUSY if the last one has not ended yet, or -errno. Any context with signals blocked.
 */
int host_thread_start(void (*body)(void), void (*prepare)(char *thread_pointer), size_t tls_bytes);
/* Whether it has not ended. */
bool host_thread_runs(void);
/* In a fork child, which has no such thread. */
void host_thread_forget(void);
/* This process's user ids differ from those of the calling thread, or cannot be told. */
bool host_ids_changed(void);

/* Saved signal mask of a thread: the kernel's 64-bit set. */
typedef uint64_t host_sigmask_t;
/* Blocks every signal of this thread, returns the mask to restore. */
host_sigmask_t host_signals_block(void);
void host_signals_restore(host_sigmask_t mask);
/* What these two do instead in a process that is a simulated machine, whose interrupts are masked without a system call.
 * NULL: the above. Synchronization: set while one thread uses the library. */
struct host_mask_ops {
	host_sigmask_t (*block)(void);
	void (*restore)(host_sigmask_t mask);
};
extern const struct host_mask_ops *host_mask_ops;
/* Sends a signal to one thread of this process. */
void host_kick(uint32_t tid, int signal);

/* An upper bound of the CPU numbers that the kernel may ever report (exclusive), >= 1: the size of the kernel's masks,
 * or what sysfs says where that is more than CONFIG_NR_CPUS. */
unsigned int host_nr_cpu_ids(void);

/* Sets this thread's base of the segment %gs by a system call. Returns 0 or -errno; -ENOSYS on ISAs without one. */
int host_set_gs_base(unsigned long base);
/* Whether the wrgsbase instruction, which does the same, may be used. */
bool host_has_fsgsbase(void);

/* Registers a struct rseq of size bytes for this thread. Returns 0 or -errno. */
int host_rseq_register(void *area, uint32_t size, uint32_t signature);
/* Bytes of struct rseq that the kernel fills in: 20 where it says nothing, 28 and more with mm_cid. */
size_t host_rseq_feature_size(void);
/* Registers this process for the two expedited barriers. Returns 0 or -errno. */
int host_membarrier_register(void);
/* Restarts the rseq critical section that any thread of the process is in. Returns 0 or -errno. */
int host_membarrier_rseq(void);
/* A full memory barrier on every running thread of the process. Returns 0 or -errno. */
int host_membarrier(void);

/* ---- environment, files, output ---- */

/* Value of an environment variable or NULL. The string is the environment's own. Works before constructors run: from
 * what host_set_environment() was given, or else from /proc, until libc has set environ. */
const char *host_getenv(const char *name);
/* The environment as a constructor received it. Saves host_getenv a read of /proc. */
void host_set_environment(char **environment);
/* Reads at most size - 1 bytes of a file, terminates them. Returns the bytes read or -errno. */
long host_read_file(const char *path, char *buffer, size_t size);
/* Opens a file for reading, to read it in pieces. Returns a descriptor or -errno. */
int host_open(const char *path);
/* Reads at most size bytes. Returns the bytes read, 0 at the end, or -errno. */
long host_read(int fd, char *buffer, size_t size);
void host_close(int fd);
/* Copies memory of this process that may not be mapped. False: it is not, or that cannot be asked. */
bool host_peek(const void *from, void *to, size_t size);
/* Writes everything, resuming after interruptions; errors are dropped: there is nobody to tell. */
void host_write(int fd, const char *text, size_t length);
/* A copy of a descriptor, out of the way of a program's own (256 and up), closed on exec; or -errno. */
int host_duplicate(int fd);
/* Ends the process with SIGABRT, whatever handlers are installed. */
void host_abort(void) __attribute__((noreturn));
/* Replaces the process image by /proc/self/exe. Returns -errno if it could not. */
int host_exec_self(char *const argv[], char *const envp[]);

#endif
