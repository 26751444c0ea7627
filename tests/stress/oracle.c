/*
 * oracle.c: the engine of oracle.h.
 *
 * Calls the allocator under test through its ops, and shadow.c. Each worker owns an array of blocks; blocks cross from
 * one worker to another through a table of exchange slots. Every block is filled with a pattern made from its address,
 * size, owner and serial number, and checked byte for byte before it is given back.
 */
#include "tests/stress/oracle.h"
#include "tests/stress/harness.h"
#include "tests/stress/shadow.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#define NR_SLOTS 4096 /* blocks that one worker may own */
#define NR_EXCHANGE 512
#define EXCHANGE_MAX 16384 /* bytes of a block in most slots; 16 times that in every sixteenth */
#define MAX_THREADS 256
#define MIB (1024 * 1024ul)

struct block {
	unsigned char *start; /* NULL: no block */
	size_t size; /* bytes that are filled and checked: what was asked for, or the usable size */
	uint64_t key;
	unsigned int owner; /* the worker that allocated it */
};

struct exchange_slot {
	int busy; /* Synchronization: atomic; 1 while a worker is in it */
	struct block block; /* Synchronization: busy */
} __attribute__((aligned(64)));

struct run {
	const struct allocator_ops *ops;
	struct exchange_slot *exchange;
	pthread_mutex_t big; /* held by the one worker that may go far beyond its budget */
	int stop; /* Synchronization: atomic */
	uint64_t seed;
	size_t budget; /* bytes of one worker */
	size_t max_size, max_align, min_align;
	cpu_set_t cpus; /* that this process may use */
};

/* Invariant: live == sum of sizes of slots[0 .. nr). Synchronization: owner; live is read by the sampler, stale. */
struct worker {
	struct run *run;
	pthread_t thread;
	unsigned int index;
	unsigned int nr;
	struct rng rng;
	size_t live;
	uint64_t serial;
	struct oracle_result count;
	struct block slots[NR_SLOTS];
} __attribute__((aligned(64)));

/* ---- one block ---- */

static uint64_t pattern_word(uint64_t key, size_t index)
{
	return (key + index) * 0xd1342543de82ef95u;
}

static void block_fill(const struct block *block)
{
	size_t words = block->size / 8;
	uint64_t last = pattern_word(block->key, words);

	for (size_t i = 0; i < words; i++) {
		uint64_t word = pattern_word(block->key, i);

		memcpy(block->start + 8 * i, &word, 8);
	}
	memcpy(block->start + 8 * words, &last, block->size % 8);
}

static void __attribute__((noreturn)) report_corruption(const struct block *block, size_t size, const char *when)
{
	size_t at = 0;

	while (at + 1 < size && block->start[at] == (unsigned char)(pattern_word(block->key, at / 8) >> (8 * (at % 8))))
		at++;
	fail_status(ORACLE_CORRUPT, "oracle: byte %zu of block %p (size %zu, from worker %u) changed: %#x, %s", at,
		(void *)block->start, block->size, block->owner, block->start[at], when);
}

/* Checks the first size bytes. */
static void block_check(const struct block *block, size_t size, const char *when)
{
	size_t words = size / 8;
	uint64_t last = pattern_word(block->key, words);
	uint64_t wrong = 0;

	for (size_t i = 0; i < words; i++) {
		uint64_t word;

		memcpy(&word, block->start + 8 * i, 8);
		wrong |= word ^ pattern_word(block->key, i);
	}
	if (wrong || memcmp(block->start + 8 * words, &last, size % 8))
		report_corruption(block, size, when);
}

static void block_claim(const struct block *block, const char *what)
{
	const void *overlap = shadow_set(block->start, block->size);

	if (overlap)
		fail_status(ORACLE_OVERLAP, "oracle: %s gave %p, size %zu, but %p in it belongs to a live block", what,
			(void *)block->start, block->size, overlap);
}

static void block_disclaim(const struct block *block)
{
	const void *hole = shadow_clear(block->start, block->size);

	if (hole)
		fail_status(ORACLE_OVERLAP, "oracle: block %p, size %zu: %p in it was given up by another block",
			(void *)block->start, block->size, hole);
}

static void check_start(const struct run *run, const void *start, size_t size, size_t align, const char *what)
{
	size_t least = size <= 8 ? 8 : run->min_align;

	if (!start)
		fail_status(ORACLE_NULL, "oracle: %s gave NULL for %zu bytes, alignment %zu", what, size, align);
	if ((uintptr_t)start % (align > least ? align : least))
		fail_status(ORACLE_MISALIGNED, "oracle: %s gave %p for %zu bytes, alignment %zu", what, start, size,
			align > least ? align : least);
}

/* Takes possession of what the allocator returned: checks, claims, fills. */
static struct block block_adopt(struct worker *worker, void *start, size_t size, size_t align, const char *what)
{
	struct run *run = worker->run;
	struct block block = {start, size, 0, worker->index};

	check_start(run, start, size, align, what);
	if (run->ops->usable && rng_below(&worker->rng, 16) == 0) {
		block.size = run->ops->usable(start);
		if (block.size < size)
			fail_status(ORACLE_SHORT, "oracle: usable size %zu of %p, allocated with %zu bytes", block.size,
				start, size);
	}
	block_claim(&block, what);
	block.key =
		(run->seed ^ (uintptr_t)start ^ block.size << 47) + ((uint64_t)worker->index << 56) + ++worker->serial;
	block_fill(&block);
	return block;
}

static void check_zero(const unsigned char *start, size_t size)
{
	unsigned char any = 0;

	for (size_t i = 0; i < size; i++)
		any |= start[i];
	if (any)
		fail_status(ORACLE_NOT_ZERO, "oracle: calloc gave %p, size %zu, which is not zero", (const void *)start,
			size);
}

static struct block block_alloc(struct worker *worker, size_t size)
{
	const struct run *run = worker->run;
	const struct allocator_ops *ops = run->ops;
	uint64_t dice = rng_below(&worker->rng, 16);
	size_t align = 1;
	const char *what = "alloc";
	void *start;

	worker->count.nr_allocs++;
	if (dice < 3 && ops->alloc_zeroed) {
		what = "alloc_zeroed";
		start = ops->alloc_zeroed(size);
		if (start)
			check_zero(start, size);
	} else if (dice == 3 && ops->alloc_aligned) {
		what = "alloc_aligned";
		align = (size_t)8 << rng_below(&worker->rng, rng_below(&worker->rng, 8) ? 7 : 18);
		align = align > run->max_align ? run->max_align : align;
		start = ops->alloc_aligned(align, size);
	} else {
		start = ops->alloc(size);
	}
	return block_adopt(worker, start, size, align, what);
}

static void block_release(struct worker *worker, const struct block *block)
{
	block_check(block, block->size, "seen when freed");
	block_disclaim(block);
	worker->run->ops->release(block->start);
	worker->count.nr_frees++;
	worker->count.nr_crossed += block->owner != worker->index;
}

static struct block block_resize(struct worker *worker, struct block *old, size_t size)
{
	struct block moved = *old;
	size_t kept = size < old->size ? size : old->size;

	block_check(old, old->size, "seen before realloc");
	block_disclaim(old);
	moved.start = worker->run->ops->resize(old->start, size);
	check_start(worker->run, moved.start, size, 1, "resize");
	block_check(&moved, kept, "lost by realloc");
	worker->count.nr_resizes++;
	return block_adopt(worker, moved.start, size, 1, "resize");
}

/* ---- a worker's blocks ---- */

static void slots_push(struct worker *worker, struct block block)
{
	worker->slots[worker->nr++] = block;
	__atomic_store_n(&worker->live, worker->live + block.size, __ATOMIC_RELAXED);
}

static struct block slots_take(struct worker *worker, unsigned int at)
{
	struct block block = worker->slots[at];

	worker->slots[at] = worker->slots[--worker->nr];
	__atomic_store_n(&worker->live, worker->live - block.size, __ATOMIC_RELAXED);
	return block;
}

static void slots_release(struct worker *worker, unsigned int at)
{
	struct block block = slots_take(worker, at);

	block_release(worker, &block);
}

static bool stopped(const struct worker *worker)
{
	return __atomic_load_n(&worker->run->stop, __ATOMIC_RELAXED);
}

static size_t random_size(struct worker *worker)
{
	size_t cap = worker->run->budget / 4;

	return rng_size(&worker->rng, cap < worker->run->max_size ? cap : worker->run->max_size);
}

static bool has_room(const struct worker *worker, size_t size)
{
	return worker->nr < NR_SLOTS && worker->live + size <= worker->run->budget;
}

/* ---- episodes: each exercises one habit of programs ---- */

/* Sizes mixed, lifetimes random. */
static void episode_churn(struct worker *worker)
{
	for (int i = 0; i < 400 && !stopped(worker); i++) {
		size_t size = random_size(worker);

		if (worker->nr && (!has_room(worker, size) || rng_below(&worker->rng, NR_SLOTS) < worker->nr))
			slots_release(worker, (unsigned int)rng_below(&worker->rng, worker->nr));
		else
			slots_push(worker, block_alloc(worker, size));
	}
}

/* Many of one size, freed in the same order, the opposite one, or at random. */
static void episode_burst(struct worker *worker)
{
	unsigned int base = worker->nr;
	uint64_t order = rng_below(&worker->rng, 3);
	size_t size = rng_size(&worker->rng, 40000);
	uint64_t count = 1 + rng_below(&worker->rng, 700);

	while (count-- && has_room(worker, 2 * size))
		slots_push(worker, block_alloc(worker, size));
	if (order == 0) {
		for (unsigned int i = base; i < worker->nr; i++) {
			block_release(worker, &worker->slots[i]);
			__atomic_store_n(&worker->live, worker->live - worker->slots[i].size, __ATOMIC_RELAXED);
		}
		worker->nr = base;
	}
	while (worker->nr > base && order == 1)
		slots_release(worker, worker->nr - 1);
	while (worker->nr > base && order == 2)
		slots_release(worker, base + (unsigned int)rng_below(&worker->rng, worker->nr - base));
}

/* Puts block into an exchange slot, or nothing, and takes out what was there. False: somebody else is in the slot. */
static bool exchange_swap(struct exchange_slot *slot, struct block *block)
{
	struct block taken;

	/* Acquire: pairs with the release store below, so that the block's bytes are visible to who takes it. */
	if (__atomic_exchange_n(&slot->busy, 1, __ATOMIC_ACQUIRE))
		return false;
	taken = slot->block;
	slot->block = *block;
	*block = taken;
	__atomic_store_n(&slot->busy, 0, __ATOMIC_RELEASE); /* Pairs with the exchange above */
	return true;
}

/* Blocks are freed by threads that did not allocate them. */
static void episode_handover(struct worker *worker)
{
	for (int i = 0; i < 200 && !stopped(worker); i++) {
		size_t at = rng_below(&worker->rng, NR_EXCHANGE);
		struct block block = block_alloc(worker, rng_size(&worker->rng, EXCHANGE_MAX * (at % 16 ? 1 : 16)));

		while (!exchange_swap(&worker->run->exchange[at], &block))
			at = rng_below(&worker->rng, NR_EXCHANGE / 16) * 16;
		if (block.start)
			block_release(worker, &block);
	}
}

static void episode_resize(struct worker *worker)
{
	struct block block;

	if (!worker->run->ops->resize)
		return;
	block = block_alloc(worker, random_size(worker));
	for (int i = 0; i < 24 && !stopped(worker); i++)
		block = block_resize(worker, &block, random_size(worker));
	block_release(worker, &block);
}

/* One block of up to max_size, grown and shrunk; one worker at a time, since its budget does not hold it. */
static void episode_big(struct worker *worker)
{
	struct run *run = worker->run;
	struct block block;

	if (pthread_mutex_trylock(&run->big))
		return;
	block = block_alloc(worker, 1 + rng_below(&worker->rng, run->max_size));
	if (run->ops->resize)
		block = block_resize(worker, &block, 1 + rng_below(&worker->rng, run->max_size));
	block_release(worker, &block);
	pthread_mutex_unlock(&run->big);
}

static void episode_drain(struct worker *worker)
{
	while (worker->nr)
		slots_release(worker, worker->nr - 1);
}

/* Moves to another CPU, so that what was taken there is given back here. */
static void episode_migrate(struct worker *worker)
{
	cpu_set_t one;
	unsigned int cpu = (unsigned int)rng_below(&worker->rng, CPU_SETSIZE);

	for (int i = 0; i < CPU_SETSIZE && !CPU_ISSET(cpu, &worker->run->cpus); i++)
		cpu = (cpu + 1) % CPU_SETSIZE;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), rng_below(&worker->rng, 2) ? &one : &worker->run->cpus);
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	while (!stopped(worker)) {
		uint64_t dice = rng_below(&worker->rng, 1024);

		if (dice < 400)
			episode_churn(worker);
		else if (dice < 700)
			episode_burst(worker);
		else if (dice < 880)
			episode_handover(worker);
		else if (dice < 960)
			episode_resize(worker);
		else if (dice < 963)
			episode_big(worker);
		else if (dice < 980)
			episode_drain(worker);
		else
			episode_migrate(worker);
	}
	episode_drain(worker);
	return NULL;
}

/* ---- the run ---- */

static void *map_table(size_t size)
{
	void *table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	require(table != MAP_FAILED, "the test's own tables do not fit in memory");
	return table;
}

static size_t sum_live(const struct worker *workers, unsigned int nr_threads)
{
	size_t live = 0;

	for (unsigned int i = 0; i < nr_threads; i++)
		live += __atomic_load_n(&workers[i].live, __ATOMIC_RELAXED);
	return live;
}

/* Watches memory until the time is up. */
static void run_watch(const struct oracle_config *config, const struct worker *workers, struct oracle_result *result)
{
	double end = now_seconds() + config->seconds;
	size_t bound = config->live_bytes ? config->live_bytes : 192 * MIB;
	size_t slop = config->resident_slop ? config->resident_slop : 96 * MIB;
	size_t extra = 2 * workers[0].run->max_size; /* episode_big, while it moves its block */
	size_t limit = slop == SIZE_MAX ? SIZE_MAX : status_bytes("RssAnon:") + 4 * bound + extra + slop;

	do {
		size_t live = sum_live(workers, config->nr_threads);
		size_t resident = status_bytes("RssAnon:");

		result->peak_live = live > result->peak_live ? live : result->peak_live;
		result->peak_resident = resident > result->peak_resident ? resident : result->peak_resident;
		if (resident > limit)
			fail_status(ORACLE_LOST,
				"oracle: %zu MiB resident, at most %zu MiB live: blocks do not come back",
				resident / MIB, bound / MIB);
		sleep_ms(20);
	} while (now_seconds() < end);
}

static void run_prepare(struct run *run, const struct oracle_config *config)
{
	const struct allocator_ops *ops = config->ops;

	run->ops = ops;
	run->seed = config->seed;
	run->max_size = ops->max_size ? ops->max_size : 48 * MIB;
	run->max_align = ops->max_align ? ops->max_align : MIB;
	run->min_align = ops->min_align ? ops->min_align : 16;
	run->budget = (config->live_bytes ? config->live_bytes : 192 * MIB) / config->nr_threads;
	run->exchange = map_table(NR_EXCHANGE * sizeof(struct exchange_slot));
	pthread_mutex_init(&run->big, NULL);
	sched_getaffinity(0, sizeof(run->cpus), &run->cpus);
}

/* Frees what is left in the exchange, and adds up. */
static void run_finish(struct run *run, struct worker *workers, unsigned int nr_threads, struct oracle_result *result)
{
	for (unsigned int i = 0; i < NR_EXCHANGE; i++) {
		struct block block = {0};

		exchange_swap(&run->exchange[i], &block);
		if (block.start)
			block_release(&workers[0], &block);
	}
	for (unsigned int i = 0; i < nr_threads; i++) {
		result->nr_allocs += workers[i].count.nr_allocs;
		result->nr_frees += workers[i].count.nr_frees;
		result->nr_resizes += workers[i].count.nr_resizes;
		result->nr_crossed += workers[i].count.nr_crossed;
		require(workers[i].live == 0 && workers[i].nr == 0, "the oracle itself has lost a block");
	}
	require(result->nr_allocs == result->nr_frees, "the oracle itself has lost a block");
}

void oracle_run(const struct oracle_config *config, struct oracle_result *result)
{
	size_t (*nr_live)(void) = config->ops->nr_live;
	struct worker *workers = map_table(MAX_THREADS * sizeof(struct worker));
	struct run run = {0};
	size_t live_before, live_after;

	require(config->nr_threads >= 1 && config->nr_threads <= MAX_THREADS, "1 to %d threads", MAX_THREADS);
	*result = (struct oracle_result){0};
	run_prepare(&run, config);
	live_before = nr_live ? nr_live() : 0;
	for (unsigned int i = 0; i < config->nr_threads; i++) {
		workers[i].run = &run;
		workers[i].index = i;
		workers[i].rng = rng_stream(config->seed, i);
		require(!pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]), "pthread_create");
	}
	run_watch(config, workers, result);
	__atomic_store_n(&run.stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < config->nr_threads; i++)
		pthread_join(workers[i].thread, NULL);
	run_finish(&run, workers, config->nr_threads, result);
	live_after = nr_live ? nr_live() : 0;
	/* Thread stacks and the like may be cached by libc: a few objects, not thousands. */
	if (live_after > live_before + config->nr_threads * 4)
		fail_status(ORACLE_LOST, "oracle: %zu objects live before, %zu after all were freed", live_before,
			live_after);
	pthread_mutex_destroy(&run.big);
	munmap(run.exchange, NR_EXCHANGE * sizeof(struct exchange_slot));
	munmap(workers, MAX_THREADS * sizeof(struct worker));
}
