/*
 * checks.c: caches with SLAB_RED_ZONE, SLAB_POISON or SLAB_STORE_USER: every object is looked at when it comes and
 * when it goes.
 *
 * Behind each object lie a red zone of at least one word, up to the next object but for the records of
 * SLAB_STORE_USER: who allocated it last, and who freed it. A free object has an inactive red zone, and with
 * SLAB_POISON, unless there is a constructor, reads as poison. What has changed meanwhile was written by somebody
 * who had no right to.
 *
 * Called by ladder.c around the slabs. The values are the kernel's (linux/poison.h), since people know them from
 * reports.
 */
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/slab/internal.h"

#define RED_INACTIVE 0xbb
#define RED_ACTIVE 0xcc
#define POISON_FREE 0x6b
#define POISON_END 0xa5
#define RED_BYTES 8u
#define NR_FRAMES 10

struct user {
	uint64_t time_ns;
	uint32_t thread;
	uint32_t nr_frames; /* 0: never */
	uintptr_t frame[NR_FRAMES];
};

/* Synchronization: who has the object, or frees it */
struct users {
	struct user allocated, freed;
};

unsigned int checks_bytes(const struct kmem_cache *cache)
{
	unsigned int red = cache->debug & CACHE_CHECKED ? RED_BYTES : 0;

	return red + (cache->debug & CACHE_STORE_USER ? (unsigned int)sizeof(struct users) : 0);
}

static unsigned int users_offset(const struct kmem_cache *cache)
{
	return cache->debug & CACHE_STORE_USER ? cache->size - (unsigned int)sizeof(struct users) : cache->size;
}

static struct users *users_of(const struct kmem_cache *cache, void *object)
{
	return cache->debug & CACHE_STORE_USER ? (struct users *)((char *)object + users_offset(cache)) : NULL;
}

static bool is_poisoned(const struct kmem_cache *cache)
{
	return cache->debug & CACHE_POISON && !cache->ctor;
}

/* ---- who ---- */

static void user_take(struct user *user)
{
	const void *frame = __builtin_frame_address(0);
	uintptr_t start, end;

	user->time_ns = host_clock_ns();
	user->thread = host_gettid();
	user->nr_frames = 0;
	if (report_mapping((uintptr_t)frame, &start, &end))
		user->nr_frames = report_walk(frame, end, user->frame, NR_FRAMES);
}

static void user_report(const char *what, const struct user *user)
{
	if (!user->nr_frames)
		return;
	report_note("%s age=%lums pid=%u", what, (unsigned long)((host_clock_ns() - user->time_ns) / 1000000u),
		user->thread);
	report_stack(user->frame, user->nr_frames);
}

static void users_report(const struct kmem_cache *cache, void *object)
{
	const struct users *users = users_of(cache, object);
	struct user now;

	user_take(&now);
	report_stack(now.frame, now.nr_frames);
	if (!users)
		return;
	user_report("Allocated:", &users->allocated);
	user_report("Freed:", &users->freed);
}

/* ---- bytes ---- */

/* The first of size bytes that is not value; NULL if all are. */
static const unsigned char *first_other(const void *from, unsigned char value, size_t size)
{
	const unsigned char *byte = from;

	while (size && *byte == value)
		byte++, size--;
	return size ? byte : NULL;
}

static bool bytes_are(
	const struct kmem_cache *cache, void *object, const char *what, size_t offset, unsigned char value, size_t size)
{
	const unsigned char *from = (unsigned char *)object + offset, *bad = first_other(from, value, size);
	const unsigned char *end = from + size;

	if (likely(!bad))
		return true;
	while (end[-1] == value)
		end--;
	report_note("BUG: %s: %s overwritten", cache->name, what);
	report_note("%p-%p @offset=%zu. First byte 0x%x instead of 0x%x, object %p of %u bytes", bad, end - 1,
		(size_t)(bad - (unsigned char *)object), *bad, value, object, cache->object_size);
	users_report(cache, object);
	report_bug_end();
	return false;
}

static unsigned char *red_zone(const struct kmem_cache *cache, void *object)
{
	return (unsigned char *)object + cache->object_size;
}

static size_t red_size(const struct kmem_cache *cache)
{
	return users_offset(cache) - cache->object_size;
}

static bool red_zone_is(const struct kmem_cache *cache, void *object, unsigned char value)
{
	if (!(cache->debug & CACHE_RED_ZONE))
		return true;
	return bytes_are(cache, object, "Right Redzone", cache->object_size, value, red_size(cache));
}

static bool poison_is_whole(const struct kmem_cache *cache, void *object)
{
	size_t last = cache->object_size - 1;

	if (!is_poisoned(cache))
		return true;
	return bytes_are(cache, object, "Poison", 0, POISON_FREE, last) &&
	       bytes_are(cache, object, "Poison", last, POISON_END, 1);
}

static void poison(const struct kmem_cache *cache, void *object)
{
	if (!is_poisoned(cache))
		return;
	memset(object, POISON_FREE, cache->object_size - 1);
	((unsigned char *)object)[cache->object_size - 1] = POISON_END;
}

/* The red zone tells live objects from free ones in every such cache. */
static void set_red_zone(const struct kmem_cache *cache, void *object, unsigned char value)
{
	memset(red_zone(cache, object), value, red_size(cache));
}

/* ---- the interface ---- */

void checks_init(const struct kmem_cache *cache, void *object)
{
	struct users *users = users_of(cache, object);

	set_red_zone(cache, object, RED_INACTIVE);
	poison(cache, object);
	if (users)
		memset(users, 0, sizeof(*users));
}

void checks_alloc(const struct kmem_cache *cache, void *object)
{
	struct users *users = users_of(cache, object);

	if (red_zone_is(cache, object, RED_INACTIVE))
		poison_is_whole(cache, object);
	set_red_zone(cache, object, RED_ACTIVE);
	if (users)
		user_take(&users->allocated);
}

/* Whether p is where an object of the cache begins: else the slabs' own checks will tell. */
static bool is_object(struct kmem_cache *cache, const void *p)
{
	const struct page *slab = slab_of(p);
	size_t offset;

	if (!slab || slab->cache != cache)
		return false;
	offset = (size_t)((const char *)p - (char *)page_to_addr(slab));
	return offset % cache->size == 0 && offset / cache->size < slab->nr_objects;
}

bool checks_free(struct kmem_cache *cache, void *object)
{
	struct users *users;

	if (!is_object(cache, object))
		return true;
	if (!first_other(red_zone(cache, object), RED_INACTIVE, red_size(cache))) {
		report_note("BUG: double free of %p, an object of cache %s (%u bytes)", object, cache->name,
			cache->object_size);
		users_report(cache, object);
		report_bug_end();
		return false;
	}
	red_zone_is(cache, object, RED_ACTIVE);
	users = users_of(cache, object);
	if (users)
		user_take(&users->freed);
	poison(cache, object);
	set_red_zone(cache, object, RED_INACTIVE);
	return true;
}
