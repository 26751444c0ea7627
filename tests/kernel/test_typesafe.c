/*
 * test_typesafe.c: the table of typesafe.c on a machine, with readers on each CPU, and writers that delete flows, whose memory is used
 * again at once, for other flows or, after a grace period, for anything: free pages are poisoned.
 *
 * usage: test_typesafe [--broken]
 *   --broken   what is built without one of the things that the lookup needs: succeeds if a reader finds out, or the machine breaks
 * Environment: FLAGSTONE_SOAK_SECONDS (1), FLAGSTONE_SOAK_CPUS (8), FLAGSTONE_SOAK_SEED (1), FLAGSTONE_SOAK_PREEMPT (300: microseconds
 * between forced preemptions; 0: none).
 *
 * Broken if this fails: slabs of a cache with SLAB_TYPESAFE_BY_RCU go back while a reader is in them, or lists of linux/rculist_nulls.h
 * lose elements.
 */
#include <flagstone/machine.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/timer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/stress/variable.h"
#include "typesafe.h"

#define NR_KEYS 64u
#define NR_CONSTANT 4u /* keys below are always there */
#define MAX_CPUS 64
#define MOST_BROKEN_SECONDS 600 /* it takes one or two */

static struct timer_list timer; /* an interrupt that writes and reads, too */
static bool clearing; /* nobody is to add flows. Synchronization: atomic */
static unsigned long nr_found, nr_missed, nr_deleted, nr_wrong; /* Synchronization: atomic */

static void count(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static unsigned long get(unsigned long *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static bool found_out(void)
{
	return get(&nr_wrong) || get(&nr_strangers);
}

/* Numbers that look random; the state is the caller's. */
static u32 next(u32 *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

static void look_up(u32 key)
{
	struct flow *flow = flow_get(key);

	if (!flow) {
		count(&nr_missed);
		if (key < NR_CONSTANT)
			count(&nr_wrong);
		return;
	}
	/* As long as we have the reference. */
	for (int i = 0; i < 10; i++)
		if (READ_ONCE(flow->key) != key || READ_ONCE(flow->check) != ~(key + READ_ONCE(flow->packets)) ||
			READ_ONCE(flow->first[i * 150]) != (u8)key)
			count(&nr_wrong);
	flow_put(flow);
	count(&nr_found);
}

static int read_flows(void *arg)
{
	u32 state = (u32)(unsigned long)arg;

	while (!kthread_should_stop()) {
		for (int i = 0; i < 20; i++)
			look_up(next(&state) % NR_KEYS);
		cond_resched();
	}
	return 0;
}

static void change(u32 *state, gfp_t gfp)
{
	u32 key = NR_CONSTANT + next(state) % (NR_KEYS - NR_CONSTANT);

	if (!flow_delete(key))
		count(&nr_deleted);
	else if (!READ_ONCE(clearing))
		flow_add(key, next(state), gfp);
}

/* Then there are slabs without a flow. */
static void clear(void)
{
	WRITE_ONCE(clearing, true);
	for (u32 key = NR_CONSTANT; key < NR_KEYS; key++)
		flow_delete(key);
	flows_shrink();
	WRITE_ONCE(clearing, false);
}

static int write_flows(void *arg)
{
	u32 state = (u32)(unsigned long)arg;

	for (u32 i = 1; !kthread_should_stop(); i++) {
		change(&state, GFP_KERNEL);
		if (i % 256 == 0)
			clear();
		cond_resched();
	}
	return 0;
}

static void in_interrupt_too(struct timer_list *unused)
{
	static u32 state = 7;

	(void)unused;
	for (int i = 0; i < 20; i++) {
		change(&state, GFP_ATOMIC);
		look_up(next(&state) % NR_KEYS);
	}
	mod_timer(&timer, jiffies + 1);
}

static struct task_struct *start(int (*function)(void *), unsigned long arg, unsigned int cpu, const char *name)
{
	struct task_struct *task = kthread_create_on_cpu(function, (void *)arg, cpu, name);

	if (IS_ERR(task))
		abort();
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

static void run(unsigned int cpus, unsigned long seconds)
{
	struct task_struct *tasks[2 * MAX_CPUS];
	unsigned int nr = 0;

	for (unsigned int cpu = 0; cpu < cpus; cpu++) {
		tasks[nr++] = start(read_flows, cpu + 1, cpu, "read/%u");
		tasks[nr++] = start(write_flows, cpu + 101, cpu, "write/%u");
	}
	timer_setup(&timer, in_interrupt_too, 0);
	mod_timer(&timer, jiffies + 1);
	for (unsigned long i = 0; i < 20 * seconds && !found_out(); i++)
		msleep(50);
	del_timer_sync(&timer);
	while (nr > 0) {
		kthread_stop(tasks[--nr]);
		put_task_struct(tasks[nr]);
	}
}

static int run_machine(unsigned long seconds)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;
	unsigned int cpus = (unsigned int)variable("FLAGSTONE_SOAK_CPUS", 8);
	int leaks;

	cpus = cpus < 1 ? 1 : cpus > MAX_CPUS ? MAX_CPUS : cpus;
	config.cpus = (int)cpus;
	config.ram = 128ul << 20;
	config.seed = variable("FLAGSTONE_SOAK_SEED", 1);
	config.preempt = (int)variable("FLAGSTONE_SOAK_PREEMPT", 300);
	config.page_poison = 1;
	if (flagstone_machine_boot(&config) || flows_init())
		return 1;
	for (u32 key = 0; key < NR_CONSTANT; key++)
		flow_add(key, key, GFP_KERNEL);
	run(cpus, seconds);
	flows_exit();
	leaks = flagstone_machine_shutdown();
	printf("test_typesafe: %u CPUs: %lu flows found, %lu not, %lu deleted, %lu wrong ones found, %lu that were "
	       "none, %d leaks\n",
		cpus, get(&nr_found), get(&nr_missed), get(&nr_deleted), get(&nr_wrong), get(&nr_strangers), leaks);
	return leaks || found_out() || !get(&nr_found) || !get(&nr_deleted);
}

/* A reader that follows what is no flow may break the machine before it is told. */
static int run_broken(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return 1;
	if (!child) {
		alarm(2 * MOST_BROKEN_SECONDS); /* or it hangs */
		exit(run_machine(MOST_BROKEN_SECONDS));
	}
	if (waitpid(child, &status, 0) != child)
		return 1;
	printf("test_typesafe: the broken one ended with status %#x\n", (unsigned int)status);
	return !status;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--broken"))
		return run_broken();
	return run_machine(variable("FLAGSTONE_SOAK_SECONDS", 1));
}
