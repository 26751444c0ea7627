/*
 * machine.c: boots this room for a machine, and turns gfp flags into requests to its page room.
 *
 * Calls the page room's machine, failure.c for reports and track.c for records. What happens between two attempts
 * is up to the hooks of the rooms above. Not linked into hosted programs.
 */
#include <errno.h>
#include <linux/slab.h>
#include <string.h>

#include "runtime/lib/report.h"
#include "runtime/lib/resource.h"
#include "runtime/lib/text.h"
#include "runtime/lib/tunables.h"
#include "runtime/slab/machine.h"

#define FIRST_ZONE_LOG 3 /* sizes of the caches by zone: 8 .. 8192, powers of two */
#define LAST_ZONE_LOG 13
#define NR_ZONE_SIZES (LAST_ZONE_LOG - FIRST_ZONE_LOG + 1)
#define NAME_BYTES 24
#define CACHE_SHARE 8 /* the part of RAM that magazines may grow to hold */
#define LEAST_CPU_CACHE 65536
#define DEPOT_SHARE 1024 /* the part of RAM that the depots of one cache may */

static const struct alloc_hooks no_hooks;
const struct alloc_hooks *machine_hooks = &no_hooks;
static unsigned int wanted_debug; /* enum cache_debug, for the next boot. Synchronization: as slab_set_hooks() */
static unsigned long hosted_cpu_cache; /* the tunable, as it was. Synchronization: const while booted */
/* For kmalloc from DMA, and from DMA32; NULL where the machine has no such zone. Synchronization: const while booted */
static struct kmem_cache *zone_caches[2][NR_ZONE_SIZES];

/* ---- requests ---- */

static enum page_zone_type type_of(gfp_t gfp)
{
	if (gfp & __GFP_DMA)
		return PAGE_ZONE_DMA;
	if (gfp & __GFP_DMA32)
		return PAGE_ZONE_DMA32;
	return gfp & __GFP_HIGHMEM ? PAGE_ZONE_HIGHMEM : PAGE_ZONE_NORMAL;
}

/* How deep the flags allow to go. */
static enum page_level level_of(gfp_t gfp)
{
	if ((gfp & (__GFP_MEMALLOC | __GFP_NOMEMALLOC)) == __GFP_MEMALLOC)
		return PAGE_TO_NOTHING;
	if (gfp & __GFP_HIGH)
		return gfp & __GFP_DIRECT_RECLAIM ? PAGE_TO_RESERVE : PAGE_TO_ATOMIC;
	return PAGE_TO_MIN;
}

static enum page_migratetype migratetype_of(const struct attempt *attempt)
{
	if (attempt->kind == ATTEMPT_PAGES && attempt->gfp & (__GFP_MOVABLE | __GFP_RECLAIMABLE))
		return attempt->gfp & __GFP_MOVABLE ? PAGE_MOVABLE : PAGE_RECLAIMABLE;
	return attempt->cache && attempt->cache->flags & SLAB_RECLAIM_ACCOUNT ? PAGE_RECLAIMABLE : PAGE_UNMOVABLE;
}

static struct page_request request_of(const struct attempt *attempt, enum page_level level)
{
	return (struct page_request){.type = (uint8_t)type_of(attempt->gfp),
		.node = (int8_t)(attempt->node < 0 ? PAGE_NODE_HERE : attempt->node),
		.level = (uint8_t)level,
		.this_node = attempt->gfp & __GFP_THISNODE,
		.no_pressure = !(attempt->gfp & __GFP_KSWAPD_RECLAIM),
		.migratetype = (uint8_t)migratetype_of(attempt)};
}

/* ---- attempts ---- */

static bool hooks_allow(const struct attempt *attempt)
{
	const struct alloc_hooks *hooks = machine_hooks;

	if (attempt->kind == ATTEMPT_PAGES && hooks->begin_pages)
		return hooks->begin_pages(attempt->gfp, attempt->order, attempt->caller);
	return !hooks->begin ||
	       hooks->begin(attempt->gfp, attempt->size, attempt->cache ? attempt->cache->flags : 0, attempt->caller);
}

static bool machine_begin(struct attempt *attempt)
{
	if (attempt->node >= (int)page_nr_nodes())
		attempt->node = ANY_NODE;
	if (!hooks_allow(attempt))
		return false;
	attempt->outer = page_request_set(request_of(attempt, PAGE_TO_LOW));
	return true;
}

/* Without hooks: what a hosted program does. */
static bool trim_and_retry(const struct attempt *attempt, unsigned int failures)
{
	if (failures > 1 && !(attempt->gfp & __GFP_NOFAIL))
		return false;
	slab_trim(0);
	if (failures > 1)
		host_yield();
	return true;
}

static bool machine_again(struct attempt *attempt)
{
	unsigned int failures = attempt->tries++;

	if (!failures) {
		page_request_set(request_of(attempt, level_of(attempt->gfp)));
		return true;
	}
	if (failures == 1 && (attempt->gfp & (__GFP_NOFAIL | __GFP_DIRECT_RECLAIM)) == __GFP_NOFAIL)
		failure_report_nofail(attempt);
	if (machine_hooks->retry)
		return machine_hooks->retry(attempt->gfp, attempt->order, failures);
	return trim_and_retry(attempt, failures);
}

static void machine_end(struct attempt *attempt, void *object)
{
	page_request_set(attempt->outer);
	if (!object && !(attempt->gfp & __GFP_NOWARN))
		failure_report(attempt);
	if (object && attempt->kind == ATTEMPT_SLAB && !attempt->cache)
		checks_set_asked(object, attempt->size);
	if (object && attempt->kind != ATTEMPT_OWN && track_is_on())
		track_alloc(attempt, object);
}

/* ---- objects of a zone or of a node ---- */

static struct kmem_cache *zone_cache(gfp_t gfp, size_t size)
{
	unsigned int log = size <= 1 ? 0 : 64 - (unsigned int)__builtin_clzl(size - 1);
	unsigned int index = log <= FIRST_ZONE_LOG ? 0 : log - FIRST_ZONE_LOG;

	return index < NR_ZONE_SIZES ? zone_caches[gfp & __GFP_DMA ? 0 : 1][index] : NULL;
}

/* Of no class: a magazine may hold a run of a class that is of any zone and node. */
static void *take_pages(size_t size, unsigned int alloc_flags)
{
	struct page *page =
		page_alloc_exact((size + PAGE_SIZE - 1) / PAGE_SIZE, alloc_flags & ALLOC_ZERO ? PAGE_ALLOC_ZERO : 0);

	return page ? page_to_addr(page) : NULL;
}

static struct kmem_cache *cache_of_attempt(const struct attempt *attempt)
{
	struct kmem_cache *cache = attempt->cache;

	if (!cache && attempt->gfp & (__GFP_DMA | __GFP_DMA32))
		cache = zone_cache(attempt->gfp, attempt->size);
	else if (!cache && attempt->size <= CLASS_MAX_SIZE)
		cache = &kmalloc_caches[size_to_class(attempt->size)];
	return cache && !cache->run ? cache : NULL;
}

static void *machine_take(const struct attempt *attempt, unsigned int alloc_flags)
{
	struct kmem_cache *cache = cache_of_attempt(attempt);
	host_sigmask_t mask = host_signals_block();
	void *object = cache ? slabs_alloc_on(cache, attempt->node, attempt->gfp & __GFP_THISNODE)
			     : take_pages(attempt->size, alloc_flags);

	host_signals_restore(mask);
	if (cache && object && cache->debug & CACHE_CHECKED)
		checks_alloc(cache, object);
	if (cache && object && alloc_flags & ALLOC_ZERO)
		memset(object, 0, cache->usable);
	return object;
}

/* Bytes of an object or of a block of pages. */
static size_t bytes_of(const void *object)
{
	size_t size = object_size(object);
	unsigned long pfn = addr_to_pfn(object);

	if (!size && page_pfn_online(pfn) && page_flags_get(pfn_to_page_struct(pfn)) & PAGE_ORDER)
		size = PAGE_SIZE << pfn_to_page_struct(pfn)->order;
	return size;
}

static bool machine_freeing(const void *object, const void *caller)
{
	if (!track_freeing(object, caller))
		return false;
	if (machine_hooks->freeing)
		machine_hooks->freeing(object, bytes_of(object));
	return true;
}

void slab_report_history(const void *p)
{
	if (!track_history_around(p))
		checks_report_around(p);
}

static void cache_created(const struct kmem_cache *cache, const void *caller)
{
	resource_made(&(struct resource){.type = RESOURCE_CACHE,
		.object = cache,
		.size = cache->object_size,
		.name = cache->name,
		.caller = caller});
}

static void cache_ends(const struct kmem_cache *cache)
{
	resource_ended(RESOURCE_CACHE, cache);
}

static const struct slab_machine machine = {
	.begin = machine_begin,
	.again = machine_again,
	.end = machine_end,
	.take = machine_take,
	.freeing = machine_freeing,
	.freed_twice = track_freed_twice,
	.split = track_split,
	.resized = track_resized,
	.who = machine_who,
	.stack = track_stack,
	.history = track_history,
	.describe = track_describe,
	.drop_highmem = failure_drop_highmem,
	.too_large = failure_report_too_large,
	.cache_created = cache_created,
	.cache_ends = cache_ends,
};

/* ---- boot ---- */

/* Whether a block may come and go without that the hooks or the records are asked. */
static bool pages_may_go_unseen(void)
{
	const struct alloc_hooks *hooks = machine_hooks;

	return slab_machine && !slab_debug && !hooks->freeing && !hooks->begin_pages &&
	       (!hooks->begin || hooks->begin_refuses_only);
}

/* All conditions are looked at here, so that an allocation has one word to test. */
static void choose_usual_pages(void)
{
	usual_pages = pages_may_go_unseen() && page_has_usual() ? machine_hooks->pages : NULL;
}

static bool has_zone(enum page_zone_type type)
{
	struct page_zone_info info;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		if (info.type == type && info.present)
			return true;
	}
	return false;
}

/* A cache and its name, in memory of the machine, as those of kmem_cache_create() are. */
static struct kmem_cache *zone_cache_create(const char *prefix, unsigned int size, gfp_t zone)
{
	struct kmem_cache *cache =
		object_alloc_once(sizeof(*cache) + NAME_BYTES, __alignof__(*cache), ALLOC_ZERO | ALLOC_EXACT);
	struct text name;

	if (!cache)
		return NULL;
	name = TEXT_INIT((char *)(cache + 1), NAME_BYTES, -1);
	text_printf(&name, "%s-%u", prefix, size);
	cache->zone = zone;
	cache->debug = checks_wanted_of_sizes(name.buffer);
	cache_setup(cache, name.buffer, size, size < PAGE_SIZE ? size : (unsigned int)PAGE_SIZE, 0);
	return cache;
}

static void zone_caches_create(void)
{
	const bool dma = has_zone(PAGE_ZONE_DMA), dma32 = has_zone(PAGE_ZONE_DMA32);

	for (unsigned int i = 0; i < NR_ZONE_SIZES; i++) {
		unsigned int size = 1u << (FIRST_ZONE_LOG + i);

		zone_caches[0][i] = dma ? zone_cache_create("dma-kmalloc", size, __GFP_DMA) : NULL;
		zone_caches[1][i] = dma32 ? zone_cache_create("dma32-kmalloc", size, __GFP_DMA32) : NULL;
	}
}

/* Magazines of all CPUs together, and depots, shall not be able to hold most of a small machine's RAM. */
static void limit_caching(const struct page_machine *config)
{
	size_t ram = page_nr_phys() * PAGE_SIZE;
	size_t share = ram / CACHE_SHARE / config->nr_cpus;

	if (share < LEAST_CPU_CACHE)
		share = LEAST_CPU_CACHE;
	hosted_cpu_cache = tunable_cpu_cache;
	if (tunable_cpu_cache > share)
		tunable_cpu_cache = share;
	if (slab_depot_bytes > ram / DEPOT_SHARE)
		slab_depot_bytes = ram / DEPOT_SHARE;
}

struct boot {
	const struct page_machine *config;
	int err;
};

static bool boot_machine(void *arg)
{
	struct boot *boot = arg;

	if ((wanted_debug & CACHE_TRACK) && !track_boot()) {
		boot->err = -ENOMEM;
		return false;
	}
	boot->err = memory_boot_machine(boot->config);
	if (boot->err) {
		track_shutdown();
		return false;
	}
	percpu_set_exit_sink(ladder_sink);
	slab_machine = &machine;
	page_set_poison_history(track_page_history);
	slab_debug = wanted_debug;
	limit_caching(boot->config);
	slab_boot_classes();
	depot_set_up_shards();
	slabs_set_up_nodes();
	zone_caches_create();
	choose_usual_pages();
	return true;
}

int slab_boot_machine(const struct page_machine *config)
{
	struct boot boot = {config, -EBUSY};

	slab_boot_with(boot_machine, &boot);
	return boot.err;
}

void slab_shutdown(void)
{
	if (!slab_machine)
		return;
	slab_reset();
	track_shutdown();
	failure_reset();
	tunable_cpu_cache = hosted_cpu_cache;
	slab_depot_bytes = DEPOT_BYTES;
	memset(zone_caches, 0, sizeof(zone_caches));
	machine_hooks = &no_hooks;
	slab_machine = NULL;
	choose_usual_pages();
	slab_debug = 0;
	memory_shutdown();
}

/* ---- what the rooms above say ---- */

void slab_set_hooks(const struct alloc_hooks *hooks)
{
	__atomic_store_n(&machine_hooks, hooks ? hooks : &no_hooks, __ATOMIC_RELEASE);
	choose_usual_pages();
}

static void want(unsigned int debug, bool on)
{
	wanted_debug = on ? wanted_debug | debug : wanted_debug & ~debug;
}

void slab_set_slow(bool on)
{
	want(CACHE_SLOW, on);
}

void slab_set_tracking(bool on)
{
	want(CACHE_TRACK, on);
}

struct alloc_who machine_who(void)
{
	struct alloc_who who = {.comm = "", .pid = 0, .cpu = percpu_this_cpu()};

	if (machine_hooks->who)
		machine_hooks->who(&who);
	return who;
}
