/*
 * counted.c: a load whose every instruction and memory access is traced, with marks around each malloc and free.
 *
 * Calls malloc and free of whatever is preloaded. Its threads take turns, one malloc and free each: so the trace is the
 * same each time, and a line that all of them write moves at every turn. Each thread is said to be on a CPU of its own,
 * so that a machine with any number of them can be traced on this one.
 *
 * Refuses to know which allocator it is on, but for its rseq area (dummy_rseq.h).
 *
 * usage: flagstone-counted private|server|handover CPUS TURNS
 */
#include "cases.h"
#include "dummy_rseq.h"
#include "marks.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#define OBJECTS 200 /* live ones of each thread */
#define TRADE_TURNS 50
#define WARM_TURNS 8000

volatile char marks[NR_MARKS]; /* found by its name */

struct bag {
	void *object[OBJECTS];
};

static struct bag bags[2 * MARKS_CPUS]; /* Synchronization: whoever's turn it is */
static struct bag *hand[2 * MARKS_CPUS]; /* the threads', then the waiting ones. Synchronization: as bags */
static sem_t turn_of[MARKS_CPUS];
static unsigned int nr_cpus, nr_turns; /* Synchronization: const while threads run */
static void (*load)(
	unsigned int cpu, unsigned int turn, uint64_t *random); /* Synchronization: const while threads run */

static void *marked_malloc(size_t size)
{
	void *ptr;

	marks[MARK_MALLOC] = 1;
	ptr = malloc(size);
	marks[MARK_END] = 1;
	return touched(ptr, size);
}

static void marked_free(void *ptr)
{
	marks[MARK_FREE] = 1;
	free(ptr);
	marks[MARK_END] = 1;
}

static size_t small_size(uint64_t random)
{
	return 8 + random_size(random) / 4;
}

static void replace_one(struct bag *bag, uint64_t *random)
{
	size_t slot = random_index(random_step(random), OBJECTS);

	marked_free(bag->object[slot]);
	bag->object[slot] = marked_malloc(small_size(*random));
}

/* Nobody else's objects. */
static void private_turn(unsigned int cpu, unsigned int turn, uint64_t *random)
{
	(void)turn;
	replace_one(hand[cpu], random);
}

/* As private, and now and then the bag is traded for another: what is freed was allocated anywhere. */
static void server_turn(unsigned int cpu, unsigned int turn, uint64_t *random)
{
	size_t other = nr_cpus + random_index(random_step(random), nr_cpus);
	struct bag *bag = hand[other];

	if (turn % TRADE_TURNS == 0) {
		hand[other] = hand[cpu];
		hand[cpu] = bag;
	}
	replace_one(hand[cpu], random);
}

/* Even threads allocate, and the odd one beside each frees. */
static void handover_turn(unsigned int cpu, unsigned int turn, uint64_t *random)
{
	void **slot = &hand[cpu / 2]->object[turn % OBJECTS];

	(void)random;
	if (cpu % 2 == 0)
		*slot = marked_malloc(64);
	else
		marked_free(*slot);
}

static void go_to_cpu(unsigned int cpu)
{
	marks[MARK_CPU + cpu] = 1;
	dummy_rseq.cpu_id_start = cpu;
	dummy_rseq.cpu_id = dummy_rseq.mm_cid = (int32_t)cpu;
}

static void *run_turns(void *arg)
{
	const unsigned int cpu = (unsigned int)(uintptr_t)arg;
	uint64_t random = cpu + 1;

	for (unsigned int turn = 0; turn < nr_turns; turn++) {
		sem_wait(&turn_of[cpu]);
		go_to_cpu(cpu);
		if (cpu == 0 && turn == WARM_TURNS)
			marks[MARK_COUNT] = 1;
		load(cpu, turn, &random);
		marks[MARK_AWAY] = 1;
		sem_post(&turn_of[(cpu + 1) % nr_cpus]);
	}
	sem_wait(&turn_of[cpu]);
	sem_post(&turn_of[(cpu + 1) % nr_cpus]);
	return NULL;
}

static void fill_bags(void)
{
	uint64_t random = 3;

	for (unsigned int i = 0; i < 2 * nr_cpus; i++) {
		hand[i] = &bags[i];
		for (int j = 0; load != handover_turn && j < OBJECTS; j++)
			bags[i].object[j] = marked_malloc(small_size(random_step(&random)));
	}
}

static void run_threads(void)
{
	pthread_t thread[MARKS_CPUS];

	for (unsigned int i = 0; i < nr_cpus; i++)
		sem_init(&turn_of[i], 0, 0);
	for (unsigned int i = 0; i < nr_cpus; i++)
		if (pthread_create(&thread[i], NULL, run_turns, (void *)(uintptr_t)i))
			abort();
	sem_post(&turn_of[0]);
	for (unsigned int i = 0; i < nr_cpus; i++)
		pthread_join(thread[i], NULL);
}

/* Where the libraries are, for whoever reads the addresses in the trace. */
static void print_maps(void)
{
	char line[512];
	FILE *file = fopen("/proc/self/maps", "r");

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, "r-xp"))
			fputs(line, stdout);
	if (file)
		fclose(file);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*turn)(unsigned int cpu, unsigned int turn, uint64_t *random);
	} loads[] = {{"private", private_turn}, {"server", server_turn}, {"handover", handover_turn}};

	for (size_t i = 0; argc == 4 && i < sizeof(loads) / sizeof(loads[0]); i++)
		if (!strcmp(argv[1], loads[i].name))
			load = loads[i].turn;
	if (load) {
		nr_cpus = (unsigned int)atoi(argv[2]);
		nr_turns = (unsigned int)atoi(argv[3]) + WARM_TURNS;
	}
	if (!load || nr_cpus < 1 || nr_cpus > MARKS_CPUS || (load == handover_turn && nr_cpus % 2)) {
		fputs("usage: flagstone-counted private|server|handover CPUS TURNS\n", stderr);
		return 2;
	}
	go_to_cpu(0);
	fill_bags();
	run_threads();
	print_maps();
	return 0;
}
