/*
 * track.c: who allocated each live object and block of pages, and who freed those that were freed last.
 *
 * Records are found by address, in shards with a lock each; their memory comes from the host, not from the
 * machine's RAM. Calls host, report, and the hooks for the task's name. Refuses to know what an object lies in.
 *
 * A record is live from the end of the allocation to the beginning of the free. After that it stays for reports,
 * until the address is allocated again, or the shard has more of its kind than KEPT.
 */
#include <string.h>

#include "runtime/lib/report.h"
#include "runtime/lib/text.h"
#include "runtime/slab/machine.h"

#define NR_SHARDS 64
#define NR_BUCKETS 1024 /* of a shard */
#define KEPT 4096 /* records of freed objects in a shard */
#define CHUNK_BYTES 65536
#define TYPE_BYTES 32
#define NS_PER_MS 1000000u
#define MIX 0x9e3779b97f4a7c15ul

struct event {
	struct alloc_who who;
	uint64_t time_ns;
	unsigned int nr_frames;
	uintptr_t frame[LEAK_FRAMES];
};

/* Synchronization: the shard's lock */
struct record {
	struct record *next; /* of the bucket, or of the unused ones */
	struct list_head kept; /* freed: on the shard's list, oldest first */
	const void *object;
	size_t size; /* asked for */
	uint64_t number; /* in order of allocation */
	bool live;
	char type[TYPE_BYTES];
	struct event allocated, freed; /* freed: valid if not live */
};

/* Under lock: nr_kept == length(kept) <= KEPT; each record of a bucket is live or on kept. */
struct shard {
	struct lock lock; /* rank REPORT: nothing is reported while it is held */
	struct record **bucket; /* Synchronization: const while tracking is on; the rest: lock */
	struct record *unused;
	struct list_head kept;
	unsigned int nr_kept;
} cache_aligned;

/* Memory for records. */
struct chunk {
	struct chunk *next;
	struct record record[];
};

static struct shard shards[NR_SHARDS];
static struct record **buckets; /* of all shards; NULL: tracking is off. Synchronization: const while booted */
static struct chunk *chunks; /* Synchronization: atomic, only grows */
static uint64_t next_number; /* Synchronization: atomic */
static bool incomplete; /* the host had no memory for a record: told once. Synchronization: atomic */

/* ---- stacks ---- */

/* The mapping that this thread's stack was last seen in. */
static __thread struct {
	uintptr_t start, end;
} stack;

static bool stack_find(uintptr_t frame)
{
	return (stack.start <= frame && frame < stack.end) || report_mapping(frame, &stack.start, &stack.end);
}

unsigned int track_stack(uintptr_t *address, unsigned int max)
{
	const void *frame = __builtin_frame_address(0);

	return stack_find((uintptr_t)frame) ? report_walk(frame, stack.end, address, max) : 0;
}

/* The return addresses from caller on: what lies between is this room's own. */
static void frames_take(struct event *event, const void *caller)
{
	uintptr_t address[LEAK_FRAMES + 8];
	unsigned int nr = track_stack(address, ARRAY_SIZE(address));
	unsigned int first = 0;

	while (first < nr && address[first] != (uintptr_t)caller)
		first++;
	event->frame[0] = (uintptr_t)caller;
	event->nr_frames = 1;
	for (unsigned int i = first + 1; i < nr && event->nr_frames < LEAK_FRAMES; i++)
		event->frame[event->nr_frames++] = address[i];
}

static void event_take(struct event *event, const void *caller)
{
	event->who = machine_who();
	event->time_ns = host_clock_ns();
	frames_take(event, caller);
}

static void event_report(const char *what, const struct event *event)
{
	uint64_t age = (host_clock_ns() - event->time_ns) / NS_PER_MS;

	report_note("%s age=%lums cpu=%d pid=%d comm=%s", what, (unsigned long)age, event->who.cpu, event->who.pid,
		event->who.comm);
	report_stack(event->frame, event->nr_frames);
}

/* ---- records: the caller holds the shard's lock ---- */

static uint64_t hash(const void *object)
{
	return (uintptr_t)object * MIX >> 32;
}

static struct shard *shard_of(const void *object)
{
	return &shards[hash(object) % NR_SHARDS];
}

static struct record **__bucket(struct shard *shard, const void *object)
{
	return &shard->bucket[hash(object) / NR_SHARDS % NR_BUCKETS];
}

static struct record *__find(struct shard *shard, const void *object)
{
	struct record *record = *__bucket(shard, object);

	while (record && record->object != object)
		record = record->next;
	return record;
}

static void __drop(struct shard *shard, struct record *record)
{
	struct record **link = __bucket(shard, record->object);

	while (*link != record)
		link = &(*link)->next;
	*link = record->next;
	record->next = shard->unused;
	shard->unused = record;
}

static void __unkeep(struct shard *shard, struct record *record)
{
	list_del(&record->kept);
	shard->nr_kept--;
}

static void __keep(struct shard *shard, struct record *record)
{
	record->live = false;
	list_add_tail(&record->kept, &shard->kept);
	if (shard->nr_kept++ < KEPT)
		return;
	record = list_first_entry(&shard->kept, struct record, kept);
	__unkeep(shard, record);
	__drop(shard, record);
}

static void __more(struct shard *shard)
{
	struct chunk *chunk = host_map(CHUNK_BYTES);
	size_t nr = (CHUNK_BYTES - sizeof(*chunk)) / sizeof(chunk->record[0]);

	if (!chunk)
		return;
	for (size_t i = 0; i < nr; i++) {
		chunk->record[i].next = shard->unused;
		shard->unused = &chunk->record[i];
	}
	chunk->next = __atomic_load_n(&chunks, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&chunks, &chunk->next, chunk, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* A record for an address that is now live; NULL when the host has no memory. */
static struct record *__enter(struct shard *shard, const void *object)
{
	struct record *record = __find(shard, object);

	if (record) {
		if (!record->live)
			__unkeep(shard, record);
		record->live = true;
		return record;
	}
	if (!shard->unused)
		__more(shard);
	record = shard->unused;
	if (!record)
		return NULL;
	shard->unused = record->next;
	record->object = object;
	record->live = true;
	record->next = *__bucket(shard, object);
	*__bucket(shard, object) = record;
	return record;
}

/* ---- the allocator's side ---- */

static void type_print(const struct attempt *attempt, const void *object, char *type)
{
	struct text text = TEXT_INIT(type, TYPE_BYTES, -1);

	if (attempt->kind == ATTEMPT_PAGES)
		text_printf(&text, "pages");
	else if (attempt->cache)
		text_printf(&text, "%s", attempt->cache->name);
	else
		text_printf(&text, "kmalloc-%zu", object_size(object));
}

static void record_enter(const struct record *filled)
{
	struct shard *shard = shard_of(filled->object);
	host_sigmask_t mask = host_signals_block();
	struct record *record;

	lock_acquire(&shard->lock);
	record = __enter(shard, filled->object);
	if (record) {
		record->size = filled->size;
		record->number = __atomic_fetch_add(&next_number, 1, __ATOMIC_RELAXED);
		memcpy(record->type, filled->type, sizeof(record->type));
		record->allocated = filled->allocated;
	}
	lock_release(&shard->lock);
	host_signals_restore(mask);
	if (!record && !__atomic_exchange_n(&incomplete, true, __ATOMIC_RELAXED))
		report_note("tracking: the host has no memory for more records; later ones are missing");
}

void track_alloc(const struct attempt *attempt, const void *object)
{
	struct record record;

	record.object = object;
	record.size = attempt->size;
	type_print(attempt, object, record.type);
	event_take(&record.allocated, attempt->caller);
	record_enter(&record);
}

/* A copy of the record of an address; false: there is none. */
static bool record_get(const void *object, struct record *copy)
{
	struct shard *shard = shard_of(object);
	host_sigmask_t mask = host_signals_block();
	struct record *record;

	lock_acquire(&shard->lock);
	record = __find(shard, object);
	if (record)
		*copy = *record;
	lock_release(&shard->lock);
	host_signals_restore(mask);
	return record;
}

void track_split(const void *object, size_t nr)
{
	struct record record;

	if (!track_is_on() || !record_get(object, &record))
		return;
	record.size = PAGE_SIZE;
	for (size_t i = 0; i < nr; i++) {
		record.object = (const char *)object + i * PAGE_SIZE;
		record_enter(&record);
	}
}

void track_resized(const void *object, size_t size)
{
	struct shard *shard = shard_of(object);
	host_sigmask_t mask;
	struct record *record;

	if (!track_is_on())
		return;
	mask = host_signals_block();
	lock_acquire(&shard->lock);
	record = __find(shard, object);
	if (record)
		record->size = size;
	lock_release(&shard->lock);
	host_signals_restore(mask);
}

static void double_free_report(const struct record *record, const void *caller)
{
	struct event now;

	event_take(&now, caller);
	report_note("BUG: double free of %p, %zu bytes of %s", record->object, record->size, record->type);
	report_stack(now.frame, now.nr_frames);
	event_report("Allocated:", &record->allocated);
	event_report("Freed:", &record->freed);
	report_bug_end();
}

bool track_freed_twice(const void *object, const void *caller)
{
	struct record record;

	if (!track_is_on() || !record_get(object, &record) || record.live)
		return false;
	double_free_report(&record, caller);
	return true;
}

bool track_freeing(const void *object, const void *caller)
{
	struct shard *shard = shard_of(object);
	struct record *record;
	struct event event;
	host_sigmask_t mask;
	bool live;

	if (!track_is_on())
		return true;
	event_take(&event, caller);
	mask = host_signals_block();
	lock_acquire(&shard->lock);
	record = __find(shard, object);
	live = record && record->live;
	if (live) {
		record->freed = event;
		__keep(shard, record);
	}
	lock_release(&shard->lock);
	host_signals_restore(mask);
	/* What was never recorded is told apart further down the ladder. */
	return live || !track_freed_twice(object, caller);
}

void track_describe(const void *object)
{
	struct record record;

	if (track_is_on() && record_get(object, &record) && record.live)
		event_report("  Allocated:", &record.allocated);
}

void track_history(const void *object)
{
	struct record record;

	if (!track_is_on() || !record_get(object, &record))
		return;
	event_report("Allocated:", &record.allocated);
	if (!record.live)
		event_report("Freed:", &record.freed);
}

/* The caller holds the shard's lock. Keeps in *copy the last one that was allocated of those that the address lies in. */
static void __find_around(const struct shard *shard, const void *p, struct record *copy)
{
	for (size_t i = 0; i < NR_BUCKETS; i++)
		for (const struct record *record = shard->bucket[i]; record; record = record->next)
			if ((uintptr_t)p - (uintptr_t)record->object < record->size &&
				(!copy->object || record->number > copy->number))
				*copy = *record;
}

bool track_history_around(const void *p)
{
	struct record copy = {.object = NULL};
	host_sigmask_t mask;

	for (size_t i = 0; track_is_on() && i < NR_SHARDS; i++) {
		mask = host_signals_block();
		lock_acquire(&shards[i].lock);
		__find_around(&shards[i], p, &copy);
		lock_release(&shards[i].lock);
		host_signals_restore(mask);
	}
	if (!copy.object)
		return false;
	report_note("%p lies at offset %zu of %p, %zu bytes of %s, which %s", p,
		(size_t)((const char *)p - (const char *)copy.object), copy.object, copy.size, copy.type,
		copy.live ? "are allocated" : "are free");
	event_report("Allocated:", &copy.allocated);
	if (!copy.live)
		event_report("Freed:", &copy.freed);
	return true;
}

/* Whether a record of a block or object tells of the page. */
static bool history_reaches(const void *object, const void *page)
{
	struct record record;

	if (!record_get(object, &record) || (uintptr_t)object + record.size <= (uintptr_t)page)
		return false;
	track_history(object);
	return true;
}

void track_page_history(const void *page)
{
	uintptr_t address[LEAK_FRAMES + 8];
	unsigned int nr = track_stack(address, ARRAY_SIZE(address));

	report_stack(address, nr);
	if (!track_is_on())
		return;
	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		if (history_reaches(pfn_to_addr(ALIGN_DOWN(addr_to_pfn(page), 1ul << order)), page))
			return;
}

/* ---- leaks ---- */

/* Leaks that are told as one. */
struct leaks {
	const struct record *record; /* the oldest of them */
	size_t nr, bytes;
};

struct leak_list {
	struct leaks *leaks;
	size_t nr, max;
};

static void leaks_collect(struct leak_list *list)
{
	list->nr = 0;
	for (size_t i = 0; i < NR_SHARDS * NR_BUCKETS; i++) {
		for (const struct record *record = buckets[i]; record; record = record->next) {
			if (record->live && list->nr < list->max)
				list->leaks[list->nr] = (struct leaks){record, 1, record->size};
			list->nr += record->live;
		}
	}
}

typedef int (*leaks_order)(const struct record *a, const struct record *b);

static int by_number(const struct record *a, const struct record *b)
{
	return a->number < b->number ? -1 : 1;
}

/* 0: allocated by the same call, of the same kind. */
static int compare_sites(const struct record *a, const struct record *b)
{
	const struct event *from = &a->allocated, *other = &b->allocated;

	if (from->nr_frames != other->nr_frames)
		return from->nr_frames < other->nr_frames ? -1 : 1;
	for (unsigned int i = 0; i < from->nr_frames; i++)
		if (from->frame[i] != other->frame[i])
			return from->frame[i] < other->frame[i] ? -1 : 1;
	return strcmp(a->type, b->type);
}

static int by_site(const struct record *a, const struct record *b)
{
	int order = compare_sites(a, b);

	return order ? order : by_number(a, b);
}

/* Restores the heap of the n first, of which only the one at may be smaller than those below it. */
static void sift_down(struct leaks *heap, size_t at, size_t n, leaks_order order)
{
	for (size_t child = 2 * at + 1; child < n; at = child, child = 2 * at + 1) {
		struct leaks leaks = heap[at];

		if (child + 1 < n && order(heap[child + 1].record, heap[child].record) > 0)
			child++;
		if (order(heap[child].record, leaks.record) < 0)
			return;
		heap[at] = heap[child];
		heap[child] = leaks;
	}
}

/* libc's would allocate. */
static void leaks_sort(const struct leak_list *list, leaks_order order)
{
	for (size_t i = list->nr / 2; i-- > 0;)
		sift_down(list->leaks, i, list->nr, order);
	for (size_t n = list->nr; n > 1; n--) {
		struct leaks last = list->leaks[n - 1];

		list->leaks[n - 1] = list->leaks[0];
		list->leaks[0] = last;
		sift_down(list->leaks, 0, n - 1, order);
	}
}

/* One for all of a call site. */
static void leaks_merge(struct leak_list *list)
{
	size_t nr = 0;

	leaks_sort(list, by_site);
	for (size_t i = 0; i < list->nr; i++) {
		if (nr && !compare_sites(list->leaks[nr - 1].record, list->leaks[i].record)) {
			list->leaks[nr - 1].nr++;
			list->leaks[nr - 1].bytes += list->leaks[i].bytes;
		} else {
			list->leaks[nr++] = list->leaks[i];
		}
	}
	list->nr = nr;
}

static void leak_visit(const struct leaks *leaks, void (*visit)(const struct slab_leak *leak, void *arg), void *arg)
{
	const struct record *record = leaks->record;
	const struct event *event = &record->allocated;
	struct slab_leak leak = {.object = record->object,
		.size = record->size,
		.nr = leaks->nr,
		.bytes = leaks->bytes,
		.type = record->type,
		.who = event->who,
		.time_ns = event->time_ns,
		.nr_frames = event->nr_frames};

	memcpy(leak.frame, event->frame, sizeof(leak.frame));
	visit(&leak, arg);
}

static size_t for_each_leak(bool merge, void (*visit)(const struct slab_leak *leak, void *arg), void *arg)
{
	struct leak_list list = {NULL, 0, 0};
	size_t bytes, nr;

	if (!track_is_on())
		return 0;
	leaks_collect(&list);
	nr = list.nr;
	if (!nr)
		return 0;
	bytes = ALIGN_UP(nr * sizeof(*list.leaks), 65536ul);
	list.max = nr;
	list.leaks = host_map(bytes);
	if (!list.leaks)
		return nr;
	leaks_collect(&list);
	if (merge)
		leaks_merge(&list);
	leaks_sort(&list, by_number);
	for (size_t i = 0; i < list.nr; i++)
		leak_visit(&list.leaks[i], visit, arg);
	host_unmap(list.leaks, bytes);
	return nr;
}

size_t slab_for_each_leak(void (*visit)(const struct slab_leak *leak, void *arg), void *arg)
{
	return for_each_leak(false, visit, arg);
}

size_t slab_for_each_leak_site(void (*visit)(const struct slab_leak *leak, void *arg), void *arg)
{
	return for_each_leak(true, visit, arg);
}

void slab_report_leak(const struct slab_leak *leak)
{
	uint64_t age = (host_clock_ns() - leak->time_ns) / NS_PER_MS;
	char others[64] = "";
	struct text text = TEXT_INIT(others, sizeof(others), -1);

	if (leak->nr > 1)
		text_printf(&text, ", the first of %zu, %zu bytes together", leak->nr, leak->bytes);
	report_note("leak: %s at %p, %zu bytes, age=%lums cpu=%d pid=%d comm=%s%s", leak->type, leak->object,
		leak->size, (unsigned long)age, leak->who.cpu, leak->who.pid, leak->who.comm, others);
	report_stack(leak->frame, leak->nr_frames);
}

/* ---- boot ---- */

static size_t bucket_bytes(void)
{
	return sizeof(*buckets) * NR_SHARDS * NR_BUCKETS;
}

bool track_is_on(void)
{
	return buckets;
}

bool track_boot(void)
{
	buckets = host_map(bucket_bytes());
	for (size_t i = 0; buckets && i < NR_SHARDS; i++) {
		lock_init(&shards[i].lock, LOCK_REPORT);
		list_init(&shards[i].kept);
		shards[i].bucket = buckets + i * NR_BUCKETS;
		shards[i].unused = NULL;
		shards[i].nr_kept = 0;
	}
	return buckets;
}

void track_shutdown(void)
{
	if (!buckets)
		return;
	host_unmap(buckets, bucket_bytes());
	buckets = NULL;
	for (struct chunk *next; chunks; chunks = next) {
		next = chunks->next;
		host_unmap(chunks, CHUNK_BYTES);
	}
	next_number = 0;
	incomplete = false;
}
