/*
 * checks.c: caches with SLAB_RED_ZONE, SLAB_POISON or SLAB_STORE_USER, of their own or by slab_set_checks(): every
 * object is looked at when it comes and when it goes.
 *
 * Behind each object lie a red zone of at least one word, up to the next object but for the records of
 * SLAB_STORE_USER: who allocated it last, and who freed it; and of kmalloc's objects, the size that was asked for,
 * where the red zone of a live one begins. A free object has an inactive red zone, and with SLAB_POISON, unless there
 * is a constructor or the cache is typesafe, reads as poison. What has changed meanwhile was written by somebody who had no right to.
 *
 * Called by ladder.c around the slabs. The values are the kernel's (linux/poison.h), since people know them from
 * reports.
 */
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/slab/attempt.h"
#include "runtime/slab/internal.h"

#define RED_INACTIVE 0xbb
#define RED_ACTIVE 0xcc
#define POISON_FREE 0x6b
#define POISON_END 0xa5
#define RED_BYTES 8u
#define NR_FRAMES 10

struct user {
	uint64_t time_ns;
	struct alloc_who who; /* hosted, only the pid is known, which is the thread's */
	uint32_t nr_frames; /* 0: never */
	uintptr_t frame[NR_FRAMES];
};

/* Synchronization: who has the object, or frees it */
struct users {
	struct user allocated, freed;
};

/* ---- which caches ---- */

static const char *checks_text = ""; /* Synchronization: as slab_set_hooks() */

void slab_set_checks(const char *text)
{
	checks_text = text;
}

/* A letter; 0: it is none. */
static unsigned char check_of(char letter)
{
	switch (letter) {
	case 'F':
		return CACHE_SANE;
	case 'Z':
		return CACHE_RED_ZONE;
	case 'P':
		return CACHE_POISON;
	case 'U':
		return CACHE_STORE_USER;
	default:
		return 0;
	}
}

/* The letters of a block. Returns what follows them. */
static const char *letters_of(const char *block, unsigned char *debug)
{
	const char *end = block;

	*debug = 0;
	if (*end == '-')
		return end + 1;
	while (check_of(*end))
		*debug |= check_of(*end++);
	if (end == block)
		*debug = CACHE_CHECKED;
	return end;
}

/* Whether the names of a block, each after a colon, or that there are none, are a cache's. */
static bool names_match(const char *names, const char *name)
{
	if (*names != ':')
		return true;
	while (*names == ':') {
		size_t length = strcspn(++names, ":;");

		if (length && names[length - 1] == '*' ? !strncmp(names, name, length - 1)
						       : !strncmp(names, name, length) && !name[length])
			return true;
		names += length;
	}
	return false;
}

unsigned char checks_wanted(const char *name)
{
	const char *block = checks_text, *names;
	unsigned char debug;

	while (*block) {
		names = letters_of(block, &debug);
		if (names_match(names, name))
			return debug;
		block = names + strcspn(names, ";");
		block += *block == ';';
	}
	return 0;
}

unsigned char checks_wanted_of_sizes(const char *name)
{
	unsigned char debug = checks_wanted(name);

	return debug & CACHE_RED_ZONE ? debug | CACHE_SIZES : debug;
}

const char *slab_checks_bad(const char *text)
{
	unsigned char debug;

	while (*text) {
		text = letters_of(text, &debug);
		if (*text && *text != ':' && *text != ';')
			return text;
		text += strcspn(text, ";");
		text += *text == ';';
	}
	return NULL;
}

/* ---- what lies behind an object ---- */

unsigned int checks_bytes(const struct kmem_cache *cache)
{
	unsigned int red = cache->debug & CACHE_CHECKED ? RED_BYTES : 0;
	unsigned int asked = cache->debug & CACHE_SIZES ? (unsigned int)sizeof(size_t) : 0;

	return red + asked + (cache->debug & CACHE_STORE_USER ? (unsigned int)sizeof(struct users) : 0);
}

/* Where the red zone ends. */
static unsigned int users_offset(const struct kmem_cache *cache)
{
	return cache->size + RED_BYTES - checks_bytes(cache);
}

/* Of a cache with CACHE_SIZES. */
static size_t *asked_of(const struct kmem_cache *cache, void *object)
{
	return (size_t *)((char *)object + cache->size - sizeof(size_t));
}

static struct users *users_of(const struct kmem_cache *cache, void *object)
{
	return cache->debug & CACHE_STORE_USER ? (struct users *)((char *)object + users_offset(cache)) : NULL;
}

static bool is_poisoned(const struct kmem_cache *cache)
{
	return cache->debug & CACHE_POISON && !cache->ctor && !cache->typesafe;
}

/* ---- who ---- */

static void user_take(struct user *user)
{
	const void *frame = __builtin_frame_address(0);
	uintptr_t start, end;

	user->time_ns = host_clock_ns();
	user->nr_frames = 0;
	if (slab_machine) {
		user->who = slab_machine->who();
		user->nr_frames = slab_machine->stack(user->frame, NR_FRAMES);
		return;
	}
	user->who = (struct alloc_who){.pid = (int)host_gettid()};
	if (report_mapping((uintptr_t)frame, &start, &end))
		user->nr_frames = report_walk(frame, end, user->frame, NR_FRAMES);
}

static void user_report(const char *what, const struct user *user)
{
	unsigned long age = (unsigned long)((host_clock_ns() - user->time_ns) / 1000000u);

	if (!user->nr_frames)
		return;
	if (slab_machine)
		report_note(
			"%s age=%lums cpu=%d pid=%d comm=%s", what, age, user->who.cpu, user->who.pid, user->who.comm);
	else
		report_note("%s age=%lums pid=%d", what, age, user->who.pid);
	report_stack(user->frame, user->nr_frames);
}

static void both_report(const struct users *users)
{
	user_report("Allocated:", &users->allocated);
	user_report("Freed:", &users->freed);
}

static void users_report(const struct kmem_cache *cache, void *object)
{
	const struct users *users = users_of(cache, object);
	struct user now;

	user_take(&now);
	report_stack(now.frame, now.nr_frames);
	if (!users && slab_machine)
		slab_machine->history(object);
	if (users)
		both_report(users);
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

/* What kmalloc's caller did not ask for. */
static bool unasked_is_whole(const struct kmem_cache *cache, void *object)
{
	size_t asked = cache->debug & CACHE_SIZES ? *asked_of(cache, object) : cache->object_size;

	/* Else the size is overwritten, too, and the red zone before it has told. */
	if (asked >= cache->object_size)
		return true;
	return bytes_are(cache, object, "kmalloc Redzone", asked, RED_ACTIVE, cache->object_size - asked);
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

static bool is_free(const struct kmem_cache *cache, void *object)
{
	return !first_other(red_zone(cache, object), RED_INACTIVE, red_size(cache));
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
	if (cache->debug & CACHE_SIZES)
		*asked_of(cache, object) = cache->object_size;
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
	if (is_free(cache, object)) {
		report_note("BUG: double free of %p, an object of cache %s (%u bytes)", object, cache->name,
			cache->object_size);
		users_report(cache, object);
		report_bug_end();
		return false;
	}
	if (red_zone_is(cache, object, RED_ACTIVE))
		unasked_is_whole(cache, object);
	users = users_of(cache, object);
	if (users)
		user_take(&users->freed);
	poison(cache, object);
	set_red_zone(cache, object, RED_INACTIVE);
	return true;
}

/* The cache of a live object that keeps what size it was asked for; NULL: none. */
static struct kmem_cache *sizes_of(void *object)
{
	unsigned long pfn = addr_to_pfn(object);
	bool has_class = pfn < __atomic_load_n(&percpu_fast.nr_pfns, __ATOMIC_RELAXED);
	struct kmem_cache *cache = has_class ? cache_of(object, pfn) : NULL;

	if (!cache || !(cache->debug & CACHE_SIZES) || !is_object(cache, object))
		return NULL;
	return is_free(cache, object) ? NULL : cache;
}

void checks_report_around(const void *p)
{
	const struct page *slab = slab_of(p);
	struct kmem_cache *cache = slab ? slab->cache : NULL;
	size_t index;
	char *object;

	if (!cache || !(cache->debug & CACHE_STORE_USER))
		return;
	index = (size_t)((const char *)p - (char *)page_to_addr(slab)) / cache->size;
	object = (char *)page_to_addr(slab) + index * cache->size;
	if (index >= slab->nr_objects)
		return;
	report_note("%p lies at offset %zu of %p, an object of cache %s, which is %s", p,
		(size_t)((const char *)p - object), object, cache->name, is_free(cache, object) ? "free" : "allocated");
	both_report(users_of(cache, object));
}

size_t checks_asked(const void *object, size_t size)
{
	struct kmem_cache *cache = sizes_of((void *)object);

	return cache && *asked_of(cache, (void *)object) < size ? *asked_of(cache, (void *)object) : size;
}

void checks_set_asked(void *object, size_t size)
{
	struct kmem_cache *cache = sizes_of(object);
	size_t asked;

	if (!cache || !unasked_is_whole(cache, object))
		return;
	asked = *asked_of(cache, object);
	if (size > asked && size <= cache->object_size)
		memset((char *)object + asked, 0, size - asked);
	else if (size < asked && asked <= cache->object_size)
		memset((char *)object + size, RED_ACTIVE, asked - size);
	*asked_of(cache, object) = size;
}

static void check_free(void *object, void *arg)
{
	const struct kmem_cache *cache = arg;

	if (red_zone_is(cache, object, RED_INACTIVE))
		poison_is_whole(cache, object);
}

void checks_slab(struct kmem_cache *cache, struct page *slab)
{
	char *base = page_to_addr(slab);

	for (unsigned int i = 0; i < slab->nr_objects; i++)
		check_free(base + (size_t)i * cache->size, cache);
}

void slab_check_free(void)
{
	struct kmem_cache *cache;

	list_for_each_entry(cache, &cache_list, list)
		if (cache->debug & CACHE_CHECKED && !cache->run)
			slabs_for_each_free(cache, check_free, cache);
	page_check_poison();
}
