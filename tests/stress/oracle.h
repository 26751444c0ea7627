/*
 * oracle.h: random multi-threaded stress of any allocator, which checks everything that an allocator promises.
 *
 * Calls the allocator through function pointers, so that malloc, kmalloc and a broken allocator made on purpose can all
 * be run under it. Its own memory comes from mmap.
 *
 * What it sees: two live blocks that share a byte (at once, by a shadow map); a byte that changed while its block was
 * live (at free, every byte); a block below its alignment; calloc's memory that is not zero; realloc that loses
 * contents; a usable size below the size asked for; blocks that do not come back (resident memory grows past what is
 * live, or the allocator's own count of live objects does not return to where it began).
 */
#ifndef TESTS_STRESS_ORACLE_H
#define TESTS_STRESS_ORACLE_H

#include <stddef.h>
#include <stdint.h>

struct allocator_ops {
	const char *name;
	void *(*alloc)(size_t size);
	void (*release)(void *block);
	/* Those below may be NULL: then they are not part of the mix. */
	void *(*alloc_zeroed)(size_t size);
	void *(*resize)(void *block, size_t size); /* as realloc with size > 0 */
	void *(*alloc_aligned)(size_t align, size_t size);
	size_t (*usable)(void *block);
	size_t (*nr_live)(void); /* objects that the allocator believes are live; compared before and after */
	size_t max_size; /* largest size to ask for; 0: 48 MiB */
	size_t max_align; /* largest alignment to ask for; 0: 1 MiB */
	size_t min_align; /* of every block above 8 bytes; 0: 16. Blocks up to 8 bytes: 8 */
};

/* Exit status of a process whose oracle found a fault. */
enum oracle_fault {
	ORACLE_OVERLAP = 10,
	ORACLE_CORRUPT = 11,
	ORACLE_LOST = 12,
	ORACLE_MISALIGNED = 13,
	ORACLE_NOT_ZERO = 14,
	ORACLE_NULL = 15,
	ORACLE_SHORT = 16,
};

struct oracle_config {
	const struct allocator_ops *ops;
	unsigned int nr_threads; /* 1 .. 256 */
	double seconds;
	uint64_t seed;
	size_t live_bytes; /* bound of the bytes live at once, all threads together; 0: 192 MiB */
	/* RssAnon may exceed 4 * live_bytes + 2 * max_size + this; 0: 96 MiB; SIZE_MAX: never checked */
	size_t resident_slop;
};

struct oracle_result {
	unsigned long nr_allocs;
	unsigned long nr_frees; /* == nr_allocs */
	unsigned long nr_resizes;
	unsigned long nr_crossed; /* blocks freed by another thread than the one that allocated them */
	size_t peak_live; /* bytes, upper estimate */
	size_t peak_resident; /* RssAnon, sampled */
};

/* Runs to the end and fills the result. A fault prints one "FAIL: oracle: ..." line and ends the process with the
 * status of that fault. */
void oracle_run(const struct oracle_config *config, struct oracle_result *result);

#endif
