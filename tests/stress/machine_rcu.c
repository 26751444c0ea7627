/*
 * machine_rcu.c: a hash table in a simulated machine, with readers on every CPU and writers that replace its nodes, whose old ones they
 * pass to kfree_rcu() or call_rcu(). Free objects are poisoned: a reader that meets the poison has met a node too late.
 *
 * usage: machine_rcu [--broken | --barriers]
 *   --broken   writers call kfree() at once: it succeeds if some reader meets the poison, which it must be able to
 *   --barriers none of that: tasks that pass on callbacks, several a CPU, and look behind rcu_barrier() whether all were called
 * Environment: FLAGSTONE_SOAK_SECONDS (1), FLAGSTONE_SOAK_CPUS (8), FLAGSTONE_SOAK_SEED (1), FLAGSTONE_SOAK_PREEMPT (300: microseconds
 * between forced preemptions; 0: none).
 *
 * Broken if this fails: a grace period ends before a section that was open, an object or callback is lost, or rcu_barrier() does not wait
 * for one.
 */
#include <flagstone/machine.h>
#include <linux/bottom_half.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stress/variable.h"

#define NR_BUCKETS 16
#define MAX_CPUS 64
#define MOST_BROKEN_SECONDS 60
#define TASKS_A_CPU 4 /* of those that wait for their callbacks: their calls of successive periods meet */
#define CALLS 50

struct node {
	unsigned long key, value, check; /* check is ~(key + value), always */
	struct rcu_head rcu;
};

static struct kmem_cache *cache;
static struct node *table[NR_BUCKETS]; /* by rcu_assign_pointer(); each written by one writer */
static struct timer_list timer; /* an interrupt that writes, too */
static bool broken, barriers; /* Synchronization: const */
static unsigned long nr_read, nr_replaced, nr_called, nr_wrong; /* Synchronization: atomic */
static unsigned long nr_to_call; /* Synchronization: atomic */

static void count(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static unsigned long get(unsigned long *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

/* ---- writers ---- */

static void on_period(struct rcu_head *head)
{
	if (!in_softirq())
		count(&nr_wrong);
	kmem_cache_free(cache, container_of(head, struct node, rcu));
	count(&nr_called);
}

static void replace(unsigned int bucket, unsigned long value, gfp_t gfp)
{
	struct node *node = kmem_cache_alloc(cache, gfp), *old;

	if (!node)
		return;
	*node = (struct node){.key = bucket, .value = value, .check = ~(bucket + value)};
	old = rcu_replace_pointer(table[bucket], node, true);
	count(&nr_replaced);
	if (!old)
		return;
	if (broken) {
		kfree(old);
	} else if (value % 8) {
		kfree_rcu(old, rcu);
	} else {
		count(&nr_to_call);
		call_rcu(&old->rcu, on_period);
	}
}

/* The last bucket is its own. */
static void replace_in_timer(struct timer_list *unused)
{
	static unsigned long value;

	(void)unused;
	for (int i = 0; i < 20; i++)
		replace(NR_BUCKETS - 1, value++, GFP_ATOMIC);
	mod_timer(&timer, jiffies + 1);
}

static int write_nodes(void *arg)
{
	unsigned long first = (unsigned long)arg, value = 0;

	while (!kthread_should_stop()) {
		replace((unsigned int)first, value, GFP_KERNEL);
		if (++value % 64 == 0) {
			preempt_disable();
			replace((unsigned int)first, value++, GFP_ATOMIC);
			preempt_enable();
		}
		if (value % 4096 == 1)
			synchronize_rcu();
		if (value % 4096 == 2)
			kvfree_rcu_mightsleep((void *)kmalloc(100, GFP_KERNEL));
		cond_resched();
	}
	return 0;
}

/* ---- readers ---- */

static void look(unsigned int bucket)
{
	struct node *node;
	unsigned long key, value, check;

	rcu_read_lock();
	node = rcu_dereference(table[bucket]);
	if (node) {
		for (int i = 0; i < 20; i++) {
			/* Another CPU may be filling the node anew, in a broken run. */
			key = READ_ONCE(node->key);
			value = READ_ONCE(node->value);
			check = READ_ONCE(node->check);
			if (key != bucket || check != ~(key + value))
				count(&nr_wrong);
		}
	}
	rcu_read_unlock();
	count(&nr_read);
}

static int read_nodes(void *arg)
{
	unsigned int bucket = (unsigned int)(unsigned long)arg;

	while (!kthread_should_stop()) {
		rcu_read_lock(); /* sections nest */
		look(bucket++ % NR_BUCKETS);
		rcu_read_unlock();
		cond_resched();
	}
	return 0;
}

/* ---- tasks that wait for their callbacks ---- */

struct called {
	struct rcu_head rcu;
	unsigned long is; /* Synchronization: atomic */
};

static void on_call(struct rcu_head *head)
{
	__atomic_store_n(&container_of(head, struct called, rcu)->is, 1, __ATOMIC_RELAXED);
	count(&nr_called);
}

static int call_and_wait(void *unused)
{
	static const struct called fresh;
	struct called calls[CALLS];

	(void)unused;
	while (!kthread_should_stop()) {
		for (unsigned int i = 0; i < CALLS; i++) {
			calls[i] = fresh;
			count(&nr_to_call);
			call_rcu(&calls[i].rcu, on_call);
		}
		rcu_barrier();
		for (unsigned int i = 0; i < CALLS; i++) {
			if (!__atomic_load_n(&calls[i].is, __ATOMIC_RELAXED))
				count(&nr_wrong);
			/* Before they go with the stack. */
			while (!__atomic_load_n(&calls[i].is, __ATOMIC_RELAXED))
				msleep(1);
		}
	}
	return 0;
}

/* ---- all ---- */

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
	struct task_struct *tasks[TASKS_A_CPU * MAX_CPUS];
	unsigned int nr = 0;

	for (unsigned int i = 0; barriers && i < TASKS_A_CPU * cpus; i++)
		tasks[nr++] = start(call_and_wait, i, i % cpus, "barrier/%u");
	for (unsigned int cpu = 0; !barriers && cpu < cpus; cpu++)
		tasks[nr++] = start(read_nodes, cpu, cpu, "read/%u");
	for (unsigned int i = 0; !barriers && i < NR_BUCKETS - 1 && i < cpus; i++)
		tasks[nr++] = start(write_nodes, i, (i + 1) % cpus, "write/%u");
	timer_setup(&timer, replace_in_timer, 0);
	if (!barriers)
		mod_timer(&timer, jiffies + 1);
	for (unsigned long i = 0; i < 10 * (broken ? MOST_BROKEN_SECONDS : seconds) && !(broken && get(&nr_wrong)); i++)
		msleep(100);
	del_timer_sync(&timer);
	while (nr > 0) {
		kthread_stop(tasks[--nr]);
		put_task_struct(tasks[nr]);
	}
	rcu_barrier();
	kvfree_rcu_barrier();
	for (unsigned int i = 0; i < NR_BUCKETS; i++)
		kfree(table[i]);
}

int main(int argc, char **argv)
{
	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;
	unsigned int cpus = (unsigned int)variable("FLAGSTONE_SOAK_CPUS", 8);
	int leaks;

	broken = argc == 2 && !strcmp(argv[1], "--broken");
	barriers = argc == 2 && !strcmp(argv[1], "--barriers");
	cpus = cpus < 1 ? 1 : cpus > MAX_CPUS ? MAX_CPUS : cpus;
	config.cpus = (int)cpus;
	config.ram = 128ul << 20;
	config.seed = variable("FLAGSTONE_SOAK_SEED", 1);
	config.preempt = (int)variable("FLAGSTONE_SOAK_PREEMPT", 300);
	strcpy(config.slub_debug, "P:node");
	if (flagstone_machine_boot(&config))
		return 1;
	cache = kmem_cache_create("node", sizeof(struct node), 0, 0, NULL);
	run(cpus, variable("FLAGSTONE_SOAK_SECONDS", 1));
	kmem_cache_destroy(cache);
	leaks = flagstone_machine_shutdown();
	printf("machine_rcu: %u CPUs: %lu sections, %lu nodes replaced, %lu of %lu callbacks, %lu seen too late, "
	       "%d leaks\n",
		cpus, get(&nr_read), get(&nr_replaced), get(&nr_called), get(&nr_to_call), get(&nr_wrong), leaks);
	return leaks || get(&nr_called) != get(&nr_to_call) || broken != !!get(&nr_wrong);
}
