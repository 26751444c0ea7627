/*
 * alloc.h: the allocators that are compared, each as a table of function pointers.
 *
 * Every one of them is called in the same way, through the pointers here, so that none gains from inlining or from
 * the procedure linkage table.
 */
#ifndef BENCH_ALLOC_H
#define BENCH_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

enum alloc_id { ALLOC_NONE, ALLOC_FLAGSTONE, ALLOC_JEMALLOC, ALLOC_MIMALLOC, ALLOC_TCMALLOC, ALLOC_GLIBC, NR_ALLOCS };

/* Synchronization: const after alloc_load_all(). */
struct alloc {
	const char *name;
	void *(*malloc)(size_t size);
	void (*free)(void *ptr);
	void *(*realloc)(void *ptr, size_t size);
	bool wanted;
	bool loaded;
	char path[512]; /* the file it came from, once loaded */
	char reason[512]; /* why it could not be loaded */
};

extern struct alloc allocs[NR_ALLOCS];

/* Peers are the allocators that flagstone is compared with: neither itself nor the empty harness. */
static inline bool alloc_is_peer(enum alloc_id id)
{
	return id > ALLOC_FLAGSTONE;
}

/* Loads all wanted allocators. flagstone: path of its library, or NULL to look beside this program. */
void alloc_load_all(const char *flagstone);

/* Loads one peer, for a program that is linked with flagstone. NULL: it cannot, and has said so on stderr. */
const struct alloc *alloc_load_peer(enum alloc_id id);

/*
 * Restarts the program once with a larger static TLS reserve. Some peers keep more thread-local data than the
 * default reserve holds, and cannot be loaded by dlopen() without it.
 */
void alloc_reserve_tls(char **argv);

#endif
