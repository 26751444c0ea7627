/*
 * counted_machine.c: the fast paths of a simulated machine, whose every memory access is traced, with marks around each
 * operation.
 *
 * A task on each CPU, which take turns: in each turn all operations once. So a line that one of them writes and another
 * CPU looks at moves at every turn. A turn makes no system call and is short: see begin_slice().
 *
 * Calls the machine library. Does on purpose what moves lines, to show that it is seen: those operations are named
 * "shared".
 *
 * usage: flagstone-counted-machine CPUS TURNS
 *
 * Prints mode MODE: how tasks reach their CPU's magazines; then for each operation, operation NUMBER own|shared NAME.
 */
#include <assert.h>
#include <errno.h>
#include <flagstone/machine.h>
#include <flagstone/stats.h>
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "dummy_rseq.h"
#include "marks.h"

#define MAX_CPUS 64
#define WARM_TURNS 10
#define SLICE_REST 300 /* blocks of instructions that valgrind still runs of a thread after a pause instruction */
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

volatile char marks[NR_MARKS]; /* found by its name */

static volatile size_t size_64 = 64; /* the compiler must not choose the cache */
static struct kmem_cache *cache;
static mempool_t *slab_pool, *page_pool;
static DEFINE_PER_CPU(unsigned long, counter);
static unsigned int nr_cpus, nr_turns; /* Synchronization: const while tasks run */
static sem_t turn_of[MAX_CPUS];
static DECLARE_COMPLETION(all_done);

/* On lines of their own. */
static struct {
	atomic_t count;
} __attribute__((aligned(64))) shared_count;
static struct {
	spinlock_t lock;
} __attribute__((aligned(64))) shared_lock = {__SPIN_LOCK_UNLOCKED(shared_lock.lock)};
static struct {
	unsigned int last_cpu;
} __attribute__((aligned(64))) shared_word;

/* An allocation that must not fail, touched. */
static void *touched(void *object)
{
	if (!object)
		abort();
	*(volatile char *)object = 1;
	return object;
}

static void kmalloc_pair(void)
{
	kfree(touched(kmalloc(size_64, GFP_KERNEL)));
}

static void kmalloc_atomic_pair(void)
{
	kfree(touched(kmalloc(size_64, GFP_ATOMIC)));
}

static void cache_pair(void)
{
	kmem_cache_free(cache, touched(kmem_cache_alloc(cache, GFP_KERNEL)));
}

static void page_pair(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 0);

	touched(page ? page_address(page) : NULL);
	__free_pages(page, 0);
}

static void page_address_pair(void)
{
	free_pages((unsigned long)touched((void *)__get_free_pages(GFP_KERNEL, 0)), 0);
}

static void slab_pool_pair(void)
{
	mempool_free(touched(mempool_alloc(slab_pool, GFP_KERNEL)), slab_pool);
}

static void page_pool_pair(void)
{
	struct page *page = mempool_alloc(page_pool, GFP_KERNEL);

	touched(page_address(page));
	mempool_free(page, page_pool);
}

static void cpu_inc(void)
{
	this_cpu_inc(counter);
}

static void cpu_var(void)
{
	get_cpu_var(counter)++;
	put_cpu_var(counter);
}

static void count_together(void)
{
	atomic_inc(&shared_count.count);
}

static void lock_together(void)
{
	spin_lock(&shared_lock.lock);
	spin_unlock(&shared_lock.lock);
}

/* One CPU writes, and the others read. */
static void look_at_one(void)
{
	unsigned int cpu = smp_processor_id();

	if (!cpu)
		WRITE_ONCE(shared_word.last_cpu, cpu);
	else
		(void)READ_ONCE(shared_word.last_cpu);
}

static const struct operation {
	const char *name;
	void (*run)(void);
	bool shared; /* moves lines, on purpose */
} operations[] = {
	{"kmalloc and kfree", kmalloc_pair, false},
	{"kmalloc and kfree, GFP_ATOMIC", kmalloc_atomic_pair, false},
	{"kmem_cache_alloc and kmem_cache_free", cache_pair, false},
	{"alloc_pages and __free_pages", page_pair, false},
	{"__get_free_pages and free_pages", page_address_pair, false},
	{"mempool_alloc and mempool_free, of a cache", slab_pool_pair, false},
	{"mempool_alloc and mempool_free, pages", page_pool_pair, false},
	{"this_cpu_inc", cpu_inc, false},
	{"get_cpu_var and put_cpu_var", cpu_var, false},
	{"atomic_inc of everybody's counter", count_together, true},
	{"spin_lock and spin_unlock of everybody's lock", lock_together, true},
	{"READ_ONCE of what one CPU writes", look_at_one, true},
};
static_assert(ARRAY_SIZE(operations) <= MARKS_OPERATIONS, "a mark for each");

static noinline void return_at_once(void)
{
	__asm__ volatile("");
}

/*
 * valgrind runs one thread at a time, and looks at the others and at signals where one makes a system call, or has used
 * up its slice of 100000 blocks of instructions. Here the slice is used up: the next is more than enough for a turn, into
 * which nothing comes then.
 */
static void begin_slice(void)
{
	cpu_relax();
	for (int i = 0; i < SLICE_REST + 200; i++)
		return_at_once();
}

static void take_turn(unsigned int cpu, unsigned int turn)
{
	while (sem_wait(&turn_of[cpu]) && errno == EINTR)
		;
	begin_slice();
	marks[MARK_CPU + cpu] = 1;
	if (cpu == 0 && turn == WARM_TURNS)
		marks[MARK_COUNT] = 1;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		marks[MARK_OPERATION + i] = 1;
		operations[i].run();
		marks[MARK_END] = 1;
	}
	marks[MARK_AWAY] = 1;
	sem_post(&turn_of[(cpu + 1) % nr_cpus]);
}

static int run_turns(void *arg)
{
	unsigned int cpu = (unsigned int)(uintptr_t)arg;

	for (unsigned int turn = 0; turn < nr_turns; turn++)
		take_turn(cpu, turn);
	if (cpu == nr_cpus - 1)
		complete(&all_done);
	return 0;
}

static void boot(void)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;

	config.cpus = nr_cpus;
	config.ram = 64ul << 20;
	config.tracking = config.context = config.lockdep = 0;
	if (flagstone_machine_boot(&config))
		exit(1);
	cache = kmem_cache_create("counted", 192, 0, 0, NULL);
	slab_pool = mempool_create_slab_pool(4, cache);
	page_pool = mempool_create_page_pool(4, 0);
	if (!cache || !slab_pool || !page_pool)
		exit(1);
}

static void print_operations(void)
{
	static struct flagstone_stats stats = {.version = FLAGSTONE_STATS_VERSION};

	if (flagstone_stats_get(&stats))
		exit(1);
	printf("mode %s\n", FLAGSTONE_RSEQ ? stats.mode : "without rseq");
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		printf("operation %zu %s %s\n", i, operations[i].shared ? "shared" : "own", operations[i].name);
}

int main(int argc, char **argv)
{
	if (argc == 3) {
		nr_cpus = (unsigned int)atoi(argv[1]);
		nr_turns = (unsigned int)atoi(argv[2]) + WARM_TURNS;
	}
	if (nr_cpus < 2 || nr_cpus > MAX_CPUS) {
		fputs("usage: flagstone-counted-machine CPUS TURNS\n", stderr);
		return 2;
	}
	boot();
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		sem_init(&turn_of[cpu], 0, cpu == 0);
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		wake_up_process(kthread_create_on_cpu(run_turns, (void *)(uintptr_t)cpu, cpu, "turns/%u"));
	wait_for_completion(&all_done);
	print_operations();
	mempool_destroy(slab_pool);
	mempool_destroy(page_pool);
	kmem_cache_destroy(cache);
	return flagstone_machine_shutdown() ? 1 : 0;
}
