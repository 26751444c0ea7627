/*
 * machine.c: one wrong use of the simulated machine a run. See run_machine.py, which knows the report that each must give.
 *
 * Usage: machine CASE; "machine --list" prints the cases. Exit status 0: nothing noticed.
 */
#include <flagstone/machine.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/local_lock.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/misuse/cases.h"

static DEFINE_PER_CPU(long, counter);
static DEFINE_SPINLOCK(lock);

static void boot(void)
{
	if (flagstone_machine_boot_text("cpus=2,ram=16m,dma=4m,highmem=12m"))
		_exit(9);
}

static void boot_as(const char *text)
{
	if (flagstone_machine_boot_text(text))
		_exit(9);
}

static void shut_down(void)
{
	exit(flagstone_machine_shutdown() ? 3 : 0);
}

static void correct(void)
{
	boot();
	kfree(kmalloc(100, GFP_KERNEL));
	this_cpu_inc(counter);
	spin_lock(&lock);
	kfree(kmalloc(100, GFP_ATOMIC));
	spin_unlock(&lock);
	shut_down();
}

static void no_machine(void)
{
	kfree(kmalloc(100, GFP_KERNEL));
}

static void no_machine_any_more(void)
{
	boot();
	flagstone_machine_shutdown();
	kfree(kmalloc(100, GFP_KERNEL));
}

static void *allocate(void *unused)
{
	(void)unused;
	kfree(kmalloc(100, GFP_KERNEL));
	return NULL;
}

static void unattached(void)
{
	pthread_t thread;

	boot();
	pthread_create(&thread, NULL, allocate, NULL);
	pthread_join(thread, NULL);
}

static void in_fork_child(void)
{
	int status;

	boot();
	if (!fork()) {
		allocate(NULL);
		_exit(0);
	}
	wait(&status);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
		abort();
}

static void leak_object(void)
{
	void *volatile object;

	boot();
	object = kmalloc(100, GFP_KERNEL);
	memset(object, 0, 100);
	shut_down();
}

static void leak_many(void)
{
	boot();
	for (int i = 0; i < 300; i++)
		if (!kmalloc(97 + i % 16, GFP_KERNEL))
			_exit(9);
	if (!kmalloc(100, GFP_KERNEL))
		_exit(9);
	shut_down();
}

/* Without tracking: by way of magazines and runs, too. */
static void leak_uncounted(void)
{
	struct kmem_cache *cache;

	boot_as("cpus=2,ram=16m,dma=4m,tracking=0,context=0,lockdep=0");
	cache = kmem_cache_create("widget", 40, 0, 0, NULL);
	for (int i = 0; i < 9; i++)
		kfree(kmalloc(100, GFP_KERNEL));
	for (int i = 0; i < 3; i++)
		if (!kmalloc(100, GFP_KERNEL) || !kmem_cache_alloc(cache, GFP_KERNEL))
			_exit(9);
	for (unsigned int order = 0; order < 5; order++)
		__free_pages(alloc_pages(GFP_KERNEL, order), order);
	if (!kmalloc(60, GFP_KERNEL | GFP_DMA) || !kmalloc(40000, GFP_KERNEL) || !alloc_pages(GFP_KERNEL, 2) ||
		!alloc_pages_exact(3 * 4096, GFP_KERNEL))
		_exit(9);
	shut_down();
}

/* As that, but all of it is given back. */
static void leak_nothing_uncounted(void)
{
	struct kmem_cache *cache;
	void *object;

	boot_as("cpus=2,ram=16m,dma=4m,tracking=0,context=0,lockdep=0");
	cache = kmem_cache_create("widget", 40, 0, 0, NULL);
	for (size_t size = 1; size < 3000000; size += 1 + size / 5) {
		object = kmalloc(size, GFP_KERNEL);
		kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
		kfree(kmalloc(size / 64, GFP_KERNEL | GFP_DMA));
		kfree(object);
	}
	kmem_cache_destroy(cache);
	shut_down();
}

static void leak_pages(void)
{
	boot();
	if (!alloc_pages(GFP_KERNEL, 2))
		_exit(9);
	shut_down();
}

static void sleep_without_preemption(void)
{
	boot();
	preempt_disable();
	kfree(kmalloc(100, GFP_KERNEL));
	preempt_enable();
}

static void sleep_under_spinlock(void)
{
	boot();
	spin_lock(&lock);
	__free_pages(alloc_pages(GFP_KERNEL, 0), 0);
	spin_unlock(&lock);
}

/* The kernel's free_pages() looks at its address first, its __free_pages() does not look. */
static void free_no_pages(void)
{
	boot();
	free_pages(0, 2);
	__free_pages(NULL, 2);
	shut_down();
}

static void dma_without_zone(void)
{
	boot_as("cpus=1,ram=16m");
	if (alloc_pages(GFP_KERNEL | GFP_DMA, 0))
		_exit(9);
	shut_down();
}

static void dma32_without_zone(void)
{
	boot_as("cpus=1,ram=16m,highmem=12m");
	if (alloc_pages(GFP_ATOMIC | GFP_DMA32, 0))
		_exit(9);
	shut_down();
}

/* What is below will do. */
static void dma32_from_dma(void)
{
	boot_as("cpus=1,ram=16m,dma=4m");
	__free_pages(alloc_pages(GFP_KERNEL | GFP_DMA32, 0), 0);
	shut_down();
}

static DEFINE_SPINLOCK(other);

/* One order, then the other one. */
static void lock_order(void)
{
	boot();
	spin_lock(&lock);
	spin_lock(&other);
	spin_unlock(&other);
	spin_unlock(&lock);
	spin_lock(&other);
	spin_lock(&lock);
}

static void double_free(void)
{
	void *volatile object;

	boot();
	object = kmalloc(100, GFP_KERNEL);
	kfree(object);
	kfree(object);
	shut_down();
}

/* ---- slub_debug ---- */

/* Frees an object of that size, and goes on using it. */
static void write_freed(size_t size)
{
	char *volatile object = kmalloc(size, GFP_KERNEL);

	kfree(object);
	object[8] = 1;
}

/* What may be done to objects whose caches are checked for everything. */
static void checked_rightly(void)
{
	struct kmem_cache *cache;
	char *object;

	boot_as("ram=16m,dma=4m,tracking=0,slub_debug=FZPU");
	for (size_t size = 1; size < 10000; size += 1 + size / 5) {
		object = kzalloc(size, GFP_KERNEL);
		memset(object, 1, size);
		object = krealloc(object, size / 2 + 1, GFP_KERNEL | __GFP_ZERO);
		object = krealloc(object, size, GFP_KERNEL | __GFP_ZERO);
		if (object[0] != 1 || (size > 3 && object[size - 1]))
			_exit(9);
		memset(object, 1, ksize(object));
		object = krealloc(object, 2 * size, GFP_KERNEL);
		if (object[size - 1] != 1)
			_exit(9);
		kfree_sensitive(object);
		object = kmalloc(size, GFP_KERNEL | GFP_DMA);
		memset(object, 1, size);
		kfree(object);
	}
	cache = kmem_cache_create("widget", 40, 64, 0, NULL);
	object = kmem_cache_zalloc(cache, GFP_KERNEL);
	memset(object, 1, 40);
	kmem_cache_free(cache, object);
	kmem_cache_destroy(cache);
	shut_down();
}

static void red_zone_of_kmalloc(void)
{
	char *volatile object;

	boot_as("ram=16m,slub_debug=Z:kmalloc-112");
	object = kmalloc(100, GFP_KERNEL);
	object[100] = 1;
	kfree(object);
}

static void red_zone_of_krealloc(void)
{
	char *volatile object;

	boot_as("ram=16m,slub_debug=Z");
	object = krealloc(kmalloc(100, GFP_KERNEL), 98, GFP_KERNEL);
	object[99] = 1;
	kfree(object);
}

static void red_zone_of_dma(void)
{
	char *volatile object;

	boot_as("ram=16m,dma=4m,slub_debug=Z:dma-kmalloc-*");
	object = kmalloc(100, GFP_KERNEL | GFP_DMA);
	object[127] = 1;
	kfree(object);
}

static void red_zone_of_cache(void)
{
	struct kmem_cache *cache;
	char *volatile object;

	boot_as("ram=16m,slub_debug=-:kmalloc-*;Z:gadget:widget");
	cache = kmem_cache_create("widget", 40, 0, 0, NULL);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	object[40] = 1;
	kmem_cache_free(cache, object);
}

static void write_freed_before_alloc(void)
{
	boot_as("ram=16m,tracking=0,slub_debug=PU");
	write_freed(64);
	kfree(kmalloc(64, GFP_KERNEL));
}

static void write_freed_tracked(void)
{
	boot_as("ram=16m,slub_debug=P");
	write_freed(64);
	kfree(kmalloc(64, GFP_KERNEL));
}

static void write_freed_before_destroy(void)
{
	struct kmem_cache *cache;
	char *volatile object;

	boot_as("ram=16m,slub_debug=P");
	cache = kmem_cache_create("widget", 40, 0, 0, NULL);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free(cache, object);
	object[39] = 1;
	kmem_cache_destroy(cache);
}

static void write_freed_before_shutdown(void)
{
	boot_as("ram=16m,slub_debug=P");
	write_freed(64);
	shut_down();
}

static void write_freed_unchecked(void)
{
	boot_as("ram=16m,slub_debug=P:kmalloc-48");
	write_freed(64);
	kfree(kmalloc(64, GFP_KERNEL));
	shut_down();
}

static void double_free_checked(void)
{
	void *volatile object;

	boot_as("ram=16m,tracking=0,slub_debug=F");
	object = kmalloc(100, GFP_KERNEL);
	kfree(object);
	kfree(object);
}

/* Without records: the second free finds that the pages are free. */
static void boot_uncounted(void)
{
	boot_as("ram=16m,tracking=0");
}

static void double_free_uncounted(void)
{
	void *volatile object;

	boot_uncounted();
	object = kmalloc(3000, GFP_KERNEL);
	kfree(object);
	kfree(object);
}

static void double_free_large_uncounted(void)
{
	void *volatile object;

	boot_uncounted();
	object = kmalloc(100000, GFP_KERNEL);
	kfree(object);
	kfree(object);
}

static void double_free_of_cache_uncounted(void)
{
	struct kmem_cache *cache;
	void *volatile object;

	boot_uncounted();
	cache = kmem_cache_create("widget", 1000, 0, SLAB_NO_MERGE, NULL);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free(cache, object);
	kmem_cache_free(cache, object);
}

static void double_free_of_pages_uncounted(void)
{
	struct page *volatile page;

	boot_uncounted();
	page = alloc_pages(GFP_KERNEL, 1);
	__free_pages(page, 1);
	__free_pages(page, 1);
}

static void free_of_nothing_uncounted(void)
{
	static struct {
		long at_a_page, within;
	} nothing __attribute__((aligned(16))); /* what begins a page may have been a mapping */

	boot_uncounted();
	kfree(&nothing.within);
}

/* ---- who had it ---- */

struct counted {
	long pad;
	refcount_t count;
	char name[40];
};

static struct counted *counted_create(void)
{
	struct counted *counted = kzalloc(sizeof(*counted), GFP_KERNEL);

	refcount_set(&counted->count, 1);
	return counted;
}

static DECLARE_COMPLETION(freed);

static int free_it(void *object)
{
	kfree(object);
	complete(&freed);
	return 0;
}

/* In a task of another name, on another CPU. */
static void free_elsewhere(void *object)
{
	struct task_struct *task = kthread_create_on_cpu(free_it, object, 1, "freer/%u");

	get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&freed);
	kthread_stop(task);
	put_task_struct(task);
}

static void store_user_elsewhere(void)
{
	char *object;

	boot_as("ram=16m,tracking=0,slub_debug=PU:kmalloc-64");
	object = kmalloc(64, GFP_KERNEL);
	free_elsewhere(object);
	*(volatile char *)(object + 8) = 1;
	shut_down();
}

static void refcount_underflow(void)
{
	struct counted *counted;

	boot();
	counted = counted_create();
	if (!refcount_dec_and_test(&counted->count))
		_exit(9);
	refcount_dec_and_test(&counted->count);
}

static void refcount_of_freed(void)
{
	struct counted *counted;

	boot();
	counted = counted_create();
	if (!refcount_dec_and_test(&counted->count))
		_exit(9);
	free_elsewhere(counted);
	refcount_inc(&counted->count);
}

static void refcount_of_freed_user(void)
{
	struct counted *counted;

	boot_as("ram=16m,tracking=0,slub_debug=U");
	counted = counted_create();
	if (!refcount_dec_and_test(&counted->count))
		_exit(9);
	free_elsewhere(counted);
	refcount_inc(&counted->count);
}

static void refcount_of_nobody(void)
{
	static refcount_t count = REFCOUNT_INIT(0);

	boot();
	refcount_inc(&count);
}

/* ---- what tasks and memory leave behind ---- */

struct device {
	char name[20];
	struct mutex mutex;
	struct timer_list timer;
	struct hrtimer hrtimer;
	struct work_struct work;
	struct delayed_work later;
};

static void on_timer(struct timer_list *timer)
{
	(void)timer;
}

static enum hrtimer_restart on_hrtimer(struct hrtimer *timer)
{
	(void)timer;
	return HRTIMER_NORESTART;
}

static void do_work(struct work_struct *work)
{
	(void)work;
}

static struct device *probe(void)
{
	struct device *device;

	boot();
	device = kmalloc(sizeof(*device), GFP_KERNEL);
	mutex_init(&device->mutex);
	timer_setup(&device->timer, on_timer, 0);
	hrtimer_setup(&device->hrtimer, on_hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	INIT_WORK(&device->work, do_work);
	INIT_DELAYED_WORK(&device->later, do_work);
	return device;
}

static void free_used_rightly(void)
{
	struct device *device = probe();

	mutex_lock(&device->mutex);
	kfree(kmalloc(100, GFP_KERNEL));
	mutex_unlock(&device->mutex);
	mod_timer(&device->timer, jiffies + 1000000);
	hrtimer_start(&device->hrtimer, ktime_set(1000, 0), HRTIMER_MODE_REL);
	schedule_work(&device->work);
	schedule_delayed_work(&device->later, 1000000);
	kfree(kmalloc(sizeof(*device), GFP_KERNEL));
	timer_delete_sync(&device->timer);
	hrtimer_cancel(&device->hrtimer);
	flush_work(&device->work);
	cancel_delayed_work_sync(&device->later);
	kfree(device);
	shut_down();
}

static DECLARE_COMPLETION(locked);

static int end_with_mutex(void *arg)
{
	mutex_lock(&((struct device *)arg)->mutex);
	complete(&locked);
	return 0;
}

static void task_ends_with_mutex(void)
{
	struct task_struct *task = kthread_run(end_with_mutex, probe(), "forgetful");

	get_task_struct(task);
	wait_for_completion(&locked);
	kthread_stop(task);
}

static void free_locked_mutex(void)
{
	struct device *device = probe();

	mutex_lock(&device->mutex);
	kfree(device);
}

static void free_armed_timer(void)
{
	struct device *device = probe();

	mod_timer(&device->timer, jiffies + 1000000);
	kfree(device);
}

static void free_armed_hrtimer(void)
{
	struct device *device = probe();

	hrtimer_start(&device->hrtimer, ktime_set(1000, 0), HRTIMER_MODE_REL);
	kfree(device);
}

static void free_queued_work(void)
{
	struct device *device = probe();

	/* Its worker waits for this CPU. */
	preempt_disable();
	schedule_work(&device->work);
	kfree(device);
	preempt_enable();
}

static void free_delayed_work(void)
{
	struct device *device = probe();

	schedule_delayed_work(&device->later, 1000000);
	kfree(device);
}

static DECLARE_WORK(work, do_work);

static struct workqueue_struct *destroyed_workqueue(void)
{
	struct workqueue_struct *wq;

	boot();
	wq = alloc_workqueue("mine", WQ_UNBOUND, 0);
	queue_work(wq, &work);
	destroy_workqueue(wq);
	return wq;
}

static void queue_on_destroyed(void)
{
	queue_work(destroyed_workqueue(), &work);
}

static void destroy_destroyed(void)
{
	destroy_workqueue(destroyed_workqueue());
}

static void flush_destroyed(void)
{
	flush_workqueue(destroyed_workqueue());
}

/* Many that are destroyed one after the other, rightly. */
static void workqueues_in_turn(void)
{
	boot();
	for (int i = 0; i < 100; i++) {
		struct workqueue_struct *wq = alloc_workqueue("turn%d", i & 1 ? WQ_UNBOUND : 0, 0, i);

		queue_work(wq, &work);
		flush_workqueue(wq);
		destroy_workqueue(wq);
	}
	shut_down();
}

/* ---- waiting for functions with locks held that they take ---- */

static DEFINE_MUTEX(taken);

static void take_mutex(struct work_struct *unused)
{
	(void)unused;
	mutex_lock(&taken);
	mutex_unlock(&taken);
}

static void take_spinlock(struct timer_list *unused)
{
	(void)unused;
	spin_lock(&lock);
	spin_unlock(&lock);
}

static DECLARE_WORK(taker, take_mutex);

/* It has not run before: its worker finds the circle. */
static void flush_work_under_mutex(void)
{
	boot();
	mutex_lock(&taken);
	schedule_work(&taker);
	flush_work(&taker);
}

/* It has, and this task does. */
static void cancel_work_under_mutex(void)
{
	struct device *device = probe();

	INIT_WORK(&device->work, take_mutex);
	schedule_work(&device->work);
	flush_work(&device->work);
	mutex_lock(&taken);
	cancel_work_sync(&device->work);
}

static void flush_workqueue_under_mutex(void)
{
	struct workqueue_struct *wq;

	boot();
	wq = alloc_workqueue("mine", 0, 0);
	queue_work(wq, &taker);
	flush_workqueue(wq);
	mutex_lock(&taken);
	flush_workqueue(wq);
}

static void run_timer(struct device *device)
{
	timer_setup(&device->timer, take_spinlock, 0);
	mod_timer(&device->timer, jiffies + 1);
	while (timer_pending(&device->timer))
		schedule_timeout_uninterruptible(1);
	timer_delete_sync(&device->timer);
}

static void delete_timer_under_spinlock(void)
{
	struct device *device = probe();

	run_timer(device);
	spin_lock_bh(&lock);
	timer_delete_sync(&device->timer);
}

static void flush_own_kind(struct work_struct *own)
{
	struct device *device = container_of(own, struct device, work);

	/* Of another class, and another lock than what the flush below is under. */
	flush_work(&device->later.work);
	cancel_delayed_work_sync(&device->later);
}

/* What looks like it, and is right. */
static void waited_rightly(void)
{
	struct device *device = probe();
	struct workqueue_struct *wq = alloc_ordered_workqueue("mine", WQ_MEM_RECLAIM), *namesake;

	run_timer(device);
	/* Locks that they do not take, and those that they do let go before. */
	mutex_lock(&device->mutex);
	timer_delete_sync(&device->timer);
	queue_work(wq, &taker);
	flush_work(&taker);
	queue_work(wq, &taker);
	flush_workqueue(wq);
	INIT_WORK(&device->work, flush_own_kind);
	schedule_delayed_work(&device->later, 1);
	queue_work(wq, &device->work);
	cancel_work_sync(&device->work);
	cancel_delayed_work_sync(&device->later);
	mutex_unlock(&device->mutex);
	mutex_lock(&taken);
	spin_lock_bh(&lock);
	timer_delete(&device->timer);
	spin_unlock_bh(&lock);
	cancel_work(&taker);
	/* Another queue of that name. */
	namesake = alloc_ordered_workqueue("mine", 0);
	flush_workqueue(namesake);
	mutex_unlock(&taken);
	destroy_workqueue(namesake);
	destroy_workqueue(wq);
	kfree(device);
	shut_down();
}

/* ---- tasks that sleep for too long ---- */

static DECLARE_COMPLETION(never);
static struct work_struct endless;

static void boot_hung(void)
{
	boot_as("cpus=3,ram=16m,hung_task_timeout_secs=1,hung_task_panic=1");
}

/* This task keeps its CPU: it could wake any. */
static void wait_for_the_end(void)
{
	for (;;)
		pause();
}

static int lock_taken(void *unused)
{
	(void)unused;
	mutex_lock(&taken);
	return 0;
}

static void hung_on_mutex(void)
{
	boot_hung();
	mutex_lock(&taken);
	wake_up_process(kthread_create_on_cpu(lock_taken, NULL, 1, "waiter/%u"));
	wait_for_the_end();
}

static void *wait_attached(void *unused)
{
	flagstone_machine_attach(2);
	mutex_lock(&taken);
	wait_for_completion(&never);
	return unused;
}

static void hung_attached_thread(void)
{
	pthread_t thread;

	boot_hung();
	pthread_create(&thread, NULL, wait_attached, NULL);
	wait_for_the_end();
}

static void work_endlessly(struct work_struct *unused)
{
	(void)unused;
	wait_for_completion_interruptible(&never);
}

static int flush_endless(void *unused)
{
	(void)unused;
	schedule_work(&endless);
	flush_work(&endless);
	return 0;
}

static void hung_on_work(void)
{
	boot_hung();
	INIT_WORK(&endless, work_endlessly);
	wake_up_process(kthread_create_on_cpu(flush_endless, NULL, 1, "flusher/%u"));
	wait_for_the_end();
}

static int sleep_often(void *ms)
{
	while (!kthread_should_stop())
		msleep((unsigned int)(uintptr_t)ms);
	return 0;
}

static int sleep_otherwise(void *state)
{
	while (!kthread_should_stop()) {
		set_current_state((unsigned int)(uintptr_t)state);
		schedule();
	}
	return 0;
}

/* None is hung: the kernel looks at what sleeps uninterruptibly, at one piece, and was ever run. Nor what has set its end. */
static void slept_rightly(void)
{
	boot_hung();
	kthread_run(sleep_often, (void *)250, "often");
	kthread_run(sleep_often, (void *)10000, "once");
	kthread_run(sleep_otherwise, (void *)(uintptr_t)TASK_INTERRUPTIBLE, "interruptible");
	kthread_run(sleep_otherwise, (void *)(uintptr_t)TASK_KILLABLE, "killable");
	kthread_run(sleep_otherwise, (void *)(uintptr_t)TASK_IDLE, "idle");
	kthread_create(sleep_otherwise, NULL, "never run");
	for (unsigned long end = jiffies + 2 * HZ; time_before(jiffies, end);)
		schedule_timeout_uninterruptible(HZ / 10);
	_exit(0);
}

static int hold_and_wait(void *unused)
{
	(void)unused;
	mutex_lock(&taken);
	complete(&locked);
	wait_for_completion(&never);
	return 0;
}

static void nothing_can_wake(void)
{
	boot_as("cpus=2,ram=16m,hung_task_timeout_secs=1");
	kthread_run(hold_and_wait, NULL, "holder");
	wait_for_completion(&locked);
	mutex_lock(&taken);
}

static void *complete_later(void *unused)
{
	sleep(1);
	complete(&never);
	return unused;
}

static void complete_never(struct timer_list *unused)
{
	(void)unused;
	complete(&never);
}

/* A thread that is no task can wake one; a timer can; and a handler of a signal. */
static void can_be_woken(void)
{
	struct device *device;
	pthread_t thread;

	boot_as("cpus=2,ram=16m,hung_task_timeout_secs=1");
	pthread_create(&thread, NULL, complete_later, NULL);
	wait_for_completion_interruptible(&never);
	pthread_join(thread, NULL);
	device = kmalloc(sizeof(*device), GFP_KERNEL);
	timer_setup(&device->timer, complete_never, 0);
	mod_timer(&device->timer, jiffies + HZ);
	wait_for_completion_interruptible(&never);
	timer_delete_sync(&device->timer);
	kfree(device);
	shut_down();
}

static void on_alarm(int number)
{
	(void)number;
	complete(&never);
}

static void signal_can_wake(void)
{
	boot_as("cpus=2,ram=16m,hung_task_timeout_secs=1");
	signal(SIGALRM, on_alarm);
	alarm(1);
	wait_for_completion_interruptible(&never);
	shut_down();
}

/* ---- page_poison ---- */

static char *volatile memory;

/* What may be done to pages that are poisoned while they are free. */
static void poisoned_rightly(void)
{
	boot_as("ram=16m,dma=4m,highmem=12m,page_poison=1");
	for (unsigned int order = 0; order < 8; order++) {
		memory = page_address(alloc_pages(GFP_KERNEL | __GFP_ZERO, order));
		for (size_t i = 0; i < 4096ul << order; i++)
			if (memory[i])
				_exit(9);
		memset(memory, 1, 4096ul << order);
		__free_pages(virt_to_page(memory), order);
		__free_pages(alloc_pages(GFP_HIGHUSER, order), order);
		memory = alloc_pages_exact((3ul << order) * 1024, GFP_KERNEL);
		memset(memory, 1, (3ul << order) * 1024);
		free_pages_exact(memory, (3ul << order) * 1024);
		kfree(krealloc(kmalloc(1000ul << order, GFP_KERNEL), 3000ul << order, GFP_KERNEL));
	}
	shut_down();
}

static void write_freed_page(void)
{
	boot_as("ram=16m,page_poison=1");
	memory = page_address(alloc_pages(GFP_KERNEL, 2));
	__free_pages(virt_to_page(memory), 2);
	memory[8195] = 1;
	alloc_pages(GFP_KERNEL, 2);
}

static void write_freed_page_before_shutdown(void)
{
	boot_as("ram=16m,tracking=0,page_poison=1");
	memory = page_address(alloc_pages(GFP_KERNEL, 0));
	__free_pages(virt_to_page(memory), 0);
	memory[4095] = 1;
	shut_down();
}

static void slub_debug_nonsense(void)
{
	exit(flagstone_machine_boot_text("slub_debug=FX:kmalloc-64") ? 3 : 0);
}

static void raw_percpu(void)
{
	boot();
	*(volatile long *)(uintptr_t)&counter = 1;
}

static void null_pointer(void)
{
	char *volatile nothing = NULL;

	boot();
	*(volatile char *)(nothing + 8) = 1;
}

/* Exported: reports know its name. */
__attribute__((visibility("default"))) int use_nothing(void *nothing);
int use_nothing(void *nothing)
{
	*((volatile char *)nothing + 8) = 1;
	return 0;
}

/* Its mistake ends the program. */
static void run_in_kthread(int (*function)(void *data), const char *name)
{
	boot();
	wake_up_process(kthread_create_on_cpu(function, NULL, 1, name));
	for (;;)
		schedule_timeout_uninterruptible(1);
}

static void null_pointer_in_kthread(void)
{
	run_in_kthread(use_nothing, "reader/%u");
}

static void wild_pointer(void)
{
	char *volatile wild = (char *)0x123456789000;

	boot();
	*(volatile char *)wild = 1;
}

static volatile bool deeper = true;

static int descend(void *arg)
{
	volatile char room[4096];

	room[0] = arg ? 1 : 2;
	return deeper ? descend((void *)(uintptr_t)room) + room[0] : 0;
}

static void stack_overflow(void)
{
	run_in_kthread(descend, "deep/%u");
}

static void stack_overflow_of_boot(void)
{
	boot();
	descend(NULL);
}

static void sent_signal(void)
{
	boot();
	raise(SIGSEGV);
	shut_down();
}

static void zero_size(void)
{
	char *volatile object;

	boot();
	object = kmalloc(0, GFP_KERNEL);
	*(volatile char *)object = 1;
}

static void highmem_without_kmap(void)
{
	struct page *page;

	boot();
	page = alloc_pages(GFP_HIGHUSER, 0);
	/* Where it would lie: as far behind a low page as its number is. */
	*((volatile char *)phys_to_virt(0) + (page_to_pfn(page) << 12)) = 1;
}

static seqcount_t count = SEQCNT_ZERO(count);
static DEFINE_PER_CPU(local_lock_t, local) = INIT_LOCAL_LOCK(local);

static void seqcount_preemptible(void)
{
	boot();
	write_seqcount_begin(&count);
	write_seqcount_end(&count);
	shut_down();
}

static DEFINE_SEQLOCK(seqlock);

static void read_own_seqlock(void)
{
	write_seqlock(&seqlock);
	read_seqbegin(&seqlock);
	write_sequnlock(&seqlock);
}

static void seqlock_recursion(void)
{
	boot();
	read_own_seqlock();
}

static void seqlock_recursion_without_lockdep(void)
{
	boot_as("ram=16m,lockdep=0");
	read_own_seqlock();
}

/* A writer with interrupts on, and a reader in one. */
static void read_seqlock_in_irq(void *unused)
{
	(void)unused;
	(void)read_seqretry(&seqlock, read_seqbegin(&seqlock));
}

static void seqlock_in_interrupt(void)
{
	boot();
	write_seqlock(&seqlock);
	write_sequnlock(&seqlock);
	smp_call_function_single(1, read_seqlock_in_irq, NULL, 1);
}

static void local_lock_twice(void)
{
	boot();
	local_lock(&local);
	local_lock(&local);
	local_unlock(&local);
	local_unlock(&local); /* it is not held any more */
	shut_down();
}

static void locked_rightly(void)
{
	boot();
	local_lock(&local);
	write_seqcount_begin(&count);
	write_seqcount_end(&count);
	local_unlock(&local);
	write_seqlock_irq(&seqlock);
	(void)raw_seqcount_begin(&seqlock.seqcount);
	(void)read_seqcount_retry(&seqlock.seqcount, 0);
	write_sequnlock_irq(&seqlock);
	read_seqlock_in_irq(NULL);
	smp_call_function_single(1, read_seqlock_in_irq, NULL, 1);
	shut_down();
}

/* A reader that stays until that is reported: it looks at what comes out of stderr, and passes it on. */
static int report_out[2], report_to;

static noinline void pass_reports_on(const char *last)
{
	char text[4000];
	ssize_t length;

	do {
		length = read(report_out[0], text, sizeof(text) - 1);
		text[length > 0 ? length : 0] = '\0';
		if (write(report_to, text, strlen(text)) < 0)
			_exit(9);
	} while (!strstr(text, last));
}

static int stay_in_section(void *arg)
{
	rcu_read_lock();
	complete(arg);
	pass_reports_on("KiB waiting");
	rcu_read_unlock();
	return 0;
}

static void rcu_stall(void)
{
	DECLARE_COMPLETION_ONSTACK(entered);
	struct task_struct *reader;

	setenv("FLAGSTONE_CONF", "rcu_stall_timeout=1", 1);
	boot();
	report_to = dup(2);
	if (pipe2(report_out, O_NONBLOCK) || dup2(report_out[1], 2) < 0)
		_exit(9);
	reader = kthread_create(stay_in_section, &entered, "stays");
	get_task_struct(reader);
	wake_up_process(reader);
	wait_for_completion(&entered);
	synchronize_rcu();
	kthread_stop(reader);
	put_task_struct(reader);
	dup2(report_to, 2);
	shut_down();
}

static void nonsense(void)
{
	exit(flagstone_machine_boot_text("cpus=0") ? 3 : 0);
}

static const struct misuse_case cases[] = {ROW(correct), ROW(no_machine), ROW(no_machine_any_more), ROW(unattached),
	ROW(in_fork_child), ROW(leak_object), ROW(leak_many), ROW(leak_uncounted), ROW(leak_nothing_uncounted),
	ROW(leak_pages), ROW(sleep_without_preemption), ROW(sleep_under_spinlock), ROW(double_free), ROW(raw_percpu),
	ROW(null_pointer), ROW(zero_size), ROW(highmem_without_kmap), ROW(nonsense), ROW(rcu_stall),
	ROW(checked_rightly), ROW(red_zone_of_kmalloc), ROW(red_zone_of_krealloc), ROW(red_zone_of_dma),
	ROW(red_zone_of_cache), ROW(write_freed_before_alloc), ROW(write_freed_tracked),
	ROW(write_freed_before_destroy), ROW(write_freed_before_shutdown), ROW(write_freed_unchecked),
	ROW(double_free_checked), ROW(store_user_elsewhere), ROW(refcount_underflow), ROW(refcount_of_freed),
	ROW(refcount_of_freed_user), ROW(refcount_of_nobody), ROW(double_free_uncounted),
	ROW(double_free_large_uncounted), ROW(double_free_of_cache_uncounted), ROW(double_free_of_pages_uncounted),
	ROW(free_of_nothing_uncounted), ROW(slub_debug_nonsense), ROW(null_pointer_in_kthread), ROW(wild_pointer),
	ROW(stack_overflow), ROW(sent_signal), ROW(free_used_rightly), ROW(task_ends_with_mutex),
	ROW(free_locked_mutex), ROW(free_armed_timer), ROW(free_armed_hrtimer), ROW(free_queued_work),
	ROW(free_delayed_work), ROW(poisoned_rightly), ROW(seqcount_preemptible), ROW(local_lock_twice),
	ROW(locked_rightly), ROW(write_freed_page), ROW(write_freed_page_before_shutdown), ROW(free_no_pages),
	ROW(dma_without_zone), ROW(dma32_without_zone), ROW(dma32_from_dma), ROW(lock_order),
	ROW(stack_overflow_of_boot), ROW(queue_on_destroyed), ROW(destroy_destroyed), ROW(flush_destroyed),
	ROW(workqueues_in_turn), ROW(flush_work_under_mutex), ROW(cancel_work_under_mutex),
	ROW(flush_workqueue_under_mutex), ROW(delete_timer_under_spinlock), ROW(waited_rightly), ROW(hung_on_mutex),
	ROW(hung_attached_thread), ROW(hung_on_work), ROW(slept_rightly), ROW(nothing_can_wake), ROW(can_be_woken),
	ROW(signal_can_wake), ROW(seqlock_recursion), ROW(seqlock_recursion_without_lockdep),
	ROW(seqlock_in_interrupt)};

int main(int argc, char **argv)
{
	return cases_run(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
