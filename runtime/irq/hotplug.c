/*
 * hotplug.c: CPUs go offline and come back: the callbacks of states, and what is to be moved.
 *
 * Calls sched for the tasks, the other files of this room for what they have on a CPU, a hook for memory. Knows
 * nothing of what callbacks do.
 */
#include <errno.h>
#include <linux/cpu.h>
#include <string.h>

#include "runtime/irq/internal.h"

struct step {
	const char *name; /* NULL: the state is free */
	int (*startup)(unsigned int cpu);
	int (*teardown)(unsigned int cpu);
};

static struct step steps[CPUHP_ONLINE]; /* Synchronization: reading: cpus_read_lock(); writing: changing too */
void (*irq_cpu_dead_hook)(unsigned int cpu);

/* ---- locks ---- */

static int holders; /* readers; -1: a writer. Synchronization: atomic */
static uint32_t changing; /* one at a time changes steps. Synchronization: atomic */

static bool try_read(void *unused)
{
	int seen = __atomic_load_n(&holders, __ATOMIC_RELAXED);

	(void)unused;
	/* Pairs with the unlocks. */
	while (seen >= 0)
		if (__atomic_compare_exchange_n(&holders, &seen, seen + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

static bool try_write(void *unused)
{
	int nobody = 0;

	(void)unused;
	/* Pairs with the unlocks. */
	return __atomic_compare_exchange_n(&holders, &nobody, -1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void cpus_read_lock(void)
{
	might_sleep();
	sleep_on(&holders, try_read, NULL);
}

int cpus_read_trylock(void)
{
	return try_read(NULL);
}

void cpus_read_unlock(void)
{
	/* Pairs with try_write(). */
	__atomic_fetch_sub(&holders, 1, __ATOMIC_RELEASE);
	wake_on(&holders);
}

void cpus_write_lock(void)
{
	might_sleep();
	sleep_on(&holders, try_write, NULL);
}

void cpus_write_unlock(void)
{
	/* Pairs with try_read() and try_write(). */
	__atomic_store_n(&holders, 0, __ATOMIC_RELEASE);
	wake_on(&holders);
}

static bool try_change(void *unused)
{
	(void)unused;
	/* Pairs with change_end(). */
	return !__atomic_exchange_n(&changing, 1, __ATOMIC_ACQUIRE);
}

static void change_begin(bool locked)
{
	if (!locked)
		cpus_read_lock();
	sleep_on(&changing, try_change, NULL);
}

static void change_end(bool locked)
{
	/* Pairs with try_change(). */
	__atomic_store_n(&changing, 0, __ATOMIC_RELEASE);
	wake_on(&changing);
	if (!locked)
		cpus_read_unlock();
}

/* ---- callbacks ---- */

/* Makes this task stay on one CPU; returns, in old, where it might be before. */
static void go_to(unsigned int cpu, uint64_t *old)
{
	memcpy(old, sched_current()->allowed, sizeof(sched_current()->allowed));
	sched_move_to(cpu);
}

/* It may be where it might again, or anywhere, if that is all offline. */
static void go_back(const uint64_t *old)
{
	uint64_t all[CPU_WORDS];

	memset(all, 0xff, sizeof(all));
	if (sched_set_allowed(current, old))
		sched_set_allowed(current, all);
}

static int call(enum cpuhp_state state, unsigned int cpu, bool up)
{
	int (*callback)(unsigned int cpu) = up ? steps[state].startup : steps[state].teardown;
	uint64_t old[CPU_WORDS];
	int error;

	if (!callback)
		return 0;
	if (state < CPUHP_BRINGUP_CPU)
		return callback(cpu);
	go_to(cpu, old);
	error = callback(cpu);
	go_back(old);
	return error;
}

/* Teardown of states below first, from last down: they cannot fail. */
static void down_through(unsigned int cpu, int last, int first)
{
	for (int state = last; state >= first; state--) {
		int error = call((enum cpuhp_state)state, cpu, false);

		if (error)
			report_note(
				"CPU %u: teardown of state %d (%s) failed: %d", cpu, state, steps[state].name, error);
	}
}

/* Startup of the states first .. last. If one fails, those before it are undone. */
static int up_through(unsigned int cpu, int first, int last)
{
	for (int state = first; state <= last; state++) {
		int error = call((enum cpuhp_state)state, cpu, true);

		if (error) {
			down_through(cpu, state - 1, first);
			return error;
		}
	}
	return 0;
}

/* ---- down ---- */

/* If a teardown fails, those before it are undone. */
static int leave_states(unsigned int cpu)
{
	for (int state = CPUHP_ONLINE - 1; state > CPUHP_BRINGUP_CPU; state--) {
		int error = call((enum cpuhp_state)state, cpu, false);

		if (!error)
			continue;
		for (int undo = state + 1; undo < CPUHP_ONLINE; undo++)
			if (call((enum cpuhp_state)undo, cpu, true))
				report_note("CPU %u: startup of state %d (%s) failed on the way back", cpu, undo,
					steps[undo].name);
		return error;
	}
	return 0;
}

/* This task, wherever it may be, leaves the CPU. */
static void leave_cpu(unsigned int cpu)
{
	uint64_t others[CPU_WORDS];

	memset(others, 0xff, sizeof(others));
	others[cpu / 64] &= ~(1ull << cpu % 64);
	sched_set_allowed(current, others);
}

static bool serves(unsigned int cpu)
{
	/* Pairs with softirq_run(). */
	return __atomic_load_n(&irq_cpus[cpu].serving, __ATOMIC_ACQUIRE);
}

/* What waits there for interrupts goes on here. Interrupts of the CPU's may still come, and run on its idle task. */
static void take_over(unsigned int cpu)
{
	bool all;

	do {
		host_sigmask_t mask;

		/* Timers that run now start others, and themselves, where they are. */
		while (serves(cpu))
			schedule_timeout_uninterruptible(1);
		mask = host_signals_block();
		softirq_cpu_down(cpu);
		all = timer_cpu_down(cpu);
		tasklet_cpu_down(cpu);
		host_signals_restore(mask);
		if (!all)
			schedule_timeout_uninterruptible(1);
	} while (!all);
}

/* Its thread runs again, and it looks for softirqs that were raised while there was nobody to wake. */
static void softirqs_go_on(unsigned int cpu)
{
	kthread_unpark(irq_cpus[cpu].ksoftirqd);
	cpu_raise(cpu, CPU_IRQ);
}

static int take_down(unsigned int cpu)
{
	uint64_t old[CPU_WORDS];
	int error;

	memcpy(old, sched_current()->allowed, sizeof(old));
	leave_cpu(cpu);
	kthread_park(irq_cpus[cpu].ksoftirqd);
	error = sched_cpu_down(cpu);
	go_back(old);
	if (error) {
		softirqs_go_on(cpu);
		return error;
	}
	cpumask_clear_cpu(cpu, &__cpu_online_mask);
	lines_cpu_down(cpu);
	take_over(cpu);
	if (irq_cpu_dead_hook)
		irq_cpu_dead_hook(cpu);
	down_through(cpu, CPUHP_BRINGUP_CPU - 1, CPUHP_OFFLINE + 1);
	return 0;
}

/* The write lock is held. */
static int down(unsigned int cpu)
{
	int error;

	if (!cpu_is_online(cpu))
		return -EINVAL;
	if (cpus_online() == 1)
		return -EBUSY;
	error = leave_states(cpu);
	return error ? error : take_down(cpu);
}

int remove_cpu(unsigned int cpu)
{
	int error;

	cpus_write_lock();
	error = down(cpu);
	cpus_write_unlock();
	return error;
}

/* ---- up ---- */

/* The write lock is held. */
static int up(unsigned int cpu)
{
	int error;

	if (cpu >= sched_nr_cpus || cpu_is_online(cpu))
		return -EINVAL;
	error = up_through(cpu, CPUHP_OFFLINE + 1, CPUHP_BRINGUP_CPU - 1);
	if (error)
		return error;
	error = sched_cpu_up(cpu);
	if (error)
		return error;
	cpumask_set_cpu(cpu, &__cpu_online_mask);
	softirqs_go_on(cpu);
	error = up_through(cpu, CPUHP_BRINGUP_CPU + 1, CPUHP_ONLINE - 1);
	if (error)
		take_down(cpu);
	return error;
}

int add_cpu(unsigned int cpu)
{
	int error;

	cpus_write_lock();
	error = up(cpu);
	cpus_write_unlock();
	return error;
}

/* ---- states ---- */

/* The state itself, or the first free one of those that it stands for. */
static int find_state(enum cpuhp_state state)
{
	int last = state;

	if (state <= CPUHP_OFFLINE || state >= CPUHP_ONLINE || state == CPUHP_BRINGUP_CPU)
		return -EINVAL;
	if (state == CPUHP_BP_PREPARE_DYN)
		last = CPUHP_BP_PREPARE_DYN_END;
	else if (state == CPUHP_AP_ONLINE_DYN)
		last = CPUHP_AP_ONLINE_DYN_END;
	for (int at = state; at <= last; at++)
		if (!steps[at].name)
			return at;
	return last == (int)state ? -EBUSY : -ENOSPC;
}

static int start_everywhere(enum cpuhp_state state)
{
	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++) {
		int error = cpu_is_online(cpu) ? call(state, cpu, true) : 0;

		if (!error)
			continue;
		while (cpu-- > 0)
			if (cpu_is_online(cpu))
				call(state, cpu, false);
		return error;
	}
	return 0;
}

static void record(int state, const void *caller)
{
	char name[40];
	struct text text = TEXT_INIT(name, sizeof(name), -1);

	text_printf(&text, "%d (%s)", state, steps[state].name);
	resource_made(&(struct resource){
		.type = RESOURCE_CPUHP_STATE, .object = &steps[state], .name = name, .caller = caller});
}

int flagstone_cpuhp_setup(enum cpuhp_state state, const char *name, bool calls, int (*startup)(unsigned int cpu),
	int (*teardown)(unsigned int cpu), bool locked)
{
	int at, error = 0;

	change_begin(locked);
	at = find_state(state);
	if (at > 0) {
		steps[at] = (struct step){.name = name ? name : "?", .startup = startup, .teardown = teardown};
		if (calls && startup)
			error = start_everywhere((enum cpuhp_state)at);
		if (error)
			steps[at] = (struct step){.name = NULL};
		else
			record(at, __builtin_return_address(0));
	}
	change_end(locked);
	if (at < 0 || error)
		return at < 0 ? at : error;
	return state == CPUHP_BP_PREPARE_DYN || state == CPUHP_AP_ONLINE_DYN ? at : 0;
}

void flagstone_cpuhp_remove(enum cpuhp_state state, bool calls)
{
	if (state <= CPUHP_OFFLINE || state >= CPUHP_ONLINE)
		return;
	change_begin(false);
	for (unsigned int cpu = 0; calls && cpu < sched_nr_cpus; cpu++)
		if (cpu_is_online(cpu))
			call(state, cpu, false);
	resource_ended(RESOURCE_CPUHP_STATE, &steps[state]);
	steps[state] = (struct step){.name = NULL};
	change_end(false);
}

void hotplug_boot(void)
{
	memset(steps, 0, sizeof(steps));
	steps[CPUHP_PERCPU_CNT_DEAD] =
		(struct step){.name = "lib/percpu_cnt:dead", .teardown = percpu_counters_cpu_dead};
	percpu_counters_boot(sched_nr_cpus);
	holders = 0;
	changing = 0;
}
