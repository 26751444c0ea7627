/*
 * leaks.c: one thing a run that is left when the simulated machine ends, or that is ended wrongly. See run_leaks.py, which knows what each
 * must be told as.
 *
 * Usage: leaks CASE; "leaks --list" prints the cases. Exit status: the number of leaks; 100: the machine did not end.
 */
#include <flagstone/disk.h>
#include <flagstone/machine.h>
#include <linux/cpu.h>
#include <linux/genalloc.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/page_frag_cache.h>
#include <linux/percpu.h>
#include <linux/percpu_counter.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/misuse/cases.h"

/* Its name is in reports. */
#define NAMED(function)                                                \
	__attribute__((visibility("default"), __noinline__)) function; \
	function

static const char *machine = "cpus=2,ram=16m";

static void need(bool made)
{
	if (!made)
		_exit(99);
}

static void boot(void)
{
	need(!flagstone_machine_boot_text(machine));
}

static void shut_down(void)
{
	int leaks = flagstone_machine_shutdown();

	fflush(NULL);
	_exit(leaks < 0 ? 100 : leaks);
}

/* ---- memory ---- */

NAMED(void make_percpu(void))
{
	need(alloc_percpu(long));
}

NAMED(void make_percpu_atomic(void))
{
	need(__alloc_percpu_gfp(24, 8, GFP_ATOMIC));
}

/* One by one from one place, and one from another. */
NAMED(void make_many_percpu(void))
{
	for (int i = 0; i < 300; i++)
		need(alloc_percpu(long));
	need(alloc_percpu(long));
}

static struct {
	struct percpu_counter sum;
} device;

NAMED(void make_percpu_counter(void))
{
	need(!percpu_counter_init(&device.sum, 0, GFP_KERNEL));
}

NAMED(void make_cache(void))
{
	need(kmem_cache_create("widget", 40, 0, 0, NULL));
}

NAMED(void make_page_frag(void))
{
	static struct page_frag_cache frags;

	need(page_frag_alloc(&frags, 100, GFP_KERNEL));
}

/* ---- pools ---- */

NAMED(void make_mempool(void))
{
	need(mempool_create_kmalloc_pool(4, 100));
}

NAMED(void make_page_mempool(void))
{
	need(mempool_create_page_pool(2, 1));
}

NAMED(void make_slab_mempool(void))
{
	struct kmem_cache *cache = kmem_cache_create("widget", 40, 0, 0, NULL);

	need(mempool_create_slab_pool(4, cache));
}

NAMED(void make_static_mempool(void))
{
	static mempool_t pool;

	need(!mempool_init_kmalloc_pool(&pool, 4, 100));
}

static void *own_alloc(gfp_t gfp, void *data)
{
	(void)data;
	return kmalloc(100, gfp);
}

static void own_free(void *element, void *data)
{
	(void)data;
	kfree(element);
}

NAMED(void make_own_mempool(void))
{
	need(mempool_create(1, own_alloc, own_free, NULL));
}

/* What the pool was in is gone. */
NAMED(void make_freed_mempool(void))
{
	mempool_t *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	need(pool && !mempool_init_kmalloc_pool(pool, 1, 100));
	kfree(pool);
}

NAMED(void make_gen_pool(void))
{
	struct gen_pool *pool = gen_pool_create(5, -1);

	need(pool && !gen_pool_add(pool, 0x10000, 4096, -1) && !gen_pool_add(pool, 0x20000, 4096, -1));
	need(gen_pool_alloc(pool, 100));
}

/* ---- what calls ---- */

static irqreturn_t handler(int irq, void *dev)
{
	(void)irq;
	(void)dev;
	return IRQ_HANDLED;
}

NAMED(void make_irq(void))
{
	need(!request_irq(5, handler, 0, "left", &device));
}

NAMED(void make_threaded_irq(void))
{
	need(!request_threaded_irq(6, NULL, handler, IRQF_ONESHOT, "left", &device));
}

NAMED(void make_workqueue(void))
{
	need(alloc_workqueue("left/%d", 0, 0, 3));
}

NAMED(void make_rescued_workqueue(void))
{
	need(alloc_workqueue("left", WQ_MEM_RECLAIM | WQ_UNBOUND, 0));
}

static unsigned long count_none(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return 0;
}

NAMED(void make_shrinker(void))
{
	struct shrinker *shrinker = shrinker_alloc(0, "left-%d", 7);

	need(shrinker);
	shrinker->count_objects = count_none;
	shrinker->scan_objects = count_none;
	shrinker_register(shrinker);
}

NAMED(void make_unregistered_shrinker(void))
{
	need(shrinker_alloc(0, "left"));
}

NAMED(void make_old_shrinker(void))
{
	static struct shrinker shrinker = {.count_objects = count_none, .scan_objects = count_none};

	need(!register_shrinker(&shrinker, "left"));
}

static int notified(struct notifier_block *nb, unsigned long action, void *data)
{
	(void)nb;
	(void)action;
	(void)data;
	return NOTIFY_OK;
}

NAMED(void make_oom_notifier(void))
{
	static struct notifier_block block = {.notifier_call = notified};

	need(!register_oom_notifier(&block));
}

static int no_cpu(unsigned int cpu)
{
	(void)cpu;
	return 0;
}

NAMED(void make_cpuhp_state(void))
{
	need(cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "left:online", no_cpu, NULL) > 0);
}

NAMED(void make_disk(void))
{
	need(flagstone_disk_create(NULL));
}

NAMED(void timer_function(struct timer_list *timer))
{
	(void)timer;
}

NAMED(void make_timer(void))
{
	static DEFINE_TIMER(timer, timer_function);

	mod_timer(&timer, jiffies + 3600 * HZ);
}

NAMED(enum hrtimer_restart hrtimer_function(struct hrtimer *timer))
{
	(void)timer;
	return HRTIMER_NORESTART;
}

NAMED(void make_hrtimer(void))
{
	static struct hrtimer timer;

	hrtimer_setup(&timer, hrtimer_function, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	hrtimer_start(&timer, ms_to_ktime(3600000), HRTIMER_MODE_REL);
}

NAMED(void work_function(struct work_struct *work))
{
	(void)work;
}

NAMED(void make_delayed_work(void))
{
	static DECLARE_DELAYED_WORK(work, work_function);

	schedule_delayed_work(&work, 3600 * HZ);
}

/* ---- threads ---- */

static int sleep_until_stopped(void *data)
{
	(void)data;
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static int end(void *data)
{
	(void)data;
	return 0;
}

NAMED(void make_kthread(void))
{
	need(!IS_ERR(kthread_run(sleep_until_stopped, NULL, "left/%d", 1)));
}

NAMED(void make_sleeping_kthread(void))
{
	need(!IS_ERR(kthread_create(end, NULL, "left")));
}

NAMED(void make_kthread_worker(void))
{
	need(!IS_ERR(kthread_create_worker(0, "left")));
}

NAMED(void make_ended_kthread(void))
{
	struct task_struct *task = kthread_create(sleep_until_stopped, NULL, "left");

	need(!IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	kthread_stop(task);
}

/* ---- all of them ---- */

static void make_all(void)
{
	make_percpu();
	make_percpu_counter();
	make_cache();
	make_mempool();
	make_page_mempool();
	make_static_mempool();
	make_gen_pool();
	make_irq();
	make_threaded_irq();
	make_workqueue();
	make_rescued_workqueue();
	make_shrinker();
	make_unregistered_shrinker();
	make_old_shrinker();
	make_oom_notifier();
	make_cpuhp_state();
	make_disk();
	make_ended_kthread();
}

/* And once more on the next machine, which has nothing of it. */
static void all_unrecorded(void)
{
	int leaks;

	machine = "cpus=2,ram=16m,tracking=0,context=0,lockdep=0";
	boot();
	make_all();
	leaks = flagstone_machine_shutdown();
	boot();
	need(!flagstone_machine_shutdown());
	_exit(leaks);
}

/* What belongs to the machine, and what has ended, is none. */
static void nothing(void)
{
	static struct percpu_counter counter;
	struct workqueue_struct *queue;
	struct shrinker *shrinker;
	struct gen_pool *pool;
	struct kthread_worker *worker;
	struct flagstone_disk *disk;
	int state;

	boot();
	free_percpu(alloc_percpu(long));
	need(!percpu_counter_init(&counter, 0, GFP_KERNEL));
	percpu_counter_destroy(&counter);
	kmem_cache_destroy(kmem_cache_create("widget", 40, 0, 0, NULL));
	mempool_destroy(mempool_create_kmalloc_pool(4, 100));
	pool = gen_pool_create(5, -1);
	need(pool && !gen_pool_add(pool, 0x10000, 4096, -1));
	gen_pool_destroy(pool);
	make_irq();
	free_irq(5, &device);
	make_threaded_irq();
	free_irq(6, &device);
	queue = alloc_workqueue("ends", WQ_MEM_RECLAIM, 0);
	destroy_workqueue(queue);
	shrinker = shrinker_alloc(0, "ends");
	shrinker_free(shrinker);
	state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "ends:online", no_cpu, NULL);
	need(state > 0);
	cpuhp_remove_state((enum cpuhp_state)state);
	disk = flagstone_disk_create(NULL);
	flagstone_disk_destroy(disk);
	worker = kthread_create_worker(0, "ends");
	kthread_destroy_worker(worker);
	kthread_stop(kthread_run(sleep_until_stopped, NULL, "ends"));
	shut_down();
}

/* ---- wrong ends ---- */

static void destroy_full_cache(void)
{
	struct kmem_cache *cache;

	boot();
	cache = kmem_cache_create("widget", 40, 0, 0, NULL);
	need(kmem_cache_alloc(cache, GFP_KERNEL));
	kmem_cache_destroy(cache);
	shut_down();
}

static void destroy_queue_with_delayed_work(void)
{
	static DECLARE_DELAYED_WORK(work, work_function);
	struct workqueue_struct *queue;

	boot();
	queue = alloc_workqueue("left", 0, 0);
	queue_delayed_work(queue, &work, 3600 * HZ);
	destroy_workqueue(queue);
}

static int nr_run; /* Synchronization: atomic */

static void count_run(struct work_struct *work)
{
	(void)work;
	__atomic_add_fetch(&nr_run, 1, __ATOMIC_RELEASE);
}

/* That is right: it runs first. */
static void destroy_queue_with_work(void)
{
	static DECLARE_WORK(work, count_run);
	struct workqueue_struct *queue;

	boot();
	queue = alloc_workqueue("left", 0, 0);
	queue_work(queue, &work);
	destroy_workqueue(queue);
	need(__atomic_load_n(&nr_run, __ATOMIC_ACQUIRE) == 1);
	shut_down();
}

static void free_irq_of_another(void)
{
	boot();
	make_irq();
	free_irq(5, &nr_run);
}

static void stop_kthread_twice(void)
{
	struct task_struct *task;

	boot();
	task = kthread_run(sleep_until_stopped, NULL, "once");
	kthread_stop(task);
	kthread_stop(task);
}

/* With a reference it may be. */
static void stop_kept_kthread_twice(void)
{
	struct task_struct *task;

	boot();
	task = kthread_run(sleep_until_stopped, NULL, "twice");
	get_task_struct(task);
	need(kthread_stop(task) == kthread_stop(task));
	put_task_struct(task);
	shut_down();
}

static void free_percpu_twice(void)
{
	long __percpu *counts;

	boot();
	counts = alloc_percpu(long);
	free_percpu(counts);
	free_percpu(counts);
}

static void free_percpu_foreign(void)
{
	boot();
	free_percpu((void __percpu *)&nr_run);
}

static void free_to_destroyed_mempool(void)
{
	mempool_t *pool;
	void *element;

	boot();
	pool = mempool_create_kmalloc_pool(1, 100);
	element = mempool_alloc(pool, GFP_KERNEL);
	mempool_destroy(pool);
	mempool_free(element, pool);
}

static void destroy_used_gen_pool(void)
{
	struct gen_pool *pool;

	boot();
	pool = gen_pool_create(5, -1);
	need(pool && !gen_pool_add(pool, 0x10000, 4096, -1) && gen_pool_alloc(pool, 100));
	gen_pool_destroy(pool);
}

#define LEAK(name)             \
	static void name(void) \
	{                      \
		boot();        \
		make_##name(); \
		shut_down();   \
	}

LEAK(percpu)
LEAK(percpu_atomic)
LEAK(many_percpu)
LEAK(percpu_counter)
LEAK(cache)
LEAK(page_frag)
LEAK(mempool)
LEAK(page_mempool)
LEAK(slab_mempool)
LEAK(static_mempool)
LEAK(own_mempool)
LEAK(freed_mempool)
LEAK(gen_pool)
LEAK(irq)
LEAK(threaded_irq)
LEAK(workqueue)
LEAK(rescued_workqueue)
LEAK(shrinker)
LEAK(unregistered_shrinker)
LEAK(old_shrinker)
LEAK(oom_notifier)
LEAK(cpuhp_state)
LEAK(disk)
LEAK(timer)
LEAK(hrtimer)
LEAK(delayed_work)
LEAK(kthread)
LEAK(sleeping_kthread)
LEAK(kthread_worker)
LEAK(ended_kthread)

static const struct misuse_case cases[] = {ROW(nothing), ROW(percpu), ROW(percpu_atomic), ROW(many_percpu),
	ROW(percpu_counter), ROW(cache), ROW(page_frag), ROW(mempool), ROW(page_mempool), ROW(slab_mempool),
	ROW(static_mempool), ROW(own_mempool), ROW(freed_mempool), ROW(gen_pool), ROW(irq), ROW(threaded_irq),
	ROW(workqueue), ROW(rescued_workqueue), ROW(shrinker), ROW(unregistered_shrinker), ROW(old_shrinker),
	ROW(oom_notifier), ROW(cpuhp_state), ROW(disk), ROW(timer), ROW(hrtimer), ROW(delayed_work), ROW(kthread),
	ROW(sleeping_kthread), ROW(kthread_worker), ROW(ended_kthread), ROW(all_unrecorded), ROW(destroy_full_cache),
	ROW(destroy_queue_with_delayed_work), ROW(destroy_queue_with_work), ROW(free_irq_of_another),
	ROW(stop_kthread_twice), ROW(stop_kept_kthread_twice), ROW(free_percpu_twice), ROW(free_percpu_foreign),
	ROW(free_to_destroyed_mempool), ROW(destroy_used_gen_pool)};

int main(int argc, char **argv)
{
	return cases_run(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
