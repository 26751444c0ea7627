/*
 * machine_soak.c: a machine with hardly more memory than is asked for, and everybody asking at once.
 *
 * On each CPU a task that holds memory of GFP_KERNEL, GFP_NOFS and GFP_NOIO requests, a timer and an interrupt
 * line whose handlers hold some of GFP_ATOMIC ones; beside them users of a mempool, readers and writers of files that
 * are larger than memory, whose writeback needs memory itself, and a cache that a shrinker takes from. A watchdog
 * sees to it that each of them gets on, and each class of requests too: none may go without memory for good. At the end everything is given back, and every zone has exactly what it had.
 *
 * Environment: FLAGSTONE_SOAK_SECONDS (2, and with that 8 CPUs; else 64), FLAGSTONE_SOAK_CPUS, FLAGSTONE_SOAK_SEED,
 * FLAGSTONE_SOAK_RAM (105: memory in percent of what tasks ask for; below 100 they ask for more than there is),
 * FLAGSTONE_SOAK_PREEMPT (mean microseconds between forced preemptions; 0: none), FLAGSTONE_SOAK_HUNG (120: seconds that a task may
 * sleep uninterruptibly).
 *
 * Broken if this fails: a task that waits for memory is forgotten, or memory is lost.
 */
#include <flagstone/disk.h>
#include <flagstone/irq.h>
#include <linux/interrupt.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/timer.h>
#include <string.h>

#include "runtime/irq/irq.h"
#include "tests/stress/actors.h"

#define NR_ZONES_MAX 16
#define MIB (1ul << 20)
#define MOST_HELD 2048 /* objects of a task */
#define ATOMIC_HELD 24 /* objects of a handler */
#define POOL_MIN 8
#define POOL_BYTES 1500
#define FIRST_IRQ 32
#define WORDS (FLAGSTONE_DISK_PAGE / sizeof(uint64_t))
#define OWN_PAGES 32 /* of the file, for each writer */

static unsigned int nr_cpus, nr_pairs;
static size_t ram, file_pages;
static size_t kernel_share; /* bytes that each task with GFP_KERNEL may hold */
/* ---- all that must get on ---- */

enum { KERNEL, TIMER, LINE, POOL, WRITER, READER, CACHE, NR_KINDS };
static const char *const kind_names[] = {"kernel", "timer", "line", "pool", "writer", "reader", "cache"};

/* ---- classes of requests ---- */

enum {
	BY_KERNEL,
	BY_NOFS,
	BY_NOIO,
	BY_NOWAIT,
	BY_ATOMIC_TIMER,
	BY_ATOMIC_LINE,
	BY_POOL,
	BY_WRITEBACK,
	NR_REQUEST_CLASSES
};

struct request_class {
	const char *name;
	unsigned long granted; /* Synchronization: atomic */
	/* The watchdog's: */
	unsigned long seen;
	unsigned int still;
};

static struct request_class classes[NR_REQUEST_CLASSES] = {
	[BY_KERNEL] = {.name = "GFP_KERNEL"},
	[BY_NOFS] = {.name = "GFP_NOFS"},
	[BY_NOIO] = {.name = "GFP_NOIO"},
	[BY_NOWAIT] = {.name = "GFP_NOWAIT"},
	[BY_ATOMIC_TIMER] = {.name = "GFP_ATOMIC in a timer"},
	[BY_ATOMIC_LINE] = {.name = "GFP_ATOMIC in an interrupt"},
	[BY_POOL] = {.name = "mempool"},
	[BY_WRITEBACK] = {.name = "GFP_NOIO of writeback"},
};

static void granted(unsigned int class)
{
	__atomic_add_fetch(&classes[class].granted, 1, __ATOMIC_RELAXED);
}

static bool all_granted(void)
{
	for (unsigned int class = 0; class < NR_REQUEST_CLASSES; class ++)
		if (!__atomic_load_n(&classes[class].granted, __ATOMIC_RELAXED))
			return false;
	return true;
}

static void last_words(void)
{
	pressure_report_zones(0, 0);
}

static void look_at_class(struct request_class *class)
{
	unsigned long now = __atomic_load_n(&class->granted, __ATOMIC_RELAXED);

	class->still = now == class->seen && !stopped() ? class->still + 1 : 0;
	class->seen = now;
	if (class->still < STUCK_LOOKS)
		return;
	fprintf(stderr, "machine_soak: no request of the class %s is granted, after %lu\n", class->name, now);
	die("watchdog, at", &actors[0]);
}

static void look_further(void)
{
	for (unsigned int class = 0; class < NR_REQUEST_CLASSES; class ++)
		look_at_class(&classes[class]);
}

/* ---- tasks that hold memory ---- */

struct held {
	unsigned char *object;
	size_t size;
	unsigned int pages_order; /* + 1; 0: of kmalloc */
	unsigned char mark;
};

static void held_check(const struct held *held, const struct actor *actor)
{
	if (held->object[0] != held->mark || held->object[held->size - 1] != held->mark)
		die("memory was overwritten", actor);
}

static size_t held_free(struct held *held, const struct actor *actor)
{
	held_check(held, actor);
	if (held->pages_order)
		free_pages((unsigned long)held->object, held->pages_order - 1);
	else
		kfree(held->object);
	held->object = NULL;
	return held->size;
}

static gfp_t some_flags(uint32_t random, unsigned int *class)
{
	static const unsigned char of_class[] = {
		BY_KERNEL, BY_KERNEL, BY_KERNEL, BY_NOFS, BY_NOIO, BY_KERNEL, BY_KERNEL, BY_NOWAIT};
	static const gfp_t flags[] = {GFP_KERNEL, GFP_KERNEL, GFP_KERNEL, GFP_NOFS, GFP_NOIO,
		GFP_KERNEL | __GFP_NORETRY, GFP_KERNEL | __GFP_RETRY_MAYFAIL, GFP_NOWAIT};

	*class = of_class[random % 8];
	return flags[random % 8] | __GFP_NOWARN;
}

static bool held_alloc(struct held *held, struct actor *actor)
{
	uint32_t random = random_next(&actor->random);
	unsigned int class;
	gfp_t gfp = some_flags(random >> 8, &class);

	held->pages_order = 0;
	held->size = 1 + random_below(&actor->random, random % 16 ? 1024 : 6000);
	if (random % 8 == 0) {
		held->pages_order = 1 + random_below(&actor->random, 3);
		held->size = PAGE_SIZE << (held->pages_order - 1);
		held->object = (void *)__get_free_pages(gfp, held->pages_order - 1);
	} else {
		held->object = kmalloc(held->size, gfp);
	}
	if (!held->object) {
		failed(actor);
		return false;
	}
	granted(class);
	held->mark = (unsigned char)random;
	memset(held->object, held->mark, held->size);
	return true;
}

/* Frees a third of what the task holds. */
static size_t held_free_some(struct held *held, struct actor *actor)
{
	size_t bytes = 0;

	for (unsigned int i = 0; i < MOST_HELD; i++)
		if (held[i].object && random_below(&actor->random, 3) == 0)
			bytes += held_free(&held[i], actor);
	return bytes;
}

/* Holds as much as its share, gives a third of that back, and so on. */
static int kernel_body(void *data)
{
	struct actor *actor = data;
	struct held *held = sched_zalloc(MOST_HELD * sizeof(*held));
	size_t bytes = 0;

	while (!stopped()) {
		struct held *one = &held[random_below(&actor->random, MOST_HELD)];

		if (bytes >= kernel_share || random_below(&actor->random, 4 * MOST_HELD) == 0)
			bytes -= held_free_some(held, actor);
		else if (!one->object && held_alloc(one, actor))
			bytes += one->size;
		turn(actor);
		cond_resched();
	}
	for (unsigned int i = 0; i < MOST_HELD; i++)
		if (held[i].object)
			held_free(&held[i], actor);
	sched_free(held);
	return 0;
}

/* ---- handlers ---- */

struct handler {
	struct actor *actor;
	struct timer_list timer;
	struct held held[ATOMIC_HELD];
	unsigned int next;
};

static struct handler timers[MAX_CPUS], lines[MAX_CPUS];

static void handle(struct handler *handler, unsigned int class)
{
	struct held *one = &handler->held[handler->next++ % ATOMIC_HELD];

	if (one->object)
		held_free(one, handler->actor);
	one->pages_order = 0;
	one->size = 1 + random_below(&handler->actor->random, 2000);
	one->object = kmalloc(one->size, GFP_ATOMIC | __GFP_NOWARN);
	if (one->object) {
		granted(class);
		one->mark = (unsigned char)handler->next;
		memset(one->object, one->mark, one->size);
	} else {
		failed(handler->actor);
	}
	turn(handler->actor);
}

static void on_timer(struct timer_list *timer)
{
	struct handler *handler = container_of(timer, struct handler, timer);

	handle(handler, BY_ATOMIC_TIMER);
	/* The line of the same CPU number: mostly of another. */
	flagstone_irq_raise(FIRST_IRQ + (unsigned int)(handler - timers));
	if (!stopped())
		mod_timer(timer, jiffies + 1);
}

static irqreturn_t on_line(int irq, void *data)
{
	(void)irq;
	handle(data, BY_ATOMIC_LINE);
	return IRQ_HANDLED;
}

static void handlers_start(void)
{
	for (unsigned int i = 0; i < nr_cpus; i++) {
		timers[i].actor = actor_new(TIMER, i);
		lines[i].actor = actor_new(LINE, i);
		if (request_irq(FIRST_IRQ + i, on_line, 0, "soak", &lines[i]))
			die("no interrupt line", lines[i].actor);
		timer_setup(&timers[i].timer, on_timer, 0);
		timers[i].timer.expires = jiffies + 1;
		add_timer_on(&timers[i].timer, (int)i);
	}
}

static void handler_drop(struct handler *handler)
{
	for (unsigned int i = 0; i < ATOMIC_HELD; i++)
		if (handler->held[i].object)
			held_free(&handler->held[i], handler->actor);
}

static void handlers_stop(void)
{
	for (unsigned int i = 0; i < nr_cpus; i++)
		del_timer_sync(&timers[i].timer);
	for (unsigned int i = 0; i < nr_cpus; i++) {
		free_irq(FIRST_IRQ + i, &lines[i]);
		handler_drop(&timers[i]);
		handler_drop(&lines[i]);
	}
}

/* ---- a pool ---- */

static mempool_t *pool;

static int pool_body(void *data)
{
	struct actor *actor = data;
	unsigned char mark = (unsigned char)actor->number;

	while (!stopped()) {
		unsigned char *element = mempool_alloc(pool, GFP_NOIO);

		if (!element)
			die("a pool that may wait returned NULL", actor);
		granted(BY_POOL);
		memset(element, mark, POOL_BYTES);
		cond_resched();
		for (unsigned int i = 0; i < POOL_BYTES; i += 7)
			if (element[i] != mark)
				die("an element belongs to two", actor);
		mempool_free(element, pool);
		turn(actor);
	}
	return 0;
}

/* ---- files ---- */

static struct flagstone_disk *disk;
static struct flagstone_file *file;

/* The flusher has two elements of pools, with GFP_NOIO, for each page that the disk wrote. Told by the writers, as a
 * disk's statistics need a task. An older number may come last: the next is right again. */
static void writeback_note(void)
{
	struct flagstone_disk_stats stats;

	flagstone_disk_stats(disk, &stats);
	__atomic_store_n(&classes[BY_WRITEBACK].granted, 2 * stats.writes, __ATOMIC_RELAXED);
}

static int writer_body(void *data)
{
	struct actor *actor = data;
	uint64_t page[WORDS], version[OWN_PAGES] = {0};
	size_t first = actor->number * OWN_PAGES;

	while (!stopped()) {
		size_t i = random_below(&actor->random, OWN_PAGES);
		bool writes = !version[i] || random_below(&actor->random, 2);
		int error;

		for (size_t word = 0; writes && word < WORDS; word++)
			page[word] = (version[i] + 1) * 1000003 + first + i + word;
		error = writes ? flagstone_file_write(file, first + i, page)
			       : flagstone_file_read(file, first + i, page);
		if (error)
			failed(actor);
		else if (writes)
			version[i]++;
		for (size_t word = 0; !error && word < WORDS; word++)
			if (page[word] != version[i] * 1000003 + first + i + word)
				die("a page of a file is wrong", actor);
		writeback_note();
		turn(actor);
		cond_resched();
	}
	return 0;
}

static int reader_body(void *data)
{
	struct actor *actor = data;
	uint64_t page[WORDS];

	while (!stopped()) {
		if (flagstone_file_read(file, random_below(&actor->random, (uint32_t)file_pages), page))
			failed(actor);
		turn(actor);
		cond_resched();
	}
	return 0;
}

/* ---- a cache with a shrinker ---- */

static struct kmem_cache *cache;
static struct list_head cached = LIST_HEAD_INIT(cached); /* Synchronization: cached_lock */
static unsigned long nr_cached; /* Synchronization: cached_lock; a hint without */
static struct lock cached_lock = {.rank = LOCK_TASKS};

static void cached_put(struct list_head *object)
{
	host_sigmask_t mask = host_signals_block();

	lock_acquire(&cached_lock);
	list_add(object, &cached);
	__atomic_store_n(&nr_cached, nr_cached + 1, __ATOMIC_RELAXED);
	lock_release(&cached_lock);
	host_signals_restore(mask);
}

static struct list_head *cached_take(void)
{
	host_sigmask_t mask = host_signals_block();
	struct list_head *object = NULL;

	lock_acquire(&cached_lock);
	if (!list_empty(&cached)) {
		object = cached.prev;
		list_del(object);
		__atomic_store_n(&nr_cached, nr_cached - 1, __ATOMIC_RELAXED);
	}
	lock_release(&cached_lock);
	host_signals_restore(mask);
	return object;
}

static unsigned long cached_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return __atomic_load_n(&nr_cached, __ATOMIC_RELAXED);
}

static unsigned long cached_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;
	struct list_head *object;

	(void)shrinker;
	while (freed < sc->nr_to_scan && (object = cached_take())) {
		kmem_cache_free(cache, object);
		freed++;
	}
	return freed;
}

static int cache_body(void *data)
{
	struct actor *actor = data;

	while (!stopped()) {
		struct list_head *object = kmem_cache_alloc(cache, GFP_KERNEL | __GFP_NOWARN);

		if (object)
			cached_put(object);
		else
			failed(actor);
		turn(actor);
		cond_resched();
	}
	return 0;
}

/* ---- the whole ---- */

static const struct pressure_config config = {.oom = OOM_FAIL, .patience_ms = 500};

/* What is asked for is RAM / 1.05 (FLAGSTONE_SOAK_RAM): most of that by tasks, some by handlers and pools, the rest is what zones keep
 * back. */
static void choose_sizes(bool quick)
{
	nr_cpus = (unsigned int)variable("FLAGSTONE_SOAK_CPUS", quick ? 8 : 64);
	nr_cpus = nr_cpus > MAX_CPUS ? MAX_CPUS : nr_cpus ? nr_cpus : 1;
	nr_pairs = (nr_cpus + 3) / 4;
	ram = nr_cpus <= 8 ? 16 * MIB : 64 * MIB;
	file_pages = 2 * ram / PAGE_SIZE;
}

static size_t kept_back(void)
{
	struct page_zone_info info;
	size_t pages = 0;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		pages += info.high + info.reserve[PAGE_ZONE_NORMAL];
	}
	return pages * PAGE_SIZE;
}

static void run(unsigned long seconds)
{
	struct shrinker *shrinker = shrinker_alloc(0, "soak");
	unsigned int preempt = (unsigned int)variable("FLAGSTONE_SOAK_PREEMPT", 0);
	pthread_t dog;

	cache = kmem_cache_create("soak", 700, 0, 0, NULL);
	pool = mempool_create_kmalloc_pool(POOL_MIN, POOL_BYTES);
	disk = flagstone_disk_create(NULL);
	file = flagstone_file_create(disk, file_pages);
	shrinker->count_objects = cached_count;
	shrinker->scan_objects = cached_scan;
	shrinker_register(shrinker);
	handlers_start();
	actors_start(KERNEL, nr_cpus, kernel_body, true);
	actors_start(POOL, 2 * nr_pairs, pool_body, false);
	actors_start(WRITER, nr_pairs, writer_body, false);
	actors_start(READER, nr_pairs, reader_body, false);
	actors_start(CACHE, nr_pairs, cache_body, false);
	watchdog_start(&dog);
	if (preempt)
		preempt_force(preempt, variable("FLAGSTONE_SOAK_SEED", 1));
	msleep((unsigned int)seconds * 1000);
	/* Where the host had no time for one of them: the watchdog ends that, if it must be. */
	while (!all_granted())
		msleep(10);
	preempt_force(0, 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	actors_join(-1);
	handlers_stop();
	watchdog_end(dog);
	flagstone_disk_sync(disk);
	flagstone_disk_destroy(disk);
	shrinker_free(shrinker);
	for (struct list_head *object; (object = cached_take());)
		kmem_cache_free(cache, object);
	kmem_cache_destroy(cache);
	mempool_destroy(pool);
}

static void print_counter(const char *name, unsigned long value, void *arg)
{
	(void)arg;
	if (value)
		printf("%s %lu\n", name, value);
}

static void print_all(void)
{
	actors_print(NR_KINDS);
	for (unsigned int class = 0; class < NR_REQUEST_CLASSES; class ++)
		printf("%s: %lu granted\n", classes[class].name, classes[class].granted);
	vmstat_for_each(print_counter, NULL);
}

/* Free pages of each zone, with everything drained, and the zone's own account. */
static int zones_count(size_t *free)
{
	struct page_zone_info info;
	int wrong = 0;

	slab_trim(0);
	page_check();
	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		page_zone_get(zone, &info);
		free[zone] = info.free + info.in_lists;
		if (info.free + info.in_lists + info.allocated - info.freed == info.managed)
			continue;
		fprintf(stderr,
			"machine_soak: zone %s of node %u: free %zu, lists %zu, allocated %zu, freed %zu, managed "
			"%zu\n",
			info.name, info.node, info.free, info.in_lists, info.allocated, info.freed, info.managed);
		wrong = 1;
	}
	return wrong;
}

static int compare(const size_t *before, const size_t *after)
{
	int wrong = 0;

	for (unsigned int zone = 0; zone < page_nr_zones(); zone++) {
		if (before[zone] == after[zone])
			continue;
		fprintf(stderr, "machine_soak: zone %u had %zu pages free before, and has %zu after\n", zone,
			before[zone], after[zone]);
		wrong = 1;
	}
	return wrong;
}

int main(void)
{
	bool quick = !getenv("FLAGSTONE_SOAK_SECONDS");
	struct page_machine machine = {.nr_nodes = 2, .dma_end = 4 * MIB};
	size_t before[NR_ZONES_MAX], after[NR_ZONES_MAX];
	int wrong;

	actors_program = "machine_soak";
	actor_kinds = kind_names;
	choose_sizes(quick);
	machine.node_bytes[0] = ram / 2;
	machine.node_bytes[1] = ram / 2;
	if (nr_cpus == 1)
		machine.nr_nodes = 1;
	if (pressure_machine_boot_config(nr_cpus, &machine, &config) || irq_boot())
		return 1;
	if (hung_task_boot(variable("FLAGSTONE_SOAK_HUNG", 120), true))
		return 1;
	kernel_share = (ram * 100 / variable("FLAGSTONE_SOAK_RAM", 105) - kept_back()) * 7 / 8 / nr_cpus;
	wrong = zones_count(before);
	run(variable("FLAGSTONE_SOAK_SECONDS", 2));
	print_all();
	wrong |= !all_granted();
	wrong |= zones_count(after);
	wrong |= compare(before, after);
	irq_shutdown();
	if (pressure_machine_shutdown())
		wrong = 1;
	return wrong;
}
