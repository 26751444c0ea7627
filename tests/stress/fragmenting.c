/*
 * fragmenting.c: see fragmenting.h.
 *
 * Three kinds of memory share a zone, as in a kernel: what must stay where it is (kmalloc of all sizes, blocks of 1 to 8
 * pages), what can be had back by asking its owner (objects like inodes and dentries, in caches with a shrinker, and buffers),
 * and what can be had back at any time (pages of user space and of files). Most of the memory is always the last kind; the
 * other two come and go in waves, most of what is young goes soon, and some stays for good. What they want while memory is full
 * is made room for as reclaim does: the oldest pages go first, and others from anywhere as processes end.
 */
#include "fragmenting.h"

#include <flagstone/machine.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/pressure/pressure.h"
#include "tests/unit/random.h"

#define VIEW_BYTES 1024
#define FREE_SHARE 20 /* the part of memory that the load leaves free: 5% */
#define ROOM_STEP 16 /* pages given up at a time */
#define LOOK_EVERY 16 /* steps between two looks at what is free */
#define STEPS_A_PAGE 20 /* of the load, for each page of memory */
#define PINNED_OF 4000 /* one reclaimable object of so many is in use for good */
/* Nobody waits, and nobody is woken who would free memory at a time of his own. */
#define QUIET __GFP_NOWARN

const unsigned int fragmenting_order[FRAGMENTING_SIZES] = {10, 9, 4};

enum kind { KERNEL, RECLAIMABLE, MOVABLE, PINNED, NR_KINDS }; /* PINNED: reclaimable, but in use for good */

/* How an item was had, and is given back. */
enum source { BY_SIZE, BY_PAGES, INODE, DENTRY, OWNER };

struct item {
	void *block; /* the object, the struct page of a block, or the first page of an owner's */
	unsigned int bytes;
	unsigned char source, order;
};

/* What lives of a kind, the oldest first where nothing was taken out of the middle. */
struct living {
	struct item *item;
	size_t nr, room, first; /* items are first .. nr - 1 */
	size_t bytes;
};

static struct living living[NR_KINDS];
static struct kmem_cache *inode_cache, *dentry_cache;
/* Who has movable pages, a process or a file, gets them one by one beside others, and they go together. */
#define OPEN_OWNERS 8
static struct owner {
	struct page *first; /* a list by page_address() */
	unsigned int nr, wanted;
} open_owner[OPEN_OWNERS];
static unsigned int most_of_owner; /* pages */
static uint32_t dice;
static size_t zone_pages;

/* How much of memory the first two kinds are to take, in percent, wave after wave. */
static const struct wave {
	unsigned int kernel, reclaimable;
} waves[] = {{4, 5}, {14, 25}, {5, 10}, {16, 8}, {6, 25}, {12, 12}, {7, 15}};

/* ---- views ---- */

static void blocks_now(size_t nr_free[FRAGMENTING_ORDERS])
{
	char view[VIEW_BYTES], *at;
	int begin = 0;

	flagstone_view("buddyinfo", view, sizeof(view));
	sscanf(view, "Node %*u, zone %*s%n", &begin);
	at = view + begin;
	for (unsigned int order = 0; order < FRAGMENTING_ORDERS; order++)
		nr_free[order] = strtoul(at, &at, 10);
}

static size_t pages_of(const size_t nr_free[FRAGMENTING_ORDERS])
{
	size_t pages = 0;

	for (unsigned int order = 0; order < FRAGMENTING_ORDERS; order++)
		pages += nr_free[order] << order;
	return pages;
}

static size_t free_now(void)
{
	size_t nr_free[FRAGMENTING_ORDERS];

	blocks_now(nr_free);
	return pages_of(nr_free);
}

static size_t managed_pages(void)
{
	static char view[8 * VIEW_BYTES];
	const char *at;

	flagstone_view("zoneinfo", view, sizeof(view));
	at = strstr(view, "managed");
	return at ? strtoul(at + strlen("managed"), NULL, 10) : 0;
}

/* ---- items ---- */

static void pages_gone(struct page *first)
{
	for (struct page *next; first; first = next) {
		next = *(struct page **)page_address(first);
		__free_page(first);
	}
}

static void give_back(enum kind kind, size_t index)
{
	struct living *of = &living[kind];
	struct item item = of->item[index];

	of->bytes -= item.bytes;
	/* The youngest takes its place; the oldest of all is just not there any more. */
	if (index == of->first)
		of->first++;
	else
		of->item[index] = of->item[--of->nr];
	switch (item.source) {
	case BY_SIZE:
		kfree(item.block);
		break;
	case BY_PAGES:
		__free_pages(item.block, item.order);
		break;
	case OWNER:
		pages_gone(item.block);
		break;
	default:
		kmem_cache_free(item.source == INODE ? inode_cache : dentry_cache, item.block);
	}
}

/* For one more item: where those were that are gone, or in a larger array. */
static void make_place(struct living *of)
{
	if (of->first > of->room / 4) {
		memmove(of->item, of->item + of->first, (of->nr - of->first) * sizeof(of->item[0]));
		of->nr -= of->first;
		of->first = 0;
		return;
	}
	of->room = of->room ? 2 * of->room : 4096;
	of->item = realloc(of->item, of->room * sizeof(of->item[0]));
	if (!of->item)
		abort();
}

static bool keep(enum kind kind, struct item item)
{
	struct living *of = &living[kind];

	if (!item.block)
		return false;
	if (of->nr == of->room)
		make_place(of);
	of->item[of->nr++] = item;
	of->bytes += item.bytes;
	return true;
}

static struct item pages_item(gfp_t gfp, unsigned int order)
{
	return (struct item){.block = alloc_pages(gfp | QUIET, order),
		.bytes = (unsigned int)PAGE_SIZE << order,
		.source = BY_PAGES,
		.order = (unsigned char)order};
}

static struct item object_item(enum source source, size_t bytes)
{
	void *object = source == BY_SIZE ? kmalloc(bytes, QUIET)
					 : kmem_cache_alloc(source == INODE ? inode_cache : dentry_cache, QUIET);

	return (struct item){.block = object, .source = (unsigned char)source, .bytes = (unsigned int)bytes};
}

/* A page for one of the owners, who is complete then or wants more. */
static bool page_for_owner(void)
{
	struct owner *owner = &open_owner[random_below(&dice, OPEN_OWNERS)];
	struct page *page = alloc_page(__GFP_MOVABLE | __GFP_HIGHMEM | QUIET);

	if (!page)
		return false;
	*(struct page **)page_address(page) = owner->first;
	owner->first = page;
	if (!owner->nr++)
		owner->wanted = 1 + random_below(&dice, most_of_owner);
	if (owner->nr < owner->wanted)
		return true;
	keep(MOVABLE,
		(struct item){.block = owner->first, .bytes = owner->nr * (unsigned int)PAGE_SIZE, .source = OWNER});
	*owner = (struct owner){.first = NULL};
	return true;
}

static void owners_gone(void)
{
	for (unsigned int i = 0; i < OPEN_OWNERS; i++) {
		pages_gone(open_owner[i].first);
		open_owner[i] = (struct owner){.first = NULL};
	}
}

static bool one_more(enum kind kind)
{
	uint32_t chance = random_below(&dice, 16);

	switch (kind) {
	case KERNEL:
		if (chance < 12)
			return keep(kind, object_item(BY_SIZE, 32u << random_below(&dice, 9)));
		return keep(kind, pages_item(0, chance - 12));
	case RECLAIMABLE:
		if (chance < 15)
			return keep(random_below(&dice, PINNED_OF) ? kind : PINNED,
				chance < 10 ? object_item(DENTRY, 192) : object_item(INODE, 600));
		return keep(kind, pages_item(__GFP_RECLAIMABLE, 0));
	default:
		return page_for_owner();
	}
}

/* Three of four are young, the last of all that came; of pages, half are the oldest. */
static size_t victim(enum kind kind)
{
	const struct living *of = &living[kind];
	size_t nr = of->nr - of->first, young = nr / 8 + 1;

	if (kind == MOVABLE && random_below(&dice, 2))
		return of->first;
	if (kind != MOVABLE && random_below(&dice, 4))
		return of->nr - 1 - random_below(&dice, (uint32_t)young);
	return of->first + random_below(&dice, (uint32_t)nr);
}

static bool one_less(enum kind kind)
{
	if (living[kind].nr == living[kind].first)
		return false;
	give_back(kind, victim(kind));
	return true;
}

static void all_gone(enum kind kind)
{
	while (living[kind].nr > living[kind].first)
		give_back(kind, living[kind].first);
	free(living[kind].item);
	living[kind] = (struct living){.item = NULL};
}

/* ---- the shrinker ---- */

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return living[RECLAIMABLE].nr - living[RECLAIMABLE].first;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct living *of = &living[RECLAIMABLE];
	unsigned long freed = 0;

	(void)shrinker;
	for (; freed < sc->nr_to_scan && of->nr > of->first; freed++)
		give_back(RECLAIMABLE, of->first);
	return freed;
}

/* ---- the load ---- */

/* As reclaim does for who wants memory. False: there is nothing left to give up. */
static bool make_room(void)
{
	size_t least =
		living[MOVABLE].bytes > ROOM_STEP * PAGE_SIZE ? living[MOVABLE].bytes - ROOM_STEP * PAGE_SIZE : 0;
	bool any = false;

	while (living[MOVABLE].bytes > least)
		any |= one_less(MOVABLE);
	return any;
}

static bool want(enum kind kind)
{
	while (!one_more(kind)) {
		if (!make_room())
			return false;
	}
	return true;
}

/* One kind is above or below its share and gets nearer to it, then comes and goes; the rest of memory is MOVABLE. */
static bool step(enum kind kind, unsigned int percent)
{
	size_t share = zone_pages * PAGE_SIZE / 100 * percent;

	if (kind != MOVABLE && living[kind].bytes > share)
		one_less(kind);
	return (kind != MOVABLE && living[kind].bytes > share) || want(kind);
}

static bool one_wave(const struct wave *wave, size_t nr_steps)
{
	for (size_t i = 0; i < nr_steps; i++) {
		uint32_t chance = random_below(&dice, 4);

		if (!(i % LOOK_EVERY)) {
			while (free_now() < zone_pages / FREE_SHARE && make_room())
				;
		}
		if (!(chance < 2          ? step(MOVABLE, 0)
			    : chance == 2 ? step(KERNEL, wave->kernel)
					  : step(RECLAIMABLE, wave->reclaimable)))
			return false;
	}
	return true;
}

static bool load(void)
{
	const size_t nr_waves = sizeof(waves) / sizeof(waves[0]);

	for (size_t i = 0; i < nr_waves; i++) {
		if (!one_wave(&waves[i], zone_pages * STEPS_A_PAGE / nr_waves))
			return false;
	}
	return true;
}

/* ---- what is left ---- */

/* As many blocks of the order as there are, whatever is kept back; they are free again then. */
static size_t blocks_to_be_had(unsigned int order, gfp_t gfp)
{
	struct page *first = NULL, *page;
	size_t nr = 0;

	while ((page = alloc_pages(gfp | __GFP_MEMALLOC | __GFP_NOWARN, order))) {
		*(struct page **)page_address(page) = first;
		first = page;
		nr++;
	}
	for (; first; first = page) {
		page = *(struct page **)page_address(first);
		__free_pages(first, order);
	}
	return nr;
}

void fragmenting_settle(size_t nr_free[FRAGMENTING_ORDERS])
{
	pressure_drop_caches(2);
	blocks_to_be_had(FRAGMENTING_ORDERS - 1, __GFP_DIRECT_RECLAIM | __GFP_NORETRY);
	blocks_now(nr_free);
}

static void look(struct fragmenting_result *result)
{
	fragmenting_settle(result->nr_free);
	result->free = pages_of(result->nr_free);
	result->kernel = zone_pages - result->free;
	flagstone_view("extfrag_index", result->extfrag_index, sizeof(result->extfrag_index));
	flagstone_view("unusable_index", result->unusable_index, sizeof(result->unusable_index));
	for (unsigned int i = 0; i < FRAGMENTING_SIZES; i++)
		result->got[i] = blocks_to_be_had(fragmenting_order[i], 0);
}

static bool load_and_look(struct fragmenting_result *result)
{
	struct shrinker *shrinker = shrinker_alloc(0, "fragmenting");
	bool done = false;

	if (!shrinker)
		return false;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker_register(shrinker);
	if (load()) {
		result->full_free = free_now();
		all_gone(MOVABLE);
		owners_gone();
		look(result);
		done = true;
	}
	shrinker_free(shrinker);
	owners_gone();
	for (unsigned int kind = 0; kind < NR_KINDS; kind++)
		all_gone(kind);
	return done;
}

int fragmenting_run(unsigned int seed, unsigned int most, struct fragmenting_result *result)
{
	bool done = false;

	*result = (struct fragmenting_result){.pages = 0};
	most_of_owner = most;
	dice = seed * 2654435761u | 1;
	zone_pages = result->pages = managed_pages();
	inode_cache = kmem_cache_create("fragmenting_inode", 600, 0, SLAB_RECLAIM_ACCOUNT, NULL);
	dentry_cache = kmem_cache_create("fragmenting_dentry", 192, 0, SLAB_RECLAIM_ACCOUNT, NULL);
	if (inode_cache && dentry_cache)
		done = load_and_look(result);
	kmem_cache_destroy(dentry_cache);
	kmem_cache_destroy(inode_cache);
	return done;
}
