/*
 * percpu_fixture.c: see percpu_fixture.h.
 *
 * Calls the percpu room and host. Knows nothing of what is tested.
 */
#include "tests/unit/percpu_fixture.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "percpu/thread.h"
#include "runtime/host/host.h"
#include "runtime/lib/tunables.h"
#include "tests/emulated.h"

#define ANCHOR_ALIGN (4ul << 20)

struct magazine *magazines;
struct delivery deliveries[1024];
unsigned int nr_deliveries;
static char *memory;

void remember(unsigned int slot, struct magazine_pair pair)
{
	if (nr_deliveries < ARRAY_SIZE(deliveries))
		deliveries[nr_deliveries] = (struct delivery){slot, pair};
	nr_deliveries++;
}

int fixture_memory(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
	memory = host_map_aligned(2 * ANCHOR_ALIGN, ANCHOR_ALIGN);
	magazines = host_map_aligned(NR_FIXTURE_MAGAZINES * MAGAZINE_SIZE, 4096);
	return memory && magazines ? 0 : -1;
}

void fixture_boot(void)
{
	tunables_parse(host_getenv("FLAGSTONE_CONF"));
	percpu_boot(memory + ANCHOR_ALIGN);
	percpu_set_exit_sink(remember);
}

void fixture_boot_machine(unsigned int nr_cpus, unsigned int nr_nodes)
{
	tunables_parse(host_getenv("FLAGSTONE_CONF"));
	memset(memory + ANCHOR_ALIGN, 0, PERCPU_BYTES);
	percpu_boot_machine(memory + ANCHOR_ALIGN, nr_cpus, nr_nodes);
}

bool fixture_stays(void)
{
	return percpu_mode != PERCPU_LOCKED || tunable_fake_cpus == 1;
}

int fixture_setup(void **state)
{
	(void)state;
	if (fixture_memory())
		return -1;
	fixture_boot();
	return 0;
}

int fixture_clear(void **state)
{
	(void)state;
	area_drain(1, AREA_SLOTS, remember);
	nr_deliveries = 0;
	memset(magazines, 0, NR_FIXTURE_MAGAZINES * sizeof(*magazines));
	return 0;
}

int fixture_status(int failed)
{
	if (tunable_magazine == MAGAZINE_RSEQ && percpu_mode != PERCPU_RSEQ)
		skip_part("restartable sequences: there are none here, the tests ran in the mode instead of them");
	return test_status(failed);
}

void *token(unsigned long i)
{
	return (void *)(0x5000 + 16 * i);
}

struct magazine_pair pair_of(unsigned int slot)
{
	struct area_view view = {0};

	assert_true(area_snapshot(slot, &view));
	return view.pair;
}

void install(unsigned int slot, magazine_top top, magazine_top spare)
{
	struct area_view view = {0};

	assert_true(area_snapshot(slot, &view));
	assert_true(area_install(slot, &view, (struct magazine_pair){top, spare}));
}

magazine_top filled(unsigned int m, unsigned int capacity, unsigned int count, unsigned long first)
{
	unsigned int bottom = MAGAZINE_WORDS - capacity;

	magazines[m].word[bottom - 1] = NULL;
	for (unsigned int i = 0; i < count; i++)
		magazines[m].word[bottom + i] = token(first + i);
	return magazine_top_at(&magazines[m], capacity, count);
}

void assert_pair_is(struct magazine_pair pair, magazine_top top, magazine_top spare)
{
	assert_int_equal(pair.top, top);
	assert_int_equal(pair.spare, spare);
}

struct area *own_area(void)
{
	struct area_view view = {0};

	assert_true(area_snapshot(1, &view));
	if (percpu_mode == PERCPU_THREAD)
		return percpu_thread.area;
	return (struct area *)(percpu_fast.anchor + PERCPU_AREAS) + view.cpu;
}

static void count(const struct area *area, int cpu, void *arg)
{
	(void)area;
	(void)cpu;
	++*(unsigned int *)arg;
}

unsigned int count_areas(void)
{
	unsigned int n = 0;

	area_for_each(count, &n);
	return n;
}
