/*
 * topology.c: which CPUs share a last-level cache or a memory node, from sysfs.
 *
 * Calls host to read files. Refuses to know what is made of it.
 */
#include <string.h>

#include "percpu/modes.h"
#include "runtime/host/host.h"
#include "runtime/lib/text.h"
#include "runtime/lib/tunables.h"

#define LOWEST_CACHE 2 /* sysfs' index of a second-level cache; a higher one, where there is one, is the last level */
#define HIGHEST_CACHE 4
#define MAX_NODE 64 /* numbers of nodes that are looked for */
#define PATH_BYTES 96
#define LIST_BYTES 1024

/* What CPUs have in common. Synchronization: written by topology_read() only, else atomic */
struct groups {
	unsigned char of[CONFIG_NR_CPUS]; /* < nr; 0 until it is read */
	unsigned int nr; /* 0: one, not read yet */
};

static struct groups caches, nodes;
static bool is_read; /* Synchronization: topology_read()'s callers are one at a time */

static void group_set(struct groups *groups, unsigned long cpu, unsigned int group)
{
	if (cpu < CONFIG_NR_CPUS)
		__atomic_store_n(&groups->of[cpu], (unsigned char)group, __ATOMIC_RELAXED);
}

static unsigned long parse_number(const char **c)
{
	unsigned long number = 0;

	for (; **c >= '0' && **c <= '9'; (*c)++)
		number = 10 * number + (unsigned long)(**c - '0');
	return number;
}

/* Reads /sys/devices/system/ and so on. */
static bool read_sysfs(const char *format, unsigned int number, int index, char *content, size_t size)
{
	char path[PATH_BYTES];
	struct text text = TEXT_INIT(path, sizeof(path), -1);

	text_printf(&text, format, number, index);
	return host_read_file(path, content, size) > 0;
}

/* The system's number of the last-level cache of a CPU; -1: it does not tell. */
static long cache_id(unsigned int cpu)
{
	char content[16];
	const char *c = content;
	long id = -1;

	for (int index = LOWEST_CACHE; index <= HIGHEST_CACHE; index++, c = content) {
		if (!read_sysfs("/sys/devices/system/cpu/cpu%u/cache/index%d/id", cpu, index, content, sizeof(content)))
			break;
		id = (long)parse_number(&c);
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
		group_set(&caches, cpu, shard);
	}
	__atomic_store_n(&caches.nr, nr, __ATOMIC_RELAXED);
}

/* Every CPU of a list like "0-3,8" is the group's. */
static void group_set_list(struct groups *groups, const char *list, unsigned int group)
{
	while (*list >= '0' && *list <= '9') {
		unsigned long first = parse_number(&list), last = first;

		if (*list == '-') {
			list++;
			last = parse_number(&list);
		}
		for (; first <= last && first < CONFIG_NR_CPUS; first++)
			group_set(groups, first, group);
		list += *list == ',';
	}
}

/* Nodes without CPUs are no CPU's. */
static void read_nodes(void)
{
	unsigned int nr = 0;

	for (unsigned int node = 0; node < MAX_NODE && nr < TOPOLOGY_NODES; node++) {
		char list[LIST_BYTES];

		if (read_sysfs("/sys/devices/system/node/node%u/cpulist", node, 0, list, sizeof(list)) && *list != '\n')
			group_set_list(&nodes, list, nr++);
	}
	__atomic_store_n(&nodes.nr, nr, __ATOMIC_RELAXED);
}

static void deal_out(struct groups *groups, unsigned int nr)
{
	for (unsigned int cpu = 0; cpu < CONFIG_NR_CPUS; cpu++)
		group_set(groups, cpu, cpu % nr);
	__atomic_store_n(&groups->nr, nr, __ATOMIC_RELAXED);
}

void topology_read(void)
{
	bool told = tunable_depots || tunable_fake_nodes;

	if (is_read || (!told && percpu_nr_used() < 2))
		return;
	is_read = true;
	if (tunable_depots)
		deal_out(&caches, (unsigned int)tunable_depots);
	else
		read_caches();
	if (tunable_fake_nodes)
		deal_out(&nodes, (unsigned int)tunable_fake_nodes);
	else
		read_nodes();
}

void topology_set(unsigned int nr_cpus, unsigned int nr_nodes)
{
	is_read = true;
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
		group_set(&nodes, cpu, cpu * nr_nodes / nr_cpus);
		group_set(&caches, cpu, cpu * nr_nodes / nr_cpus);
	}
	__atomic_store_n(&nodes.nr, nr_nodes, __ATOMIC_RELAXED);
	__atomic_store_n(&caches.nr, nr_nodes, __ATOMIC_RELAXED);
	if (tunable_depots)
		deal_out(&caches, (unsigned int)tunable_depots);
}

void topology_reset(void)
{
	memset(&nodes, 0, sizeof(nodes));
	memset(&caches, 0, sizeof(caches));
	is_read = false;
}

static unsigned int nr_groups(const struct groups *groups)
{
	unsigned int nr = __atomic_load_n(&groups->nr, __ATOMIC_RELAXED);

	return nr ? nr : 1;
}

static unsigned int group_of(const struct groups *groups, unsigned int cpu)
{
	return __atomic_load_n(&groups->of[cpu % CONFIG_NR_CPUS], __ATOMIC_RELAXED);
}

unsigned int topology_nr_shards(void)
{
	return nr_groups(&caches);
}

unsigned int topology_nr_nodes(void)
{
	return nr_groups(&nodes);
}

unsigned int topology_shard(unsigned int cpu)
{
	return group_of(&caches, cpu);
}

unsigned int topology_node(unsigned int cpu)
{
	return group_of(&nodes, cpu);
}
