/*
 * large.c: direct OS mappings, and the table that knows them by address.
 *
 * Open addressing with linear probing; a removal moves later entries of its run back, so there are no tombstones. The
 * table is memory from the OS, nothing until the first mapping, and doubles at 3/4 load; where it cannot it goes on, as
 * long as one slot stays empty to end every probe.
 *
 * Freed mappings are kept for a while, frames and all, where a reclaim thread sees to their end: mapping and unmapping costs
 * a fault for each of their pages again.
 *
 * Calls host for maps, memory.c to make room under an address space limit, huge.c for advice. Refuses to know the buddy.
 */
#include "runtime/page/internal.h"

#include "runtime/host/host.h"

struct mapping {
	uintptr_t addr; /* 0: empty slot */
	size_t size; /* bytes, a multiple of the kernel's page */
};

#define MAX_KEPT 16 /* freed mappings */
#define KEPT_BYTES (64ul << 20) /* of them; or the share below of what is live, if that is more */
#define KEPT_SHARE 4
#define KEPT_TICKS 2 /* calls of large_age() that one survives */

#define TABLE_BYTES_AT_FIRST 65536ul /* the largest base page; only what is touched has frames */
#define SLOTS_AT_FIRST (TABLE_BYTES_AT_FIRST / sizeof(struct mapping))

/* Under lock: large_counts.nr == non-empty slots < nr_slots, a power of two; large_counts.bytes == the sum of their sizes. */
static struct {
	struct lock lock; /* rank LARGE */
	struct mapping *slots; /* Synchronization: lock */
	size_t nr_slots; /* Synchronization: lock */
} table = {.lock = {.rank = LOCK_LARGE}};
struct large_counts large_counts;

/* Freed mappings, oldest first. Under table.lock: large_counts.kept_bytes == sum(mapping[i].size), nr <= MAX_KEPT. */
static struct {
	struct mapping mapping[MAX_KEPT];
	unsigned char ticks[MAX_KEPT]; /* large_age() calls since it was freed */
	unsigned int nr;
} kept; /* Synchronization: table.lock */

static size_t home_slot(uintptr_t addr, size_t nr_slots)
{
	return (size_t)((addr >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ul >> 20) & (nr_slots - 1);
}

/* The slot of addr, or the empty one where it would go. The table is not empty. */
static struct mapping *__table_probe(uintptr_t addr)
{
	size_t i = home_slot(addr, table.nr_slots);

	while (table.slots[i].addr && table.slots[i].addr != addr)
		i = (i + 1) & (table.nr_slots - 1);
	return &table.slots[i];
}

static struct mapping *__table_find(const void *addr)
{
	struct mapping *mapping;

	if (!large_counts.nr || !addr)
		return NULL;
	mapping = __table_probe((uintptr_t)addr);
	return mapping->addr ? mapping : NULL;
}

static void __table_put(const void *addr, size_t size)
{
	*__table_probe((uintptr_t)addr) = (struct mapping){.addr = (uintptr_t)addr, .size = size};
	count_add(&large_counts.nr, 1);
	count_add(&large_counts.bytes, size);
}

static bool __table_double(void)
{
	struct mapping *old = table.slots;
	size_t nr_old = table.nr_slots;
	size_t nr_slots = nr_old ? 2 * nr_old : SLOTS_AT_FIRST;
	struct mapping *slots = host_map(nr_slots * sizeof(*slots));

	if (!slots)
		return false;
	table.slots = slots;
	table.nr_slots = nr_slots;
	for (size_t i = 0; i < nr_old; i++) {
		if (old[i].addr)
			*__table_probe(old[i].addr) = old[i];
	}
	if (old)
		host_unmap(old, nr_old * sizeof(*old));
	return true;
}

static bool __table_insert(const void *addr, size_t size)
{
	if (large_counts.nr >= table.nr_slots / 4 * 3)
		__table_double();
	if (large_counts.nr + 1 >= table.nr_slots)
		return false;
	__table_put(addr, size);
	return true;
}

/* Closes the gap: an entry further on moves into it unless that would put it before its home slot. */
static void __table_remove(struct mapping *mapping)
{
	size_t mask = table.nr_slots - 1;
	size_t gap = (size_t)(mapping - table.slots);

	count_add(&large_counts.nr, -1ul);
	count_add(&large_counts.bytes, -mapping->size);
	for (size_t i = (gap + 1) & mask; table.slots[i].addr; i = (i + 1) & mask) {
		size_t home = home_slot(table.slots[i].addr, table.nr_slots);

		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		table.slots[gap] = table.slots[i];
		gap = i;
	}
	table.slots[gap].addr = 0;
}

/* Rounds up to the kernel's pages; 0 if that overflows. */
static size_t round_size(size_t size)
{
	size_t page_size = host_page_size();

	return size ? ALIGN_UP(size, page_size) : page_size;
}

static void *map_once(size_t size, size_t align)
{
	return align <= host_page_size() ? host_map(size) : host_map_aligned(size, align);
}

static void *map(size_t size, size_t align)
{
	void *addr = map_once(size, align);
	size_t most;

	if (unlikely(!addr) && large_age(true))
		addr = map_once(size, align);
	if (!addr && !__builtin_add_overflow(size, align, &most)) {
		while (!addr && memory_make_room(most))
			addr = map_once(size, align);
	}
	if (addr) {
		huge_advise_mapping(addr, size);
		release_growth_by(size);
	}
	return addr;
}

/* ---- kept mappings ---- */

size_t large_kept_bytes(void)
{
	return __atomic_load_n(&large_counts.kept_bytes, __ATOMIC_RELAXED);
}

static struct mapping __kept_remove(unsigned int i)
{
	struct mapping mapping = kept.mapping[i];

	kept.nr--;
	count_add(&large_counts.kept_bytes, -mapping.size);
	for (; i < kept.nr; i++) {
		kept.mapping[i] = kept.mapping[i + 1];
		kept.ticks[i] = kept.ticks[i + 1];
	}
	return mapping;
}

/* The smallest that holds size bytes; addr is 0 if none does. */
static struct mapping __kept_take(size_t size, size_t align)
{
	unsigned int best = MAX_KEPT;

	for (unsigned int i = 0; i < kept.nr; i++) {
		if (kept.mapping[i].size >= size && !(kept.mapping[i].addr & (align - 1)) &&
			(best == MAX_KEPT || kept.mapping[i].size < kept.mapping[best].size))
			best = i;
	}
	return best == MAX_KEPT ? (struct mapping){0, 0} : __kept_remove(best);
}

/* A kept mapping cut down to size, unless little would be cut. */
static void *kept_alloc(size_t *size, size_t align)
{
	struct mapping mapping;

	if (!large_kept_bytes())
		return NULL;
	lock_acquire(&table.lock);
	mapping = __kept_take(*size, align);
	lock_release(&table.lock);
	if (!mapping.addr)
		return NULL;
	if (mapping.size > *size + *size / 4)
		host_unmap((char *)mapping.addr + *size, mapping.size - *size);
	else
		*size = mapping.size;
	return (void *)mapping.addr;
}

static bool __kept_has_room(size_t size)
{
	size_t share = large_counts.bytes / KEPT_SHARE;

	return kept.nr < MAX_KEPT && large_counts.kept_bytes + size <= (share > KEPT_BYTES ? share : KEPT_BYTES);
}

/* Keeps a mapping, and returns in *old those that must go for it; or returns false. */
static bool __kept_put(struct mapping mapping, struct mapping *old, unsigned int *nr_old)
{
	*nr_old = 0;
	if (!release_is_active() || mapping.size > KEPT_BYTES)
		return false;
	while (!__kept_has_room(mapping.size) && kept.nr)
		old[(*nr_old)++] = __kept_remove(0);
	kept.mapping[kept.nr] = mapping;
	kept.ticks[kept.nr] = 0;
	count_add(&large_counts.kept_bytes, mapping.size);
	kept.nr++;
	return true;
}

static size_t unmap_all(const struct mapping *mappings, unsigned int nr)
{
	size_t bytes = 0;

	for (unsigned int i = 0; i < nr; i++) {
		host_unmap((void *)mappings[i].addr, mappings[i].size);
		bytes += mappings[i].size;
	}
	return bytes;
}

size_t large_shrink(size_t keep)
{
	struct mapping old[MAX_KEPT];
	unsigned int nr = 0;

	lock_acquire(&table.lock);
	while (kept.nr && large_counts.kept_bytes > keep)
		old[nr++] = __kept_remove(0);
	lock_release(&table.lock);
	return unmap_all(old, nr);
}

size_t large_age(bool all)
{
	struct mapping old[MAX_KEPT];
	unsigned int nr = 0;

	if (!large_kept_bytes())
		return 0;
	lock_acquire(&table.lock);
	for (unsigned int i = 0; i < kept.nr; i++)
		kept.ticks[i]++;
	while (kept.nr && (all || kept.ticks[0] >= KEPT_TICKS))
		old[nr++] = __kept_remove(0);
	lock_release(&table.lock);
	return unmap_all(old, nr);
}

/* ---- the interface ---- */

void *large_alloc(size_t size, size_t align, unsigned int flags)
{
	void *addr;
	bool known;

	if (machine)
		return NULL;
	size = round_size(size);
	addr = size && !(flags & PAGE_ALLOC_ZERO) ? kept_alloc(&size, align) : NULL;
	if (!addr)
		addr = size ? map(size, align) : NULL;
	if (!addr)
		return NULL;
	lock_acquire(&table.lock);
	known = __table_insert(addr, size);
	lock_release(&table.lock);
	if (known)
		return addr;
	host_unmap(addr, size);
	return NULL;
}

/* The entry goes first: once unmapped, the address may be another thread's new mapping. */
bool large_free(void *addr)
{
	struct mapping old[MAX_KEPT], freed = {0, 0};
	struct mapping *mapping;
	bool keep = false;
	unsigned int nr_old = 0;
	size_t live;

	lock_acquire(&table.lock);
	mapping = __table_find(addr);
	if (mapping) {
		freed = *mapping;
		__table_remove(mapping);
		keep = __kept_put(freed, old, &nr_old);
	}
	live = large_counts.bytes;
	lock_release(&table.lock);
	unmap_all(old, nr_old);
	if (freed.size && !keep)
		host_unmap(addr, freed.size);
	/* What is kept must have a thread that ages it: the last one may have ended meanwhile. */
	if (keep && !release_is_active())
		large_age(true);
	if (freed.size)
		release_large_freed(freed.size, live);
	return freed.size > 0;
}

size_t large_size(const void *addr)
{
	struct mapping *mapping;
	size_t size;

	lock_acquire(&table.lock);
	mapping = __table_find(addr);
	size = mapping ? mapping->size : 0;
	lock_release(&table.lock);
	return size;
}

/* Under the lock from end to end: the old address may be mapped anew as soon as mremap moved away from it, and must have
 * no entry by then. An entry removed leaves room for the new one, so the table need not grow. */
static void *__remap(struct mapping *mapping, size_t size)
{
	void *addr = (void *)mapping->addr;
	void *moved = host_remap(addr, mapping->size, size, true);

	if (!moved)
		return NULL;
	__table_remove(mapping);
	__table_put(moved, size);
	return moved;
}

static void *remap(void *addr, size_t size, bool *found)
{
	struct mapping *mapping;
	void *moved = NULL;

	lock_acquire(&table.lock);
	mapping = __table_find(addr);
	*found = mapping;
	if (mapping)
		moved = mapping->size == size ? addr : __remap(mapping, size);
	lock_release(&table.lock);
	return moved;
}

void *large_resize(void *addr, size_t size)
{
	bool found;
	void *moved;

	size = round_size(size);
	if (!size)
		return NULL;
	do {
		moved = remap(addr, size, &found);
	} while (!moved && found && (large_age(true) || memory_make_room(size)));
	return moved;
}

void large_lock(void)
{
	lock_acquire(&table.lock);
}

void large_unlock(void)
{
	lock_release(&table.lock);
}

void large_reinit(void)
{
	lock_reinit(&table.lock);
}
