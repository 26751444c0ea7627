// SPDX-License-Identifier: MIT
/*
 * sampler.c: a driver of a device that interrupts when it has a sample. Keeps all samples, as long as there is memory for them.
 *
 * The interrupt handler takes a sample from a cache of its own with GFP_ATOMIC, and drops it when there is no memory. A work item
 * makes records of samples, which it allocates with GFP_KERNEL. A shrinker gives the oldest records back. Counters are per CPU.
 */
#define pr_fmt(fmt) "sampler: " fmt
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#define SAMPLER_IRQ 3

struct sample {
	struct list_head list;
	unsigned long when;
};

struct record {
	struct list_head list;
	unsigned long when;
	u8 data[1000];
};

struct counters {
	u64 interrupts;
	u64 dropped; /* no memory */
	u64 stored;
	u64 shrunk; /* stored, and given back by the shrinker */
};

static DEFINE_PER_CPU(struct counters, counters);
static struct kmem_cache *sample_cache;
static struct workqueue_struct *sampler_wq;

static DEFINE_SPINLOCK(fresh_lock); /* taken in interrupts */
static LIST_HEAD(fresh);

static DEFINE_SPINLOCK(history_lock);
static LIST_HEAD(history); /* the oldest record first */
static unsigned long nr_records; /* written under history_lock, read without */

/* No lock is held while memory is allocated: the shrinker may be called for it, and takes them. */
static bool store(const struct sample *sample)
{
	struct record *record = kzalloc(sizeof(*record), GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

	if (!record)
		return false;
	record->when = sample->when;
	spin_lock(&history_lock);
	list_add_tail(&record->list, &history);
	WRITE_ONCE(nr_records, nr_records + 1);
	spin_unlock(&history_lock);
	return true;
}

static void sampler_work_fn(struct work_struct *work)
{
	struct sample *sample, *next;
	LIST_HEAD(taken);

	spin_lock_irq(&fresh_lock);
	list_splice_init(&fresh, &taken);
	spin_unlock_irq(&fresh_lock);

	list_for_each_entry_safe(sample, next, &taken, list) {
		if (store(sample))
			this_cpu_inc(counters.stored);
		else
			this_cpu_inc(counters.dropped);
		kmem_cache_free(sample_cache, sample);
	}
}

static DECLARE_WORK(sampler_work, sampler_work_fn);

static irqreturn_t sampler_interrupt(int irq, void *dev_id)
{
	struct sample *sample = kmem_cache_alloc(sample_cache, GFP_ATOMIC | __GFP_NOWARN);

	this_cpu_inc(counters.interrupts);
	if (sample) {
		sample->when = jiffies;
		spin_lock(&fresh_lock);
		list_add_tail(&sample->list, &fresh);
		spin_unlock(&fresh_lock);
		queue_work(sampler_wq, &sampler_work);
	} else {
		this_cpu_inc(counters.dropped);
	}
	return IRQ_HANDLED;
}

static unsigned long sampler_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	return READ_ONCE(nr_records) ?: SHRINK_EMPTY;
}

static struct record *take_oldest(void)
{
	struct record *record;

	spin_lock(&history_lock);
	record = list_first_entry_or_null(&history, struct record, list);
	if (record) {
		list_del(&record->list);
		WRITE_ONCE(nr_records, nr_records - 1);
	}
	spin_unlock(&history_lock);
	return record;
}

static unsigned long sampler_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed;
	struct record *record;

	for (freed = 0; freed < sc->nr_to_scan && (record = take_oldest()); freed++) {
		this_cpu_inc(counters.shrunk);
		kfree(record);
	}
	return freed ?: SHRINK_STOP;
}

static struct shrinker sampler_shrinker = {
	.count_objects = sampler_count,
	.scan_objects = sampler_scan,
	.seeks = DEFAULT_SEEKS,
};

static int __init sampler_init(void)
{
	int error = -ENOMEM;

	sample_cache = KMEM_CACHE(sample, SLAB_HWCACHE_ALIGN);
	if (!sample_cache)
		return error;
	sampler_wq = alloc_workqueue("sampler", 0, 0);
	if (!sampler_wq)
		goto destroy_cache;
	error = register_shrinker(&sampler_shrinker, "sampler");
	if (error)
		goto destroy_wq;
	error = request_irq(SAMPLER_IRQ, sampler_interrupt, 0, "sampler", &counters);
	if (!error)
		return 0;
	unregister_shrinker(&sampler_shrinker);
destroy_wq:
	destroy_workqueue(sampler_wq);
destroy_cache:
	kmem_cache_destroy(sample_cache);
	return error;
}

static void __exit sampler_exit(void)
{
	struct counters sum = {0};
	unsigned long kept = 0;
	struct record *record;
	int cpu;

	free_irq(SAMPLER_IRQ, &counters);
	destroy_workqueue(sampler_wq);
	unregister_shrinker(&sampler_shrinker);
	for (; (record = take_oldest()); kept++)
		kfree(record);
	kmem_cache_destroy(sample_cache);
	for_each_possible_cpu(cpu)
	{
		struct counters *one = per_cpu_ptr(&counters, cpu);

		sum.interrupts += one->interrupts;
		sum.dropped += one->dropped;
		sum.stored += one->stored;
		sum.shrunk += one->shrunk;
	}
	pr_info("%llu interrupts, %llu dropped, %llu stored, %llu shrunk, %lu records left\n", sum.interrupts,
		sum.dropped, sum.stored, sum.shrunk, kept);
}

module_init(sampler_init);
module_exit(sampler_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Example: a driver that allocates in every context");
