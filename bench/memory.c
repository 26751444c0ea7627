/*
 * memory.c: loads whose memory is looked at, not their time: a peak and then nothing, and many threads with a live set.
 *
 * A program of its own, since what a process has resident cannot be told apart by allocator: it is run once on each, by
 * LD_PRELOAD, from memory.py. Calls malloc and free, and maps its own tables, which are not counted. Refuses to know
 * which allocator it is on.
 *
 * usage: flagstone-bench-memory idle|threads [SCALE]     SCALE: percent of the full size, 100 if not given
 *
 * Prints lines of "name value", in KiB: live (what the program holds, as asked for, at the highest point), peak, and the
 * resident size after seconds without any call: after-1, after-5, after-10, with the live set then as live-after.
 */
#include "cases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define IDLE_THREADS 4
#define IDLE_MIB 512
#define SERVER_THREADS 64
#define SERVER_MIB 150
#define SERVER_PHASES 40
#define MAX_THREADS 64

/* Of average size 512 and a bit: random_size() takes a uniform 8 to 4096 and divides by 1 to 128. */
#define MEAN_SIZE 524

struct object {
	void *ptr;
	size_t size;
};

/* One thread's objects. Synchronization: whoever holds the bag. */
struct bag {
	struct object *object;
	size_t count, room;
	size_t bytes;
};

struct worker {
	pthread_t thread;
	unsigned int number;
	struct bag *bag; /* Synchronization: its thread */
};

static struct worker workers[MAX_THREADS];
static _Atomic(struct bag *) mail[MAX_THREADS]; /* one bag each, that no worker holds; only where bags are traded */
static struct bag bags[2 * MAX_THREADS];
static unsigned int nr_workers; /* Synchronization: const while workers run */
static size_t bytes_each; /* Synchronization: const while workers run; live bytes for each worker */
static atomic_long live; /* bytes, as asked for */
static atomic_long highest_live;
static pthread_barrier_t step;
static size_t own_kib; /* Synchronization: main thread; resident before the first allocation */

static size_t status_kib(const char *field)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	size_t kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)))
			kib = strtoul(line + strlen(field) + 1, NULL, 10);
	if (file)
		fclose(file);
	return kib;
}

static void say(const char *name, size_t kib)
{
	printf("%s %zu\n", name, kib);
	fflush(stdout);
}

static void say_resident(const char *name, const char *field)
{
	size_t kib = status_kib(field);

	say(name, kib > own_kib ? kib - own_kib : 0);
}

static void *own_memory(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (map == MAP_FAILED)
		abort();
	madvise(map, size, MADV_NOHUGEPAGE);
	return map;
}

static void bag_init(struct bag *bag, size_t room)
{
	*bag = (struct bag){.object = own_memory(room * sizeof(*bag->object)), .room = room};
}

/* Writes to every page and every line of the object, as its owner would. */
static void *filled(void *ptr, size_t size)
{
	if (!ptr) {
		fputs("flagstone-bench-memory: malloc returned NULL\n", stderr);
		abort();
	}
	return memset(ptr, 1, size);
}

static void note_live(long change)
{
	long now = atomic_fetch_add_explicit(&live, change, memory_order_relaxed) + change;
	long seen = atomic_load_explicit(&highest_live, memory_order_relaxed);

	while (now > seen && !atomic_compare_exchange_weak_explicit(
				     &highest_live, &seen, now, memory_order_relaxed, memory_order_relaxed))
		;
}

static void bag_add(struct bag *bag, uint64_t random)
{
	size_t size = random_size(random);

	bag->object[bag->count++] = (struct object){filled(malloc(size), size), size};
	bag->bytes += size;
}

static void bag_remove(struct bag *bag, size_t i)
{
	free(bag->object[i].ptr);
	bag->bytes -= bag->object[i].size;
	bag->object[i] = bag->object[--bag->count];
}

/* Adds objects, or frees random ones, until the bag holds so many bytes. */
static void bag_resize(struct bag *bag, size_t bytes, uint64_t *random)
{
	long before = (long)bag->bytes;

	while (bag->bytes < bytes && bag->count < bag->room)
		bag_add(bag, random_step(random));
	while (bag->bytes > bytes && bag->count)
		bag_remove(bag, random_index(random_step(random), bag->count));
	note_live((long)bag->bytes - before);
}

static void *idle_worker(void *arg)
{
	struct worker *worker = arg;
	uint64_t random = worker->number + 1;

	pthread_barrier_wait(&step); /* everybody exists */
	bag_resize(worker->bag, bytes_each, &random);
	pthread_barrier_wait(&step); /* everything is allocated */
	pthread_barrier_wait(&step); /* and looked at */
	bag_resize(worker->bag, 0, &random);
	pthread_barrier_wait(&step); /* everything is free */
	for (;;)
		pause();
	return NULL;
}

/*
 * Grows or shrinks its bag to somewhere below bytes_each, then trades it for another's, to be freed here in part. There
 * are two bags a worker, half full on average: what is live stays near workers * bytes_each at all times.
 */
static void *server_worker(void *arg)
{
	struct worker *worker = arg;
	uint64_t random = worker->number + 1;
	struct bag *bag = worker->bag;

	pthread_barrier_wait(&step);
	for (int phase = 0; phase < SERVER_PHASES; phase++) {
		size_t box = random_index(random_step(&random), nr_workers);

		bag_resize(bag, random_index(random_step(&random), bytes_each), &random);
		/* Pairs with the same line in another thread: its writes to the bag come before ours. */
		bag = atomic_exchange_explicit(&mail[box], bag, memory_order_acq_rel);
	}
	bag_resize(bag, bytes_each / 2, &random);
	worker->bag = bag;
	pthread_barrier_wait(&step); /* all phases are over: the mailboxes stand still */
	bag_resize(mail[worker->number], bytes_each / 2, &random);
	pthread_barrier_wait(&step);
	for (;;)
		pause();
	return NULL;
}

static void start_workers(unsigned int count, size_t mib, void *(*run)(void *))
{
	nr_workers = count;
	bytes_each = (mib << 20) / count;
	pthread_barrier_init(&step, NULL, count + 1);
	for (unsigned int i = 0; i < count; i++) {
		bag_init(&bags[i], bytes_each / MEAN_SIZE * 5 / 4 + 4096);
		bag_init(&bags[count + i], bytes_each / MEAN_SIZE * 5 / 4 + 4096);
		atomic_init(&mail[i], &bags[count + i]);
		workers[i] = (struct worker){.number = i, .bag = &bags[i]};
	}
	for (unsigned int i = 0; i < count; i++)
		if (pthread_create(&workers[i].thread, NULL, run, &workers[i]))
			abort();
	own_kib = status_kib("VmRSS");
	pthread_barrier_wait(&step);
}

static void say_rest(void)
{
	static const unsigned int at[] = {1, 5, 10};
	unsigned int passed = 0;
	char name[32];

	say("live-after", (size_t)live >> 10);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		sleep(at[i] - passed);
		passed = at[i];
		snprintf(name, sizeof(name), "after-%u", passed);
		say_resident(name, "VmRSS");
	}
}

static void idle_load(size_t percent)
{
	start_workers(IDLE_THREADS, IDLE_MIB * percent / 100, idle_worker);
	pthread_barrier_wait(&step);
	say("live", (size_t)highest_live >> 10);
	say_resident("peak", "VmRSS");
	pthread_barrier_wait(&step);
	pthread_barrier_wait(&step);
	say_rest();
}

static void server_load(size_t percent)
{
	start_workers(SERVER_THREADS, SERVER_MIB * percent / 100, server_worker);
	pthread_barrier_wait(&step);
	pthread_barrier_wait(&step);
	say("live", (size_t)highest_live >> 10);
	say_resident("peak", "VmHWM");
	say_rest();
}

int main(int argc, char **argv)
{
	const char *load = argc > 1 ? argv[1] : "";
	long percent = argc > 2 ? atol(argv[2]) : 100;

	if (percent >= 1 && percent <= 100 && !strcmp(load, "idle")) {
		idle_load((size_t)percent);
	} else if (percent >= 1 && percent <= 100 && !strcmp(load, "threads")) {
		server_load((size_t)percent);
	} else {
		fputs("usage: flagstone-bench-memory idle|threads [PERCENT]\n", stderr);
		return 2;
	}
	return 0;
}
