/*
 * alloc.c: finds and loads the allocators side by side.
 *
 * Calls the dynamic linker: RTLD_LOCAL keeps each library's malloc from becoming the process's, RTLD_DEEPBIND makes
 * its inner calls reach its own symbols. Refuses to know what is measured.
 */
#include "alloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <link.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TLS_TUNABLE "glibc.rtld.optional_static_tls"
#define TLS_RESERVE "65536"
#define TLS_MARK "FLAGSTONE_BENCH_RESTARTED"
#define NONE_SIZE ((size_t)64 << 20)

struct alloc allocs[NR_ALLOCS] = {
	[ALLOC_NONE] = {.name = "none"},
	[ALLOC_FLAGSTONE] = {.name = "flagstone"},
	[ALLOC_JEMALLOC] = {.name = "jemalloc"},
	[ALLOC_MIMALLOC] = {.name = "mimalloc"},
	[ALLOC_TCMALLOC] = {.name = "tcmalloc"},
	[ALLOC_GLIBC] = {.name = "glibc"},
};

static const char *const peer_files[NR_ALLOCS][3] = {
	[ALLOC_JEMALLOC] = {"libjemalloc.so.2"},
	[ALLOC_MIMALLOC] = {"libmimalloc.so.2", "libmimalloc.so.2.0"},
	[ALLOC_TCMALLOC] = {"libtcmalloc_minimal.so.4"},
	[ALLOC_GLIBC] = {"libc.so.6"},
};

/*
 * The empty harness: every allocation of a thread is the same block. Threads get blocks 256 bytes apart so that they
 * share no cache line where the benchmarks write first.
 */
static char *none_memory; /* Synchronization: const after none_load() */
static _Thread_local char *none_block;

static void *none_malloc(size_t size)
{
	static unsigned int next; /* Synchronization: atomic */

	(void)size;
	if (!none_block)
		none_block = none_memory + (__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % 4096) * 256;
	return none_block;
}

static void none_free(void *ptr)
{
	(void)ptr;
}

static void *none_realloc(void *ptr, size_t size)
{
	return ptr ? ptr : none_malloc(size);
}

static void none_load(struct alloc *a)
{
	none_memory = mmap(NULL, NONE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (none_memory == MAP_FAILED) {
		snprintf(a->reason, sizeof(a->reason), "no memory for its block");
		return;
	}
	a->malloc = none_malloc;
	a->free = none_free;
	a->realloc = none_realloc;
	a->loaded = true;
}

static void remember_failure(struct alloc *a, const char *error)
{
	const char *hint = strstr(error, "static TLS") ? " (needs GLIBC_TUNABLES=" TLS_TUNABLE "=" TLS_RESERVE ")" : "";

	snprintf(a->reason, sizeof(a->reason), "%s%s", error, hint);
}

/* glibc finds a library's own definition only if the handle's first map is asked: dlsym() also searches its needs. */
static bool comes_from(void *handle, void *symbol)
{
	struct link_map *map;
	Dl_info info;

	if (dlinfo(handle, RTLD_DI_LINKMAP, &map) || !dladdr(symbol, &info))
		return false;
	return info.dli_fbase == (void *)map->l_addr;
}

static bool take_symbols(struct alloc *a, void *handle)
{
	struct link_map *map;

	a->malloc = (void *(*)(size_t))dlsym(handle, "malloc");
	a->free = (void (*)(void *))dlsym(handle, "free");
	a->realloc = (void *(*)(void *, size_t))dlsym(handle, "realloc");
	if (!a->malloc || !a->free || !a->realloc || !comes_from(handle, (void *)a->malloc) ||
		!comes_from(handle, (void *)a->free) || !comes_from(handle, (void *)a->realloc)) {
		snprintf(a->reason, sizeof(a->reason), "the library has no malloc, free and realloc of its own");
		return false;
	}
	if (!dlinfo(handle, RTLD_DI_LINKMAP, &map))
		snprintf(a->path, sizeof(a->path), "%s", map->l_name);
	return true;
}

static bool load_file(struct alloc *a, const char *file)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);

	if (!handle) {
		if (!a->reason[0])
			remember_failure(a, dlerror());
		return false;
	}
	a->loaded = take_symbols(a, handle);
	return a->loaded;
}

static void load_peer(enum alloc_id id)
{
	for (int i = 0; i < 3 && peer_files[id][i]; i++)
		if (load_file(&allocs[id], peer_files[id][i]))
			return;
}

const struct alloc *alloc_load_peer(enum alloc_id id)
{
	const struct alloc *peer = &allocs[id];

	load_peer(id);
	if (peer->loaded)
		return peer;
	fprintf(stderr, "%s: no %s to compare with: %s\n", program_invocation_short_name, peer->name, peer->reason);
	return NULL;
}

static void load_flagstone(const char *given)
{
	static const char *const beside[] = {"../runtime/malloc", "..", "../lib", "."};
	struct alloc *a = &allocs[ALLOC_FLAGSTONE];
	char self[PATH_MAX] = "", path[PATH_MAX + 128];

	if (given) {
		load_file(a, strchr(given, '/') ? given : realpath(given, path) ? path : given);
		return;
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return;
	dirname(self);
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s/libflagstone-malloc.so", self, beside[i]);
		if (access(path, R_OK) == 0) {
			load_file(a, path);
			return;
		}
	}
	load_file(a, "libflagstone-malloc.so");
}

/* jemalloc first: it has the most thread-local data, and what static TLS there is goes to those who come first. */
void alloc_load_all(const char *flagstone)
{
	if (allocs[ALLOC_NONE].wanted)
		none_load(&allocs[ALLOC_NONE]);
	for (enum alloc_id id = ALLOC_JEMALLOC; id < NR_ALLOCS; id++)
		if (allocs[id].wanted)
			load_peer(id);
	if (allocs[ALLOC_FLAGSTONE].wanted)
		load_flagstone(flagstone);
}

void alloc_reserve_tls(char **argv)
{
	const char *old = getenv("GLIBC_TUNABLES");
	char value[1024];

	if (getenv(TLS_MARK)) {
		unsetenv(TLS_MARK);
		return;
	}
	if (old && strstr(old, TLS_TUNABLE))
		return;
	snprintf(value, sizeof(value), "%s%s" TLS_TUNABLE "=" TLS_RESERVE, old ? old : "", old && *old ? ":" : "");
	setenv("GLIBC_TUNABLES", value, 1);
	setenv(TLS_MARK, "1", 1);
	execv("/proc/self/exe", argv);
}
