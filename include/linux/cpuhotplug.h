/*
 * linux/cpuhotplug.h: what is to happen when a simulated CPU goes online or offline.
 *
 * Semantics: Linux, Documentation/core-api/cpu_hotplug.rst. States are passed in ascending order on the way up, and in
 * descending order down. Those below CPUHP_BRINGUP_CPU run on the CPU that controls this, the others on the CPU that
 * comes or goes, as a task with interrupts on. Context of all functions: task, may sleep; not from callbacks.
 */
#ifndef FLAGSTONE_LINUX_CPUHOTPLUG_H
#define FLAGSTONE_LINUX_CPUHOTPLUG_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cpuhp_state {
	CPUHP_INVALID = -1,
	CPUHP_OFFLINE = 0,
	CPUHP_SLUB_DEAD,
	CPUHP_PAGE_ALLOC,
	CPUHP_SOFTIRQ_DEAD,
	CPUHP_IRQ_POLL_DEAD,
	CPUHP_MM_WRITEBACK_DEAD,
	CPUHP_MM_VMSTAT_DEAD,
	CPUHP_PERCPU_CNT_DEAD,
	CPUHP_RADIX_DEAD,
	CPUHP_NET_DEV_DEAD,
	CPUHP_WORKQUEUE_PREP,
	CPUHP_HRTIMERS_PREPARE,
	CPUHP_TIMERS_PREPARE,
	CPUHP_BP_PREPARE_DYN, /* the next that is free, up to its end */
	CPUHP_BP_PREPARE_DYN_END = CPUHP_BP_PREPARE_DYN + 20,
	CPUHP_BRINGUP_CPU,
	CPUHP_AP_ONLINE_IDLE,
	CPUHP_AP_WORKQUEUE_ONLINE,
	CPUHP_AP_ONLINE_DYN, /* the next that is free, up to its end */
	CPUHP_AP_ONLINE_DYN_END = CPUHP_AP_ONLINE_DYN + 40,
	CPUHP_AP_ACTIVE,
	CPUHP_ONLINE,
};

/*
 * Callbacks of a state: startup(cpu) on the way up, teardown(cpu) down; either may be NULL. They return 0 or -errno,
 * which takes the CPU back to where it was; teardown of states below CPUHP_BRINGUP_CPU cannot fail.
 * cpuhp_setup_state() calls startup for every CPU that is online, and undoes all if one fails; _nocalls does not.
 * Returns 0; the state's number for _DYN; or -errno: -EBUSY: the state is taken, -ENOSPC: none is free, or what
 * startup returned. _cpuslocked: inside cpus_read_lock().
 */
int flagstone_cpuhp_setup(enum cpuhp_state state, const char *name, bool calls, int (*startup)(unsigned int cpu),
	int (*teardown)(unsigned int cpu), bool locked);
#define cpuhp_setup_state(state, name, startup, teardown) \
	flagstone_cpuhp_setup(state, name, true, startup, teardown, false)
#define cpuhp_setup_state_nocalls(state, name, startup, teardown) \
	flagstone_cpuhp_setup(state, name, false, startup, teardown, false)
#define cpuhp_setup_state_cpuslocked(state, name, startup, teardown) \
	flagstone_cpuhp_setup(state, name, true, startup, teardown, true)
#define cpuhp_setup_state_nocalls_cpuslocked(state, name, startup, teardown) \
	flagstone_cpuhp_setup(state, name, false, startup, teardown, true)

/* Takes them away: teardown is called for every CPU that is online first; _nocalls: is not. */
void flagstone_cpuhp_remove(enum cpuhp_state state, bool calls);
#define cpuhp_remove_state(state) flagstone_cpuhp_remove(state, true)
#define cpuhp_remove_state_nocalls(state) flagstone_cpuhp_remove(state, false)

#ifdef __cplusplus
}
#endif

#endif
