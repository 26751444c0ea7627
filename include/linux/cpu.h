/*
 * linux/cpu.h: simulated CPUs that go offline and come back.
 *
 * Semantics: Linux, Documentation/core-api/cpu_hotplug.rst. Context: task, may sleep.
 */
#ifndef FLAGSTONE_LINUX_CPU_H
#define FLAGSTONE_LINUX_CPU_H

#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Between them no CPU comes or goes. Nests in different tasks, not in one that a CPU's coming or going waits for. */
void cpus_read_lock(void);
int cpus_read_trylock(void); /* 1: locked */
void cpus_read_unlock(void);
/* Between them nobody else is between the above. */
void cpus_write_lock(void);
void cpus_write_unlock(void);
#define get_online_cpus() cpus_read_lock()
#define put_online_cpus() cpus_read_unlock()

/*
 * Takes a CPU offline: callbacks first, then its tasks, timers, tasklets and pending interrupts go elsewhere, work
 * items go on on other CPUs, and its caches of memory are drained. 0; -EINVAL: no such CPU, or offline; -EBUSY: the
 * last one; or what a callback returned. cpu_device_up/down and add/remove: the same.
 */
int remove_cpu(unsigned int cpu);
#define cpu_down(cpu) remove_cpu(cpu)
/* Brings it back. 0; -EINVAL: no such CPU, or online; or what a callback returned. */
int add_cpu(unsigned int cpu);
#define cpu_up(cpu) add_cpu(cpu)

#ifdef __cplusplus
}
#endif

#endif
