/*
 * topology.c: which CPUs share a last-level cache, from sysfs.
 *
 * Calls host to read files. Refuses to know what is made of it.
 */
#include "percpu/percpu.h"
#include "runtime/host/host.h"
#include "runtime/lib/text.h"
#include "runtime/lib/tunables.h"

#define LOWEST_CACHE 2 /* sysfs' index of a second-level cache; a higher one, where there is one, is the last level */
#define HIGHEST_CACHE 4
#define PATH_BYTES 96

static unsigned char shard_of[CONFIG_NR_CPUS]; /* Synchronization: atomic; 0 until topology_read() */
static unsigned int nr_shards = 1; /* Synchronization: atomic */
static bool is_read; /* Synchronization: topology_read()'s callers are one at a time */

/* The system's number of the last-level cache of a CPU; -1: it does not tell. */
static long cache_id(unsigned int cpu)
{
	long id = -1;

	for (int index = LOWEST_CACHE; index <= HIGHEST_CACHE; index++) {
		char path[PATH_BYTES], number[16];
		struct text text = TEXT_INIT(path, sizeof(path), -1);

		text_printf(&text, "/sys/devices/system/cpu/cpu%u/cache/index%d/id", cpu, index);
		if (host_read_file(path, number, sizeof(number)) <= 0)
			break;
		id = 0;
		for (const char *c = number; *c >= '0' && *c <= '9'; c++)
			id = 10 * id + (*c - '0');
	}
	return id;
}

static void read_caches(void)
{
	unsigned int nr_cpus = host_nr_cpu_ids();
	long ids[TOPOLOGY_SHARDS];
	unsigned int nr = 0;

	for (unsigned int cpu = 0; cpu < nr_cpus && cpu < CONFIG_NR_CPUS; cpu++) {
		long id = cache_id(cpu);
		unsigned int shard = 0;

		if (id < 0)
			continue;
		while (shard < nr && ids[shard] != id)
			shard++;
		if (shard == TOPOLOGY_SHARDS)
			shard = (unsigned int)id % TOPOLOGY_SHARDS;
		else if (shard == nr)
			ids[nr++] = id;
		__atomic_store_n(&shard_of[cpu], (unsigned char)shard, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&nr_shards, nr ? nr : 1, __ATOMIC_RELAXED);
}

void topology_read(void)
{
	if (is_read)
		return;
	is_read = true;
	if (!tunable_depots) {
		read_caches();
		return;
	}
	for (unsigned int cpu = 0; cpu < CONFIG_NR_CPUS; cpu++)
		__atomic_store_n(&shard_of[cpu], (unsigned char)(cpu % tunable_depots), __ATOMIC_RELAXED);
	__atomic_store_n(&nr_shards, (unsigned int)tunable_depots, __ATOMIC_RELAXED);
}

unsigned int topology_nr_shards(void)
{
	return __atomic_load_n(&nr_shards, __ATOMIC_RELAXED);
}

unsigned int topology_shard(unsigned int cpu)
{
	return __atomic_load_n(&shard_of[cpu % CONFIG_NR_CPUS], __ATOMIC_RELAXED);
}
