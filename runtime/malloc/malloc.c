/*
 * malloc.c: the C library's allocation functions on flagstone.
 *
 * Calls the slab room's fast paths, then its objects.c. All that is libc's and not the kernel's lives here: errno, alignment
 * rules, what zero and overflow mean. Semantics: malloc(3), posix_memalign(3), malloc_usable_size(3).
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/malloc/face.h"
#include "runtime/reclaim/reclaim.h"
#include "runtime/slab/fast.h"

#define TRIM_INTERVAL_NS 100000000u
#define TRIMS_AN_INTERVAL 16
#define TRIM_WORTH (1ul << 20)

/* Draws the reclaim room into programs that link the archive. */
static void (*const reclaim_wanted)(void) __attribute__((used)) = reclaim_boot;

/* Draws info.c, and with it the statistics at exit, into programs that link the archive. */
static struct mallinfo2 (*const info_wanted)(void) __attribute__((used)) = mallinfo2;

static __attribute__((noinline)) void *malloc_slow(size_t size, size_t align, unsigned int flags)
{
	void *object = object_alloc(size, align, flags);

	if (unlikely(!object))
		errno = ENOMEM;
	return object;
}

/* Sizes beyond the table, and empty magazines. */
static __attribute__((noinline)) void *malloc_medium(size_t size)
{
	void *object = size > SIZE_TABLE_MAX ? medium_alloc(size) : NULL;

	return likely(object) ? object : malloc_slow(size, MALLOC_ALIGN, 0);
}

EXPORT void *malloc(size_t size)
{
	void *object = fast_alloc(size);

	if (likely(object))
		return object;
	return malloc_medium(size);
}

/* Who answers to the name in this process: the dynamic linker fills it in. */
static void *(*volatile process_malloc)(size_t size) = malloc;
static void *own_malloc(size_t size) __attribute__((alias("malloc"), malloc, alloc_size(1), nothrow));

/* Opened beside another malloc, threads may start before they come here: then boot goes first. */
static __attribute__((constructor(101))) void malloc_constructor(void)
{
	if (process_malloc == own_malloc)
		slab_boot_later();
}

EXPORT void free(void *object)
{
	if (unlikely(!fast_free(object)))
		object_free(object);
}

EXPORT void *calloc(size_t n, size_t size)
{
	void *object;
	size_t bytes;

	if (unlikely(__builtin_mul_overflow(n, size, &bytes))) {
		errno = ENOMEM;
		return NULL;
	}
	object = fast_alloc(bytes);
	if (likely(object))
		return memset(object, 0, bytes);
	return malloc_slow(bytes, MALLOC_ALIGN, ALLOC_ZERO);
}

EXPORT void *realloc(void *object, size_t size)
{
	void *resized;

	if (!object)
		return malloc(size);
	if (!size) {
		free(object);
		return NULL;
	}
	resized = object_resize(object, size, MALLOC_ALIGN);
	if (unlikely(!resized))
		errno = ENOMEM;
	return resized;
}

EXPORT void *reallocarray(void *object, size_t n, size_t size)
{
	size_t bytes;

	if (unlikely(__builtin_mul_overflow(n, size, &bytes))) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(object, bytes);
}

/* The power of two that glibc makes of any alignment; 0 if there is none. */
static size_t round_alignment(size_t align)
{
	size_t power = MALLOC_ALIGN;

	while (power && power < align)
		power *= 2;
	return power;
}

EXPORT void *memalign(size_t align, size_t size)
{
	size_t power = round_alignment(align);

	if (!power) {
		errno = EINVAL;
		return NULL;
	}
	return malloc_slow(size, power, 0);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	void *object;

	if (align % sizeof(void *) || !align || (align & (align - 1)))
		return EINVAL;
	object = object_alloc(size, align, 0);
	if (!object)
		return ENOMEM;
	*out = object;
	return 0;
}

EXPORT void *valloc(size_t size)
{
	return malloc_slow(size, host_page_size(), 0);
}

EXPORT void *pvalloc(size_t size)
{
	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	return malloc_slow(ALIGN_UP(size ? size : 1, host_page_size()), host_page_size(), 0);
}

EXPORT size_t malloc_usable_size(void *object)
{
	return object ? object_size(object) : 0;
}

EXPORT void cfree(void *object)
{
	free(object);
}

EXPORT void free_sized(void *object, size_t size)
{
	(void)size;
	free(object);
}

EXPORT void free_aligned_sized(void *object, size_t align, size_t size)
{
	(void)align;
	(void)size;
	free(object);
}

/* Whether this is one of the first trims of its interval. */
static bool trim_is_rare(void)
{
	static uint64_t interval; /* Synchronization: atomic, both; a thread too many or too few does no harm */
	static unsigned int nr;
	uint64_t now = host_clock_ns() / TRIM_INTERVAL_NS;

	if (__atomic_exchange_n(&interval, now, __ATOMIC_RELAXED) != now)
		__atomic_store_n(&nr, 0, __ATOMIC_RELAXED);
	return __atomic_add_fetch(&nr, 1, __ATOMIC_RELAXED) <= TRIMS_AN_INTERVAL;
}

/*
 * Programs that call this all the time would spend their time on emptying and refilling magazines: from the seventeenth call
 * in a tenth of a second on only free pages go, and only if they are worth it.
 */
EXPORT int malloc_trim(size_t keep)
{
	if (!slab_boot())
		return 0;
	if (trim_is_rare())
		return slab_trim(keep) > 0;
	return page_releasable() / 2 >= keep / 2 + TRIM_WORTH / 2 && slab_trim_pages(keep) > 0;
}

/* glibc's knobs steer structures that do not exist here: known ones are taken as set. */
EXPORT int mallopt(int param, int value)
{
	(void)value;
	return param == M_MXFAST || (param <= M_TRIM_THRESHOLD && param >= M_ARENA_MAX);
}
