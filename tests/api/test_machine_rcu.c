/*
 * test_machine_rcu.c: <linux/rcupdate.h> in a machine: call_rcu() from wherever it may be called, and SLAB_TYPESAFE_BY_RCU when memory
 * is out and when the machine ends.
 *
 * Broken if this fails: a callback is lost, runs before a section has ended, or where it must not; or memory of slabs that wait for a grace
 * period is lost to the machine.
 */
#include <dirent.h>
#include <flagstone/irq.h>
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <limits.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "booted.h"

#define LINE 5
#define NR_CALLS 10

struct node {
	struct rcu_head rcu;
	int left; /* calls */
};

static atomic_t nr_called, nr_elsewhere; /* all, and those not in a task with softirqs off */

static void note(void)
{
	atomic_inc(&nr_called);
	if (!in_softirq() || in_hardirq() || irqs_disabled())
		atomic_inc(&nr_elsewhere);
}

static void free_node(struct rcu_head *head)
{
	note();
	kfree(container_of(head, struct node, rcu));
}

static void call(void)
{
	struct node *node = kmalloc(sizeof(*node), GFP_ATOMIC);

	assert_non_null(node);
	call_rcu(&node->rcu, free_node);
}

static int reset(void **state)
{
	atomic_set(&nr_called, 0);
	atomic_set(&nr_elsewhere, 0);
	return boot(state);
}

static void assert_called(int nr)
{
	rcu_barrier();
	assert_int_equal(atomic_read(&nr_called), nr);
	assert_int_equal(atomic_read(&nr_elsewhere), 0);
}

/* ---- contexts ---- */

static irqreturn_t call_in_handler(int irq, void *device)
{
	(void)irq;
	(void)device;
	assert_true(in_hardirq());
	call();
	return IRQ_HANDLED;
}

static void interrupt(void)
{
	unsigned long before = flagstone_irq_count(LINE, -1);

	assert_true(flagstone_irq_raise(LINE));
	while (flagstone_irq_count(LINE, -1) == before) {
		/* Here it comes in, where there are no signals, as with sanitizers. */
		local_irq_disable();
		local_irq_enable();
		usleep(10);
	}
}

static void an_interrupt_handler_calls(void **state)
{
	(void)state;
	assert_int_equal(request_irq(LINE, call_in_handler, 0, "calls", NULL), 0);
	for (int i = 0; i < NR_CALLS; i++)
		interrupt();
	assert_called(NR_CALLS);
	free_irq(LINE, NULL);
}

static void a_handler_that_interrupts_a_section_waits_for_it(void **state)
{
	(void)state;
	assert_int_equal(request_irq(LINE, call_in_handler, 0, "calls", NULL), 0);
	rcu_read_lock();
	interrupt();
	mdelay(30);
	assert_int_equal(atomic_read(&nr_called), 0);
	rcu_read_unlock();
	assert_called(1);
	free_irq(LINE, NULL);
}

static struct timer_list timer;
static int nr_fired;
static DECLARE_COMPLETION(all_fired);

static void call_in_timer(struct timer_list *fired)
{
	assert_true(in_serving_softirq());
	call();
	if (++nr_fired < NR_CALLS)
		mod_timer(fired, jiffies + 1);
	else
		complete(&all_fired);
}

static void a_timer_calls(void **state)
{
	(void)state;
	nr_fired = 0;
	reinit_completion(&all_fired);
	timer_setup(&timer, call_in_timer, 0);
	mod_timer(&timer, jiffies + 1);
	wait_for_completion(&all_fired);
	del_timer_sync(&timer);
	assert_called(NR_CALLS);
}

static enum hrtimer_restart call_in_hrtimer(struct hrtimer *fired)
{
	assert_true(in_hardirq());
	call();
	if (++nr_fired == NR_CALLS) {
		complete(&all_fired);
		return HRTIMER_NORESTART;
	}
	hrtimer_forward_now(fired, 100000);
	return HRTIMER_RESTART;
}

static void a_high_resolution_timer_calls(void **state)
{
	static struct hrtimer hrtimer;

	(void)state;
	nr_fired = 0;
	reinit_completion(&all_fired);
	hrtimer_init(&hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	hrtimer.function = call_in_hrtimer;
	hrtimer_start(&hrtimer, 100000, HRTIMER_MODE_REL);
	wait_for_completion(&all_fired);
	hrtimer_cancel(&hrtimer);
	assert_called(NR_CALLS);
}

static int call_with_all_off(void *arg)
{
	unsigned long flags;

	(void)arg;
	for (int i = 0; i < NR_CALLS; i++) {
		preempt_disable();
		call();
		preempt_enable();
		local_bh_disable();
		call();
		local_irq_save(flags);
		call();
		local_irq_restore(flags);
		local_bh_enable();
	}
	return 0;
}

static void tasks_call_with_preemption_softirqs_and_interrupts_off(void **state)
{
	(void)state;
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		assert_int_equal(flagstone_machine_run(cpu, call_with_all_off, NULL), 0);
	assert_called(4 * 3 * NR_CALLS);
}

/* ---- callbacks that call ---- */

static void call_again(struct rcu_head *head)
{
	struct node *node = container_of(head, struct node, rcu);

	note();
	if (--node->left > 0)
		call_rcu(head, call_again);
	else if (node->left == 0)
		call_rcu(head, free_node);
}

static void callbacks_call_again(void **state)
{
	struct node *nodes[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		nodes[i] = kmalloc(sizeof(*nodes[i]), GFP_KERNEL);
		nodes[i]->left = i + 3;
		call_rcu(&nodes[i]->rcu, call_again);
	}
	/* Each waits for those that were called before it. */
	for (int i = 1; i <= 6; i++) {
		rcu_barrier();
		assert_true(atomic_read(&nr_called) >= (i < 4 ? 3 * i : 9 + i - 3));
	}
	assert_called(3 + 1 + 4 + 1 + 5 + 1);
}

static struct kmem_cache *cache;

static void free_in_many_ways(struct rcu_head *head)
{
	struct node *node = container_of(head, struct node, rcu), *other = kmalloc(sizeof(*other), GFP_ATOMIC);

	note();
	kmem_cache_free(cache, node);
	kfree_rcu(other, rcu);
	call();
}

static void callbacks_free_and_defer(void **state)
{
	(void)state;
	cache = kmem_cache_create("nodes", sizeof(struct node), 0, SLAB_TYPESAFE_BY_RCU, NULL);
	assert_non_null(cache);
	for (int i = 0; i < 300; i++) {
		struct node *node = kmem_cache_alloc(cache, GFP_KERNEL);

		call_rcu(&node->rcu, free_in_many_ways);
	}
	rcu_barrier();
	assert_called(600);
	kvfree_rcu_barrier();
	kmem_cache_destroy(cache);
}

/* ---- type-safe caches ---- */

struct block {
	struct block *next;
	char rest[2000];
};

static struct completion reads, may_leave, has_left;
static unsigned int most_ms; /* that the reader stays untold */
static bool left; /* it is about to leave */

static int read_until_told(void *unused)
{
	(void)unused;
	rcu_read_lock();
	complete(&reads);
	for (unsigned int ms = 0; ms < most_ms && !try_wait_for_completion(&may_leave); ms++)
		mdelay(1);
	WRITE_ONCE(left, true);
	rcu_read_unlock();
	complete(&has_left);
	return 0;
}

static void start_reader(unsigned int ms)
{
	struct task_struct *task;

	most_ms = ms;
	left = false;
	init_completion(&reads);
	init_completion(&may_leave);
	init_completion(&has_left);
	task = kthread_create_on_cpu(read_until_told, NULL, 1, "reads");
	assert_false(IS_ERR(task));
	wake_up_process(task);
	wait_for_completion(&reads);
}

/* All of memory, as objects. */
static struct block *take_all(void)
{
	struct block *list = NULL, *block;

	while ((block = kmem_cache_alloc(cache, GFP_NOWAIT | __GFP_NOWARN))) {
		block->next = list;
		list = block;
	}
	return list;
}

static void give(struct block *list)
{
	while (list) {
		struct block *block = list;

		list = list->next;
		kmem_cache_free(cache, block);
	}
}

static unsigned long take_pages(void **list, unsigned long nr, gfp_t gfp)
{
	unsigned long taken = 0;
	void **page;

	while (taken < nr && (page = (void **)__get_free_page(gfp))) {
		*page = *list;
		*list = page;
		taken++;
	}
	return taken;
}

static void give_pages(void *list)
{
	while (list) {
		void *page = list;

		list = *(void **)page;
		free_page((unsigned long)page);
	}
}

#define WANTED (8ul << 20 >> PAGE_SHIFT) /* of 32 MiB, of which the blocks had nearly all */

static void memory_comes_back_after_the_period_that_it_waits_for(void **state)
{
	void *pages = NULL;
	unsigned long taken;

	(void)state;
	cache = kmem_cache_create("blocks", sizeof(struct block), 0, SLAB_TYPESAFE_BY_RCU, NULL);
	assert_non_null(cache);
	start_reader(UINT_MAX);
	give(take_all());
	kmem_cache_shrink(cache);
	/* The reader could be in it. */
	taken = take_pages(&pages, WANTED, GFP_NOWAIT | __GFP_NOWARN);
	assert_true(taken < WANTED);
	complete(&may_leave);
	taken += take_pages(&pages, WANTED - taken, GFP_KERNEL | __GFP_NOFAIL);
	assert_int_equal(taken, WANTED);
	give_pages(pages);
	wait_for_completion(&has_left);
	kmem_cache_destroy(cache);
}

static void a_cache_ends_after_its_readers(void **state)
{
	(void)state;
	cache = kmem_cache_create("blocks", sizeof(struct block), 0, SLAB_TYPESAFE_BY_RCU, NULL);
	assert_non_null(cache);
	start_reader(100);
	give(take_all());
	kmem_cache_destroy(cache);
	assert_true(READ_ONCE(left));
	wait_for_completion(&has_left);
}

static void a_machine_ends_with_slabs_that_wait(void **state)
{
	(void)state;
	cache = kmem_cache_create("blocks", sizeof(struct block), 0, SLAB_TYPESAFE_BY_RCU, NULL);
	assert_non_null(cache);
	for (int i = 0; i < 5; i++)
		give(take_all());
	kmem_cache_shrink(cache);
	/* The cache that was not ended is one leak, of no object. */
	assert_int_equal(flagstone_machine_shutdown(), 1);
}

/* The other way to look something up: its lock, which the constructor made, is there whether it lives or not. */
struct locked {
	spinlock_t lock;
	bool alive;
	unsigned long number, check; /* ~number, while it lives. Synchronization: lock */
};

static struct locked *shown; /* Synchronization: atomic */
static atomic_t nr_alive, nr_wrong;

static void make_locked(void *object)
{
	struct locked *locked = object;

	spin_lock_init(&locked->lock);
	locked->alive = false;
}

static int look_with_lock(void *unused)
{
	(void)unused;
	while (!kthread_should_stop()) {
		struct locked *found;

		rcu_read_lock();
		found = rcu_dereference(shown);
		spin_lock(&found->lock);
		if (found->alive)
			atomic_inc(&nr_alive);
		if (found->alive && found->check != ~found->number)
			atomic_inc(&nr_wrong);
		spin_unlock(&found->lock);
		rcu_read_unlock();
		cond_resched();
	}
	return 0;
}

static void live_and_end(unsigned long number)
{
	struct locked *locked = kmem_cache_alloc(cache, GFP_KERNEL);

	spin_lock(&locked->lock);
	locked->number = number;
	locked->check = ~number;
	locked->alive = true;
	spin_unlock(&locked->lock);
	rcu_assign_pointer(shown, locked);
	cond_resched();
	spin_lock(&locked->lock);
	locked->alive = false;
	spin_unlock(&locked->lock);
	kmem_cache_free(cache, locked);
}

static void a_lock_in_an_object_outlives_it(void **state)
{
	struct task_struct *readers[3];
	struct locked *first;

	(void)state;
	atomic_set(&nr_alive, 0);
	atomic_set(&nr_wrong, 0);
	cache = kmem_cache_create("locked", sizeof(struct locked), 0, SLAB_TYPESAFE_BY_RCU, make_locked);
	assert_non_null(cache);
	first = kmem_cache_alloc(cache, GFP_KERNEL);
	shown = first;
	for (unsigned int i = 0; i < 3; i++) {
		readers[i] = kthread_create_on_cpu(look_with_lock, NULL, i + 1, "look");
		assert_false(IS_ERR(readers[i]));
		get_task_struct(readers[i]);
		wake_up_process(readers[i]);
	}
	for (unsigned long i = 0; i < 300 || !atomic_read(&nr_alive); i++)
		live_and_end(i);
	/* Before the readers end: they go on with it. */
	rcu_assign_pointer(shown, first);
	for (unsigned int i = 0; i < 3; i++) {
		kthread_stop(readers[i]);
		put_task_struct(readers[i]);
	}
	assert_int_equal(atomic_read(&nr_wrong), 0);
	kmem_cache_free(cache, first);
	kmem_cache_destroy(cache);
}

static unsigned int nr_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned int nr = 0;

	assert_non_null(tasks);
	while (readdir(tasks))
		nr++;
	closedir(tasks);
	return nr;
}

/* Objects in magazines: their slabs become empty when leaks are looked for, and there are no periods any more. */
static void a_machine_ends_with_slabs_that_would_wait(void **state)
{
	unsigned int before = nr_threads();
	struct block *list = NULL;

	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_int_equal(flagstone_machine_boot_text("cpus=4,ram=32m,tracking=0,context=0,lockdep=0"), 0);
		cache = kmem_cache_create("blocks", sizeof(struct block), 0, SLAB_TYPESAFE_BY_RCU, NULL);
		assert_non_null(cache);
		for (int times = 0; times < 20; times++) {
			for (int i = 0; i < 100; i++) {
				struct block *block = kmem_cache_alloc(cache, GFP_KERNEL);

				block->next = list;
				list = block;
			}
			give(list);
			list = NULL;
		}
		assert_true(flagstone_machine_shutdown() >= 0);
		/* Nobody has begun to wait again. Those that have ended may be seen for a moment. */
		for (int i = 0; i < 30000 && nr_threads() > before; i++)
			usleep(1000);
		assert_int_equal(nr_threads(), before);
	}
}

#define ON_A_MACHINE(name) cmocka_unit_test_setup_teardown(name, reset, shut_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_MACHINE(an_interrupt_handler_calls),
		ON_A_MACHINE(a_handler_that_interrupts_a_section_waits_for_it),
		ON_A_MACHINE(a_timer_calls),
		ON_A_MACHINE(a_high_resolution_timer_calls),
		ON_A_MACHINE(tasks_call_with_preemption_softirqs_and_interrupts_off),
		ON_A_MACHINE(callbacks_call_again),
		ON_A_MACHINE(callbacks_free_and_defer),
		ON_A_MACHINE(memory_comes_back_after_the_period_that_it_waits_for),
		ON_A_MACHINE(a_cache_ends_after_its_readers),
		ON_A_MACHINE(a_lock_in_an_object_outlives_it),
		cmocka_unit_test_setup(a_machine_ends_with_slabs_that_wait, reset),
		cmocka_unit_test(a_machine_ends_with_slabs_that_would_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
