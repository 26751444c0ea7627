/*
 * boot.c: brings the hosted allocator up on its first slow path, and carries it through fork.
 *
 * Calls every room below. May run before constructors, from any thread, and in a signal handler; it allocates nothing.
 */
#include <pthread.h>
#include <string.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/lib/text.h"
#include "runtime/lib/tunables.h"
#include "runtime/slab/attempt.h"
#include "runtime/slab/internal.h"
#include "runtime/slab/stats.h"

#define CONF_VARIABLE "FLAGSTONE_CONF"
#define MIN_CAPACITY 2
#define MAGAZINE_BYTES 65536 /* of objects in one magazine; for large ones more, so that batches stay batches */
#define LARGE_MAGAZINE_BYTES 262144

#define MACHINE_ORDER 3 /* the kernel's PAGE_ALLOC_COSTLY_ORDER */
#define MACHINE_SLAB_MAX_SIZE 8192

const struct slab_machine *slab_machine;
unsigned int slab_debug;
size_t slab_depot_bytes = DEPOT_BYTES;
struct kmem_cache *cache_by_slot[AREA_SLOTS];
static char class_names[NR_CLASSES + 1][16]; /* of a machine. Synchronization: const after boot */
struct kmem_cache kmalloc_caches[NR_CLASSES + 1];
struct lock cache_list_lock = LOCK_INIT(LOCK_CACHE_LIST);
struct list_head cache_list = LIST_HEAD_INIT(cache_list);

/* Draws the statistics' root into programs that link an archive: `stat PID` looks for it. */
static const struct flagstone_root *const root_wanted __attribute__((used)) = &flagstone_root;

static struct lock boot_lock = LOCK_INIT(LOCK_BOOT);
static bool boot_by_machine start_data; /* Synchronization: written by a constructor, before there are threads */
static bool missed_machine; /* it has been told that there is none. Synchronization: atomic */
static bool booted; /* Synchronization: atomic; pairs in slab_boot() */
static const struct host_mask_ops *fork_mask_ops; /* what fork_mask is of. Synchronization: as fork_mask */
static host_sigmask_t fork_mask; /* Synchronization: cache_list_lock, from prepare to parent or child */

/* The largest objects of the size classes that lie in slabs; those of higher classes are runs of pages. */
static unsigned int slab_max_size(void)
{
	return slab_machine ? MACHINE_SLAB_MAX_SIZE : SLAB_MAX_SIZE;
}

static unsigned int order_objects(unsigned int size, unsigned int order)
{
	unsigned int bits = ((1u << order) - 1) * (unsigned int)sizeof(struct page) * 8;
	unsigned int fit = (unsigned int)(PAGE_SIZE << order) / size;

	return fit < bits ? fit : bits;
}

/* In a machine, where memory may be in pieces, no more than what page allocations must find sooner or later: order
 * 3, if that holds an object. */
static unsigned int choose_machine_order(unsigned int size)
{
	unsigned int order = 1;

	while (PAGE_SIZE << order < size)
		order++;
	return order < MACHINE_ORDER && size > 256 ? MACHINE_ORDER : order < 2 ? 2 : order;
}

/* Pages of a slab: few enough to stay dense, enough for a magazine's worth of small objects or eight large ones; of the
 * largest, which only caches have, as many as the largest slab holds. */
static unsigned int choose_order(unsigned int size)
{
	unsigned int order = 6;

	if (slab_machine)
		return choose_machine_order(size);
	if (size <= 16)
		return size <= 8 ? 3 : 2;
	if (size <= 1024)
		return 3;
	if (size <= 4096)
		return 4;
	if (size <= 16384)
		return 5;
	while (order < MAX_ORDER && (PAGE_SIZE << order) / size < 8)
		order++;
	return order;
}

/* Objects that a magazine may have room for; 0: the cache works without. */
static unsigned int choose_max_capacity(const struct kmem_cache *cache)
{
	unsigned int size = cache->size;
	unsigned int share = percpu_mode == PERCPU_THREAD ? THREAD_SHARE : 1;
	unsigned int capacity = (size > 2048 ? LARGE_MAGAZINE_BYTES : MAGAZINE_BYTES) / share / size;

	if (!cache->slot || (cache->run && share > 1) || cache->debug)
		return 0;
	if (capacity < MIN_CAPACITY && size <= SLAB_MAX_SIZE)
		return MIN_CAPACITY;
	if (!capacity)
		return 1;
	return capacity < MAGAZINE_MAX_CAPACITY ? capacity : MAGAZINE_MAX_CAPACITY;
}

/* Objects that the depots may hold. */
static unsigned int choose_max_depot(const struct kmem_cache *cache)
{
	unsigned int objects = (unsigned int)slab_depot_bytes / cache->size;
	unsigned int two_magazines = 2 * cache->max_capacity;

	return objects < two_magazines && !cache->run ? two_magazines : objects;
}

void cache_setup(struct kmem_cache *cache, const char *name, unsigned int size, unsigned int align, unsigned int slot)
{
	bool other = slot == 0 || slot >= SLOT_OTHER;

	cache->name = name;
	cache->object_size = size;
	cache->align = align;
	cache->run = slot && slot <= NR_CLASSES && size > slab_max_size();
	cache->size = ALIGN_UP((size < 8 ? 8 : size) + checks_bytes(cache), align);
	cache->usable = cache->debug & CACHE_CHECKED ? size : cache->size;
	cache->slot = slot;
	cache->class_byte = (unsigned char)(2 * (other ? SLOT_OTHER : slot));
	cache->debug |= slab_debug;
	cache->order = other ? OTHER_ORDER : choose_order(cache->size);
	cache->nr_objects = cache->run ? 1 : order_objects(cache->size, cache->order);
	cache->max_capacity = choose_max_capacity(cache);
	cache->max_depot = choose_max_depot(cache);
	lock_init(&cache->depot.lock, LOCK_DEPOT);
	slabs_init(cache);
	if (slot)
		cache_by_slot[slot] = cache;
	list_add_tail(&cache->list, &cache_list);
}

/* In a machine each class has its name, as in the kernel: reports and slub_debug use them. */
static const char *class_name(unsigned int class, unsigned int size)
{
	struct text text = TEXT_INIT(class_names[class], sizeof(class_names[class]), -1);

	if (!slab_machine)
		return "kmalloc";
	text_printf(&text, "kmalloc-%u", size);
	return class_names[class];
}

/* The power of two in a size is its alignment, too: with something behind each object that has to be said. */
static unsigned int class_align(const struct kmem_cache *cache, unsigned int size)
{
	unsigned int power = size & -size;

	if (cache->debug & CACHE_CHECKED)
		return power < PAGE_SIZE ? power : (unsigned int)PAGE_SIZE;
	return size < 16 ? 8 : 16;
}

void slab_boot_classes(void)
{
	unsigned char *sizes = (unsigned char *)percpu_fast.anchor + PERCPU_SIZE_TABLE;

	for (unsigned int class = 1; class <= NR_CLASSES; class ++) {
		unsigned int size = (unsigned int)class_to_size(class);

		struct kmem_cache *cache = &kmalloc_caches[class];
		const char *name = class_name(class, size);

		if (slab_machine && size <= slab_max_size())
			cache->debug = checks_wanted_of_sizes(name);
		cache_setup(cache, name, size, class_align(cache, size), class);
	}
	for (size_t size = 0; size <= SIZE_TABLE_MAX; size++)
		sizes[size] = (unsigned char)(2 * size_to_class(size));
	/* Pairs with fast_alloc(): the table is complete. */
	__atomic_store_n(&percpu_fast.size_limit, SIZE_TABLE_MAX + 1, __ATOMIC_RELEASE);
}

static bool no_machine(void)
{
	if (!__atomic_exchange_n(&missed_machine, true, __ATOMIC_RELAXED))
		report_bug("kmalloc: no machine is booted");
	return false;
}

/* Mistakes in it are told once, however often a machine boots. */
static void read_conf(void)
{
	static bool done; /* Synchronization: boot_lock */

	if (!done)
		tunables_parse(host_getenv(CONF_VARIABLE));
	done = true;
}

static bool boot_once(void)
{
	if (booted)
		return true;
	read_conf();
	if (memory_boot())
		return false;
	percpu_set_exit_sink(ladder_sink);
	slab_boot_classes();
	if (tunable_depots || tunable_fake_nodes) { /* else it takes files to know: slab_age() reads them */
		topology_read();
		depot_set_up_shards();
		slabs_set_up_nodes();
	}
	/* Pairs with slab_boot(): who sees booted sees everything above. */
	__atomic_store_n(&booted, true, __ATOMIC_RELEASE);
	return true;
}

bool slab_boot(void)
{
	host_sigmask_t mask;
	bool done;

	/* Pairs with boot_once(). */
	if (likely(__atomic_load_n(&booted, __ATOMIC_ACQUIRE)))
		return true;
	if (boot_by_machine)
		return no_machine();
	mask = host_signals_block();
	lock_acquire(&boot_lock);
	done = boot_once();
	lock_release(&boot_lock);
	host_signals_restore(mask);
	return done;
}

bool slab_boot_with(bool (*boot)(void *arg), void *arg)
{
	host_sigmask_t mask = host_signals_block();
	bool done = false;

	lock_acquire(&boot_lock);
	if (!booted) {
		read_conf();
		done = boot(arg);
		/* Pairs with slab_boot(). */
		__atomic_store_n(&booted, done, __ATOMIC_RELEASE);
	}
	lock_release(&boot_lock);
	host_signals_restore(mask);
	return done;
}

static void caches_reset(void)
{
	percpu_fast.size_limit = 0;
	memset(cache_by_slot, 0, sizeof(cache_by_slot));
	memset(kmalloc_caches, 0, sizeof(kmalloc_caches));
	list_init(&cache_list);
	lock_reinit(&cache_list_lock);
}

void slab_reset(void)
{
	caches_reset();
	depot_reset_shards();
	slabs_reset_nodes();
	pool_reset();
	capacity_reset();
	typesafe_reset();
	missed_machine = false;
	booted = false;
}

/* Signals stay blocked from here to the end of fork: a handler between the two would wait for locks of its own thread. */
void slab_fork_prepare(void)
{
	host_sigmask_t mask = host_signals_block();
	struct kmem_cache *cache;

	lock_fork_begin();
	lock_acquire(&boot_lock);
	lock_acquire(&cache_list_lock);
	fork_mask = mask;
	fork_mask_ops = host_mask_ops;
	/* Depots before the areas: a depot's holder may have been interrupted by a handler that waits for an area. */
	list_for_each_entry(cache, &cache_list, list)
		depot_fork_prepare(cache);
	percpu_fork_prepare();
	list_for_each_entry(cache, &cache_list, list)
		slabs_fork_prepare(cache);
	pool_fork_prepare();
	if (booted)
		page_fork_prepare();
	report_fork_prepare();
}

static void fork_done(bool child)
{
	host_sigmask_t mask = fork_mask;
	struct kmem_cache *cache;

	pool_fork_done(child);
	list_for_each_entry(cache, &cache_list, list) {
		depot_fork_done(cache, child);
		slabs_fork_done(cache, child);
	}
	if (child) {
		lock_reinit(&cache_list_lock);
		lock_reinit(&boot_lock);
		percpu_fork_child();
	} else {
		percpu_fork_parent();
		lock_release(&cache_list_lock);
		lock_release(&boot_lock);
	}
	lock_fork_end();
	/* Else the machine is gone in the child, and its mask with it: no signal was blocked. */
	if (host_mask_ops == fork_mask_ops)
		host_signals_restore(mask);
}

void slab_fork_parent(void)
{
	report_fork_parent();
	if (booted)
		page_fork_parent();
	fork_done(false);
}

void slab_fork_child(void)
{
	report_fork_child();
	if (booted)
		page_fork_child();
	fork_done(true);
}

void slab_boot_by_machine(void)
{
	boot_by_machine = true;
}

static bool boot_later start_data; /* Synchronization: written by a constructor, before there are threads */

void slab_boot_later(void)
{
	boot_later = true;
}

/* Fork handlers that were registered earlier run inside ours, and may not allocate: the shared library asks to be first. */
static __attribute__((constructor(102))) void boot_constructor(int argc, char **argv, char **envp)
{
	(void)argc;
	(void)argv;
	host_set_environment(envp);
	/* Mistakes in FLAGSTONE_CONF are named in programs that never allocate, too. */
	if (!boot_by_machine && (!boot_later || host_getenv(CONF_VARIABLE)))
		slab_boot();
	pthread_atfork(slab_fork_prepare, slab_fork_parent, slab_fork_child);
}
