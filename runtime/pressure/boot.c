/*
 * boot.c: starts and ends this room.
 *
 * Calls its files. Knows nothing of them but that.
 */
#include "runtime/pressure/cache.h"

static bool booted; /* Synchronization: who boots and shuts down */

int pressure_boot(const struct pressure_config *config)
{
	int error;

	pressure_config = *config;
	vmstat_reset();
	zones_learn();
	sleepers_reset();
	error = cache_boot();
	if (!error)
		error = kswapd_boot();
	booted = !error;
	return error;
}

unsigned int pressure_shutdown(void)
{
	unsigned int nr_left;

	if (!booted)
		return 0;
	booted = false;
	kswapd_shutdown();
	nr_left = cache_shutdown();
	nr_left += shrinkers_reset();
	nr_left += resources_report(RESOURCE_OOM_NOTIFIER);
	oom_reset();
	vmstat_reset();
	return nr_left;
}

void pressure_forget(void)
{
	booted = false;
	kswapd_forget();
	cache_forget();
	scan_forget();
	sleepers_forget();
	shrinkers_forget();
	oom_forget();
}

void pools_abandon(void)
{
	mempools_abandon();
	gen_pools_abandon();
}

bool pressure_owns(const struct task_struct *task)
{
	return kswapd_is(task) || disks_own(task);
}

unsigned long pressure_drop_caches(unsigned int what)
{
	unsigned long freed = 0, part;

	if (what & 1)
		freed += cache_drop_clean();
	while (what & 2) {
		part = 0;
		for (int node = 0; node < (int)page_nr_nodes(); node++)
			part += shrink_slab(GFP_KERNEL, node, 0);
		freed += part;
		vmstat_add(VMSTAT_drop_slab, 1);
		if (part <= 10)
			break;
	}
	scan_drain();
	return freed;
}
