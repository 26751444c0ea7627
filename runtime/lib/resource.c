/*
 * resource.c: the records of what has been made and has not ended.
 *
 * Calls host for memory, lock, report. Refuses to know what the things are, and to end them.
 */
#include "runtime/lib/resource.h"

#include <string.h>

#include "runtime/config.h"
#include "runtime/host/host.h"
#include "runtime/lib/list.h"
#include "runtime/lib/lock.h"
#include "runtime/lib/report.h"
#include "runtime/lib/text.h"

#define NR_BUCKETS 1024
#define CHUNK_BYTES 65536
#define NAME_BYTES 40
#define TEXT_BYTES 192
#define NS_PER_MS 1000000u
#define MIX 0x9e3779b97f4a7c15ul

/* How a type is named. size: how its size is told, with one %zu; NULL: it has none. */
static const struct type {
	const char *name, *size;
	bool by_name; /* its address says nothing to anybody */
} types[NR_RESOURCES] = {
	[RESOURCE_IRQ] = {"irq", NULL, true},
	[RESOURCE_WORKQUEUE] = {"workqueue", NULL, false},
	[RESOURCE_DISK] = {"simulated disk", NULL, false},
	[RESOURCE_SHRINKER] = {"shrinker", NULL, false},
	[RESOURCE_OOM_NOTIFIER] = {"OOM notifier", NULL, false},
	[RESOURCE_CPUHP_STATE] = {"cpuhp state", NULL, true},
	[RESOURCE_PERCPU] = {"per-CPU memory", "%zu bytes a CPU", false},
	[RESOURCE_PERCPU_COUNTER] = {"percpu_counter", "%zu bytes a CPU", false},
	[RESOURCE_CACHE] = {"cache", "objects of %zu bytes", false},
	[RESOURCE_MEMPOOL] = {"mempool", "a reserve of %zu elements", false},
	[RESOURCE_GEN_POOL] = {"gen_pool", "ranges of %zu bytes", false},
	[RESOURCE_KTHREAD] = {"kthread", NULL, false},
	[RESOURCE_KTHREAD_WORKER] = {"kthread_worker", NULL, false},
};

/* Synchronization: resource_lock */
struct record {
	struct record *next; /* of the bucket, or of the unused ones */
	struct list_head list; /* in the order in which they were made */
	enum resource_type type;
	const void *object, *extra;
	size_t size;
	uint64_t number; /* from 1, in that order */
	uint64_t time_ns;
	int pid, cpu;
	unsigned int nr_frames;
	bool told; /* as one of several that were made by the same call */
	char comm[16];
	char name[NAME_BYTES];
	uintptr_t frame[RESOURCE_FRAMES];
};

/* Memory for records, of the host's. */
struct chunk {
	struct chunk *next;
	struct record record[];
};

static struct lock resource_lock = {.rank = LOCK_REPORT}; /* nothing is reported while it is held */
static const struct resource_hooks *hooks; /* NULL: nothing is recorded. Synchronization: atomic */
static bool keep_stacks; /* Synchronization: const while anything is recorded */
/* Synchronization, all of them: resource_lock */
static struct record *buckets[NR_BUCKETS];
static struct list_head records = LIST_HEAD_INIT(records);
static struct record *unused;
static struct chunk *chunks;
static uint64_t last_number;

/* ---- records: the caller holds resource_lock in functions that begin with __ ---- */

static struct record **__bucket(enum resource_type type, const void *object)
{
	return &buckets[((uintptr_t)object + type) * MIX >> 32 & (NR_BUCKETS - 1)];
}

/* The link to it; to NULL if there is none. */
static struct record **__find(enum resource_type type, const void *object)
{
	struct record **link = __bucket(type, object);

	while (*link && ((*link)->object != object || (*link)->type != type))
		link = &(*link)->next;
	return link;
}

static void __drop(struct record **link)
{
	struct record *record = *link;

	*link = record->next;
	list_del(&record->list);
	record->next = unused;
	unused = record;
}

static void __more(void)
{
	struct chunk *chunk = host_map(CHUNK_BYTES);
	size_t nr = (CHUNK_BYTES - sizeof(*chunk)) / sizeof(chunk->record[0]);

	if (!chunk)
		return;
	for (size_t i = 0; i < nr; i++) {
		chunk->record[i].next = unused;
		unused = &chunk->record[i];
	}
	chunk->next = chunks;
	chunks = chunk;
}

/* Without memory for it, it is not recorded. What was there by that name has ended unseen. */
static void __enter(const struct record *filled)
{
	struct record **link = __find(filled->type, filled->object);
	struct record *record;

	if (*link)
		__drop(link);
	if (!unused)
		__more();
	record = unused;
	if (!record)
		return;
	unused = record->next;
	*record = *filled;
	record->number = ++last_number;
	link = __bucket(record->type, record->object);
	record->next = *link;
	*link = record;
	list_add_tail(&record->list, &records);
}

static void __forget(void)
{
	memset(buckets, 0, sizeof(buckets));
	list_init(&records);
	unused = NULL;
	for (struct chunk *next; chunks; chunks = next) {
		next = chunks->next;
		host_unmap(chunks, CHUNK_BYTES);
	}
}

/* ---- what happens ---- */

/* The return addresses from caller on: what lies between belongs to the machine. */
static void take_frames(struct record *record, const struct resource_hooks *known, const void *caller)
{
	uintptr_t address[RESOURCE_FRAMES + 8];
	unsigned int nr = keep_stacks ? known->stack(address, ARRAY_SIZE(address)) : 0, at = 0;

	while (at < nr && address[at] != (uintptr_t)caller)
		at++;
	record->frame[0] = (uintptr_t)caller;
	record->nr_frames = 1;
	for (at++; at < nr && record->nr_frames < RESOURCE_FRAMES; at++)
		record->frame[record->nr_frames++] = address[at];
}

void resource_made(const struct resource *resource)
{
	const struct resource_hooks *known = __atomic_load_n(&hooks, __ATOMIC_ACQUIRE);
	struct record record = {
		.type = resource->type, .object = resource->object, .extra = resource->extra, .size = resource->size};
	host_sigmask_t mask;

	if (!known || !resource->caller)
		return;
	record.time_ns = host_clock_ns();
	known->who(record.comm, &record.pid, &record.cpu);
	if (resource->name)
		strncpy(record.name, resource->name, sizeof(record.name) - 1);
	take_frames(&record, known, resource->caller);
	mask = lock_acquire_masked(&resource_lock);
	__enter(&record);
	lock_release_masked(&resource_lock, mask);
}

void resource_ended(enum resource_type type, const void *object)
{
	struct record **link;
	host_sigmask_t mask;

	if (!__atomic_load_n(&hooks, __ATOMIC_RELAXED))
		return;
	mask = lock_acquire_masked(&resource_lock);
	link = __find(type, object);
	if (*link)
		__drop(link);
	lock_release_masked(&resource_lock, mask);
}

void resource_resized(enum resource_type type, const void *object, size_t size)
{
	struct record *record;
	host_sigmask_t mask;

	if (!__atomic_load_n(&hooks, __ATOMIC_RELAXED))
		return;
	mask = lock_acquire_masked(&resource_lock);
	record = *__find(type, object);
	if (record)
		record->size = size;
	lock_release_masked(&resource_lock, mask);
}

/* ---- reports ---- */

static void print_event(struct text *text, const struct record *record)
{
	uint64_t age = (host_clock_ns() - record->time_ns) / NS_PER_MS;

	text_printf(
		text, "age=%lums cpu=%d pid=%d comm=%s", (unsigned long)age, record->cpu, record->pid, record->comm);
}

static void print_what(struct text *text, const struct record *record)
{
	const struct type *type = &types[record->type];

	text_printf(text, "%s", type->name);
	if (record->name[0])
		text_printf(text, " %s", record->name);
	if (!type->by_name)
		text_printf(text, " at %p", record->object);
	if (type->size) {
		text_printf(text, ", ");
		text_printf(text, type->size, record->size);
	}
	text_printf(text, ", ");
	print_event(text, record);
}

static bool same_call(const struct record *a, const struct record *b)
{
	return a->type == b->type && a->nr_frames == b->nr_frames &&
	       !memcmp(a->frame, b->frame, a->nr_frames * sizeof(a->frame[0]));
}

/* How many there are from this one on, which is told: the others need not be. */
static unsigned int __take_together(struct record *first)
{
	struct record *record = first;
	unsigned int nr = 1;

	first->told = true;
	while (record->list.next != &records) {
		record = list_entry(record->list.next, struct record, list);
		if (!record->told && same_call(first, record)) {
			record->told = true;
			nr++;
		}
	}
	return nr;
}

/* A copy of the oldest that was not told, and how many there are of its call; 0: there is none. Threads of the machine's own may be
 * on their way out, and their records with them. */
static unsigned int take_next(enum resource_type type, struct record *copy)
{
	host_sigmask_t mask = lock_acquire_masked(&resource_lock);
	struct record *record;
	unsigned int nr = 0;

	list_for_each_entry(record, &records, list) {
		if (record->type != type || record->told)
			continue;
		*copy = *record;
		nr = __take_together(record);
		break;
	}
	lock_release_masked(&resource_lock, mask);
	return nr;
}

static void report(const struct record *record, unsigned int nr)
{
	char buffer[TEXT_BYTES];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), -1);

	print_what(&text, record);
	if (nr > 1)
		text_printf(&text, ", the first of %u", nr);
	report_note("leak: %s", buffer);
	report_stack(record->frame, record->nr_frames);
}

unsigned int resources_report(enum resource_type type)
{
	unsigned int nr, all = 0;
	struct record record;

	while ((nr = take_next(type, &record))) {
		report(&record, nr);
		all += nr;
	}
	return all;
}

/* A copy of the oldest after that number; false: there is none. */
static bool find_after(enum resource_type type, uint64_t number, struct record *copy)
{
	host_sigmask_t mask = lock_acquire_masked(&resource_lock);
	struct record *record;
	bool found = false;

	list_for_each_entry(record, &records, list) {
		if (record->type != type || record->number <= number)
			continue;
		*copy = *record;
		found = true;
		break;
	}
	lock_release_masked(&resource_lock, mask);
	return found;
}

void resources_for_each(enum resource_type type, void (*visit)(const void *object, const void *extra))
{
	struct record record = {.number = 0};

	while (find_after(type, record.number, &record))
		visit(record.object, record.extra);
}

void resource_describe(enum resource_type type, const void *object)
{
	char buffer[TEXT_BYTES];
	struct text text = TEXT_INIT(buffer, sizeof(buffer), -1);
	host_sigmask_t mask = lock_acquire_masked(&resource_lock);
	struct record *record = *__find(type, object), copy;

	if (record)
		copy = *record;
	lock_release_masked(&resource_lock, mask);
	if (!record)
		return;
	print_event(&text, &copy);
	report_note("Created: %s, %s", types[type].name, buffer);
	report_stack(copy.frame, copy.nr_frames);
}

/* ---- boot and shutdown ---- */

void resources_begin(const struct resource_hooks *known)
{
	resources_end();
	__atomic_store_n(&hooks, known, __ATOMIC_RELEASE);
}

void resources_keep_stacks(bool on)
{
	keep_stacks = on;
}

void resources_forget(void)
{
	host_sigmask_t mask = lock_acquire_masked(&resource_lock);

	__forget();
	lock_release_masked(&resource_lock, mask);
}

void resources_end(void)
{
	__atomic_store_n(&hooks, NULL, __ATOMIC_RELAXED);
	/* In a fork child another thread may have held it. */
	lock_reinit(&resource_lock);
	keep_stacks = false;
	__forget();
}
