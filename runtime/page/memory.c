/*
 * memory.c: the address space of the direct map: boot, growth by sections, fork.
 *
 * From the anchor (see percpu.h), every part beginning at a multiple of METADATA_ALIGN:
 *
 *	per-CPU areas | class bytes, section states | struct pages | first_pfn: memory ... limit_pfn
 *
 * Two modes. Reserved: the whole window is address space without access rights, and growth gives rights. Limited, for
 * processes with a small RLIMIT_AS, to which a reservation counts: only the areas and class bytes are mapped at boot, at
 * an address below which nothing is likely to be mapped; growth maps struct pages and sections there one at a time, and
 * free sections are unmapped again when the program wants a mapping that no longer fits under the limit.
 *
 * Calls host for maps, percpu_boot() for the areas. Refuses to know which pages are free.
 */
#include <errno.h>

#include "runtime/page/internal.h"

#include "runtime/host/host.h"
#include "runtime/lib/report.h"

#define METADATA_ALIGN 65536ul /* the largest base page */
#define BELOW_ANCHOR METADATA_ALIGN
#define GIB (1ul << 30)
#define LARGEST_WINDOW (1024 * GIB)
#define USUAL_WINDOW (64 * GIB)
#define SMALLEST_WINDOW GIB /* of a reservation */
#define LEAST_LIMITED_WINDOW (16ul << 20)
#define PLACE_ATTEMPTS 16

static_assert(PERCPU_BELOW <= BELOW_ANCHOR, "the bytes below the anchor are mapped with it");

struct memory memory = {.lock = {.rank = LOCK_MEMORY}};
struct page *page_array;
struct machine *machine;

/* Anchor-relative bytes. */
struct layout {
	size_t class_end;
	size_t sections;
	size_t structs;
	size_t usable;
	size_t window;
};

static struct layout layout_of(size_t window)
{
	struct layout layout = {.window = window};
	unsigned long nr_pfns = window >> PAGE_SHIFT;

	layout.class_end = CLASS_BYTES + nr_pfns;
	layout.sections = ALIGN_UP(layout.class_end, 64);
	layout.structs = ALIGN_UP(layout.sections + nr_pfns / SECTION_PAGES, METADATA_ALIGN);
	layout.usable = ALIGN_UP(layout.structs + nr_pfns * sizeof(struct page), SECTION_BYTES);
	return layout;
}

/* The struct page array begins with first_pfn's: page_array points where pfn 0's would be. */
static void memory_lay_out(char *anchor, const struct layout *layout)
{
	memory.first_pfn = layout->usable >> PAGE_SHIFT;
	memory.limit_pfn = layout->window >> PAGE_SHIFT;
	memory.end_pfn = memory.first_pfn;
	page_array = (struct page *)((uintptr_t)anchor + layout->structs - memory.first_pfn * sizeof(struct page));
}

static void memory_install(char *anchor, const struct layout *layout)
{
	memory_lay_out(anchor, layout);
	percpu_boot(anchor);
	buddy_boot();
	huge_boot();
	release_boot();
}

/* ---- boot: reserved ---- */

/* Everything up to the struct pages of the first growth at once; under strict accounting only what boot itself needs. */
static int commit_metadata(char *anchor, const struct layout *layout)
{
	char *start = anchor - BELOW_ANCHOR;
	size_t first_structs = SECTION_STEP * SECTION_PAGES * sizeof(struct page);

	memory.class_end = anchor + layout->structs;
	memory.structs_end = anchor + layout->structs + first_structs;
	if (!host_commit(start, (size_t)(memory.structs_end - start)))
		return 0;
	memory.class_end =
		(char *)ALIGN_UP((uintptr_t)anchor + CLASS_BYTES + (layout->usable >> PAGE_SHIFT), METADATA_ALIGN);
	memory.structs_end = anchor + layout->structs;
	return host_commit(start, (size_t)(memory.class_end - start));
}

static int boot_reserved(size_t window)
{
	size_t size = BELOW_ANCHOR + SECTION_BYTES + window;
	struct layout layout = layout_of(window);
	char *start = host_reserve(size, PAGE_SIZE);
	char *anchor;

	if (!start)
		return -ENOMEM;
	anchor = (char *)ALIGN_UP((uintptr_t)start + BELOW_ANCHOR, SECTION_BYTES);
	if (commit_metadata(anchor, &layout)) {
		host_unmap(start, size);
		return -ENOMEM;
	}
	memory.reserved = size;
	memory_install(anchor, &layout);
	/* All of it, so that what comes online is one mapping with what is: the number of mappings is limited. */
	host_advise_thp(start, size, HOST_THP_NEVER);
	return 0;
}

/* ---- boot: limited ---- */

/* The kernel hands out addresses downwards, and at most limit bytes of them: what lies further down stays free. */
static char *place_below(size_t distance)
{
	char *probe = host_map(METADATA_ALIGN);

	if (!probe)
		return NULL;
	host_unmap(probe, METADATA_ALIGN);
	if ((uintptr_t)probe < distance + SECTION_BYTES + BELOW_ANCHOR)
		return NULL;
	return (char *)ALIGN_DOWN((uintptr_t)probe - distance, SECTION_BYTES);
}

static int boot_limited_at(char *anchor, const struct layout *layout)
{
	int err = host_map_at(anchor - BELOW_ANCHOR, BELOW_ANCHOR + layout->structs);

	if (err)
		return err;
	host_advise_thp(anchor - BELOW_ANCHOR, BELOW_ANCHOR + layout->structs, HOST_THP_NEVER);
	memory.limited = true;
	memory.reserved = BELOW_ANCHOR + layout->structs;
	memory.class_end = anchor + layout->structs;
	memory.structs_end = anchor + layout->structs;
	memory.sections = (unsigned char *)anchor + layout->sections;
	memory_install(anchor, layout);
	return 0;
}

/* The window holds a quarter more than the limit, so that holes do not matter, and its own metadata. */
static int boot_limited(size_t limit)
{
	size_t usable = limit + limit / 4;
	size_t window = ALIGN_UP(usable + usable / 32 + 4 * SECTION_BYTES, SECTION_BYTES);
	struct layout layout = layout_of(window);
	int err;

	for (unsigned int i = 1; i <= PLACE_ATTEMPTS; i++) {
		char *anchor = place_below((limit > GIB ? limit : GIB) + i * window);

		if (!anchor)
			return -ENOMEM;
		err = boot_limited_at(anchor, &layout);
		if (err != -EEXIST)
			return err;
	}
	return -ENOMEM;
}

/* A reservation counts to the limit: it may take half of it. */
static size_t wanted_window(size_t limit, size_t ram)
{
	size_t window = ram > LARGEST_WINDOW / 8 ? LARGEST_WINDOW : 8 * ram;

	if (window < USUAL_WINDOW)
		window = USUAL_WINDOW;
	if (window > limit / 2)
		window = limit / 2;
	return ALIGN_DOWN(window, SECTION_BYTES * SECTION_STEP);
}

int memory_boot_with(size_t limit, size_t ram)
{
	size_t window = wanted_window(limit, ram);

	for (; limit >= USUAL_WINDOW && window >= SMALLEST_WINDOW; window /= 2) {
		if (!boot_reserved(window))
			return 0;
	}
	if (limit > USUAL_WINDOW)
		limit = USUAL_WINDOW;
	for (; limit >= LEAST_LIMITED_WINDOW / 2; limit /= 2) {
		if (!boot_limited(limit))
			return 0;
	}
	return -ENOMEM;
}

int memory_boot(void)
{
	return memory_boot_with(host_address_space_limit(), host_ram_bytes());
}

/* ---- boot: a machine ---- */

/* The smallest window that has room for the RAM behind its metadata. */
static struct layout layout_for_ram(size_t ram_bytes)
{
	struct layout layout = layout_of(ram_bytes);

	while (layout.window - layout.usable < ram_bytes || layout.usable > layout.window)
		layout = layout_of(layout.usable + ram_bytes);
	layout.window = layout.usable + ram_bytes;
	return layout;
}

char *memory_map_machine(size_t ram_bytes, size_t mapped_bytes, int fd)
{
	struct layout layout = layout_for_ram(ram_bytes);
	size_t size = BELOW_ANCHOR + SECTION_BYTES + layout.window;
	size_t structs = ram_bytes / PAGE_SIZE * sizeof(struct page);
	char *start = host_reserve(size, PAGE_SIZE);
	char *anchor = (char *)ALIGN_UP((uintptr_t)start + BELOW_ANCHOR, SECTION_BYTES);

	if (!start)
		return NULL;
	host_advise_thp(start, size, HOST_THP_NEVER);
	if (host_commit(anchor - BELOW_ANCHOR, BELOW_ANCHOR + ALIGN_UP(layout.structs + structs, METADATA_ALIGN)) ||
		host_map_shared_at(anchor + layout.usable, mapped_bytes, fd, 0)) {
		host_unmap(start, size);
		return NULL;
	}
	memory.start = start;
	memory.reserved = size;
	memory.sections = (unsigned char *)anchor + layout.sections;
	memory_lay_out(anchor, &layout);
	return anchor;
}

void memory_unmap(void)
{
	host_unmap(memory.start, memory.reserved);
	memory = (struct memory){.lock = LOCK_INIT(LOCK_MEMORY)};
	page_array = NULL;
}

/* Whoever has a pointer to a new page got it after this store, so that plain loads of nr_pfns in fast paths suffice. */
static void publish_end(unsigned long end_pfn)
{
	/* Pairs with the loads in fast paths and page_pfn_online(): what lies below is mapped. */
	__atomic_store_n(&percpu_fast.nr_pfns, end_pfn, __ATOMIC_RELEASE);
	__atomic_store_n(&memory.end_pfn, end_pfn, __ATOMIC_RELEASE);
}

void memory_publish(void)
{
	publish_end(memory.limit_pfn);
}

/* ---- growth ---- */

/* Makes a part of the metadata usable up to the address end, *mapped being how far it is. */
static int extend_metadata(char **mapped, char *end)
{
	int err = 0;

	end = (char *)ALIGN_UP((uintptr_t)end, METADATA_ALIGN);
	if (end <= *mapped)
		return 0;
	if (memory.limited)
		err = host_map_at(*mapped, (size_t)(end - *mapped));
	else
		err = host_commit(*mapped, (size_t)(end - *mapped));
	if (!err || err == -EEXIST)
		*mapped = end; /* a hole is not tried again */
	return err;
}

static int online_reserved(unsigned long pfn, unsigned long nr_pages)
{
	int err = extend_metadata(&memory.structs_end, (char *)pfn_to_page_struct(pfn + nr_pages));

	if (!err)
		err = extend_metadata(&memory.class_end, (char *)class_byte(pfn + nr_pages));
	if (!err)
		err = host_commit(pfn_to_addr(pfn), nr_pages << PAGE_SHIFT);
	return err;
}

static unsigned long grow_reserved(unsigned long *first)
{
	unsigned long nr_pages = SECTION_STEP * SECTION_PAGES;

	*first = memory.end_pfn;
	if (*first == memory.first_pfn + nr_pages)
		huge_look();
	if (memory.limit_pfn - *first < nr_pages)
		nr_pages = SECTION_PAGES;
	if (*first >= memory.limit_pfn)
		return 0;
	if (online_reserved(*first, nr_pages)) {
		nr_pages = SECTION_PAGES;
		if (online_reserved(*first, nr_pages))
			return 0;
	}
	publish_end(*first + nr_pages);
	return nr_pages;
}

static void section_set(unsigned long pfn, enum section_state state)
{
	/* Pairs with page_pfn_online(): its struct page is mapped. */
	__atomic_store_n(&memory.sections[pfn / SECTION_PAGES], state, __ATOMIC_RELEASE);
}

/* Small pages also where the kernel is set to "always": the rest of a huge page would have frames that nobody counts. */
static int map_frames(unsigned long pfn)
{
	int err = host_map_at(pfn_to_addr(pfn), SECTION_BYTES);

	if (!err)
		host_advise_thp(pfn_to_addr(pfn), SECTION_BYTES, HOST_THP_NEVER);
	return err;
}

/* Maps a section again that memory_offline() took away. */
static bool grow_again(unsigned long *first)
{
	unsigned long pfn;
	int err;

	for (pfn = memory.first_pfn; memory.nr_offline && pfn < memory.end_pfn; pfn += SECTION_PAGES) {
		if (memory.sections[pfn / SECTION_PAGES] != SECTION_OFFLINE)
			continue;
		err = map_frames(pfn);
		if (err && err != -EEXIST)
			return false;
		memory.nr_offline--;
		section_set(pfn, err ? SECTION_HOLE : SECTION_ONLINE);
		*first = pfn;
		if (!err)
			return true;
	}
	return false;
}

static int map_section(unsigned long pfn)
{
	int err = extend_metadata(&memory.structs_end, (char *)pfn_to_page_struct(pfn + SECTION_PAGES));

	return err ? err : map_frames(pfn);
}

static unsigned long grow_limited(unsigned long *first)
{
	unsigned long pfn;
	int err;

	if (grow_again(first))
		return SECTION_PAGES;
	for (pfn = memory.end_pfn; pfn < memory.limit_pfn; pfn += SECTION_PAGES) {
		err = map_section(pfn);
		if (err && err != -EEXIST)
			return 0;
		section_set(pfn, err ? SECTION_HOLE : SECTION_ONLINE);
		publish_end(pfn + SECTION_PAGES);
		*first = pfn;
		if (!err)
			return SECTION_PAGES;
	}
	return 0;
}

unsigned long memory_online(unsigned long *pfn)
{
	unsigned long nr_pages;

	lock_acquire(&memory.lock);
	nr_pages = memory.limited ? grow_limited(pfn) : grow_reserved(pfn);
	lock_release(&memory.lock);
	return nr_pages;
}

void memory_offline(unsigned long pfn)
{
	lock_acquire(&memory.lock);
	section_set(pfn, SECTION_OFFLINE);
	memory.nr_offline++;
	host_unmap(pfn_to_addr(pfn), SECTION_BYTES);
	lock_release(&memory.lock);
}

bool memory_make_room(size_t size)
{
	if (!memory.limited)
		return false;
	buddy_settle();
	return buddy_offline_free(size) > 0;
}

bool page_pfn_online(unsigned long pfn)
{
	/* Pairs with publish_end() and section_set(). */
	if (pfn < memory.first_pfn || pfn >= __atomic_load_n(&memory.end_pfn, __ATOMIC_ACQUIRE))
		return false;
	if (!memory.limited)
		return true;
	return __atomic_load_n(&memory.sections[pfn / SECTION_PAGES], __ATOMIC_ACQUIRE) == SECTION_ONLINE;
}

/* ---- fork ---- */

static unsigned int fork_nr_lists; /* Synchronization: large_lock(), held from prepare to parent or child */

static void unlock_from_memory(unsigned int nr_lists)
{
	lock_release(&memory.lock);
	for (unsigned int i = NR_HOSTED_ZONES; i-- > 0;)
		lock_release(&zones[i].lock);
	lists_unlock_all(nr_lists);
}

/* A list may come into use while the locks are being taken: once memory.lock is held, none can any more. */
void page_fork_prepare(void)
{
	bool all;

	large_lock();
	do {
		fork_nr_lists = lists_lock_all();
		for (unsigned int i = 0; i < NR_HOSTED_ZONES; i++)
			lock_acquire(&zones[i].lock);
		lock_acquire(&memory.lock);
		all = lists_all_locked(fork_nr_lists);
		if (!all)
			unlock_from_memory(fork_nr_lists);
	} while (!all);
}

void page_fork_parent(void)
{
	unlock_from_memory(fork_nr_lists);
	large_unlock();
}

void page_fork_child(void)
{
	lock_reinit(&memory.lock);
	for (unsigned int i = 0; i < NR_HOSTED_ZONES; i++)
		lock_reinit(&zones[i].lock);
	lists_reinit_all();
	large_reinit();
	release_fork_child();
}
