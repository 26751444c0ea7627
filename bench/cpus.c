/*
 * cpus.c: pins threads, so that a sample is not spent moving between CPUs and a hand-over really crosses one.
 *
 * CPUs are counted from the highest: interrupts mostly go to the lowest.
 */
#include "cpus.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static cpu_set_t allowed; /* Synchronization: const after cpus_init() */

void cpus_init(void)
{
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		CPU_SET(0, &allowed);
}

unsigned int cpus_count(void)
{
	return (unsigned int)CPU_COUNT(&allowed);
}

void cpus_pin(unsigned int index)
{
	unsigned int skip = index % cpus_count();
	cpu_set_t one;

	CPU_ZERO(&one);
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (!CPU_ISSET(cpu, &allowed) || skip--)
			continue;
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

void cpus_unpin(void)
{
	sched_setaffinity(0, sizeof(allowed), &allowed);
}

double cpus_busy_seconds(void)
{
	FILE *file = fopen("/proc/stat", "r");
	unsigned long long user, nice, kernel, idle, wait, irq, softirq, steal, ticks = 0;
	char line[512];
	int cpu;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "cpu%d %llu %llu %llu %llu %llu %llu %llu %llu", &cpu, &user, &nice, &kernel, &idle,
			    &wait, &irq, &softirq, &steal) != 9)
			continue;
		if (cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed))
			ticks += user + nice + kernel + irq + softirq + steal;
	}
	if (file)
		fclose(file);
	return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}
