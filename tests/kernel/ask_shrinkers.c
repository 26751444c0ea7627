// SPDX-License-Identifier: MIT
/*
 * ask_shrinkers.c: when are shrinkers asked, with which batches and flags? By using all memory up.
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>

/* What the shrinker saw since it was last cleared; of the thread that asks only: kswapd calls shrinkers too. */
static DEFINE_SPINLOCK(sight_lock);
static struct sight {
	struct task_struct *asker;
	unsigned long counts, scans, most;
	gfp_t gfp;
	unsigned long objects;
	bool stop;
} sight;

static unsigned long count_objects(struct shrinker *shrinker, struct shrink_control *control)
{
	unsigned long objects;

	spin_lock(&sight_lock);
	if (current == sight.asker) {
		sight.counts++;
		sight.gfp = control->gfp_mask;
	}
	objects = sight.objects;
	spin_unlock(&sight_lock);
	return objects;
}

static unsigned long scan_objects(struct shrinker *shrinker, struct shrink_control *control)
{
	bool stop;

	spin_lock(&sight_lock);
	if (current == sight.asker) {
		sight.scans++;
		sight.most = max(sight.most, control->nr_to_scan);
	}
	stop = sight.stop;
	spin_unlock(&sight_lock);
	return stop ? SHRINK_STOP : control->nr_to_scan;
}

static struct shrinker shrinker = {
	.count_objects = count_objects,
	.scan_objects = scan_objects,
	.seeks = DEFAULT_SEEKS,
};

static void see(unsigned long objects, bool stop)
{
	spin_lock(&sight_lock);
	sight = (struct sight){.asker = current, .objects = objects, .stop = stop};
	spin_unlock(&sight_lock);
}

/* At the start of each block that is taken. */
struct block {
	struct list_head list;
	unsigned int order;
};

/* Takes pages, largest blocks first, until there are none to be had with these flags; then gives them all back. */
static void use_memory_up(gfp_t gfp)
{
	struct block *block, *next;
	LIST_HEAD(blocks);
	int order;

	for (order = 10; order >= 0; order -= 5) {
		while ((block = (void *)__get_free_pages(gfp | __GFP_NORETRY | __GFP_NOWARN, order))) {
			block->order = order;
			list_add(&block->list, &blocks);
		}
	}
	list_for_each_entry_safe(block, next, &blocks, list)
		free_pages((unsigned long)block, block->order);
}

static void ask_when(void)
{
	see(0, false);
	use_memory_up(GFP_NOWAIT);
	pr_info("GFP_NOWAIT: counted %d\n", sight.counts > 0);
	see(0, false);
	use_memory_up(GFP_ATOMIC);
	pr_info("GFP_ATOMIC: counted %d\n", sight.counts > 0);
	see(0, false);
	use_memory_up(GFP_KERNEL);
	pr_info("GFP_KERNEL, no objects: counted %d, scanned %d\n", sight.counts > 0, sight.scans > 0);
	see(1000000, false);
	use_memory_up(GFP_KERNEL);
	pr_info("GFP_KERNEL, a million objects: counted %d, scanned %d, at most %lu at a time\n", sight.counts > 0,
		sight.scans > 0, sight.most);
	see(1000000, true);
	use_memory_up(GFP_KERNEL);
	pr_info("SHRINK_STOP: counted %d, scanned %d, no oftener than counted %d\n", sight.counts > 0, sight.scans > 0,
		sight.scans <= sight.counts);
}

static void ask_flags(void)
{
	unsigned int saved;

	see(1000, false);
	use_memory_up(GFP_KERNEL);
	pr_info("GFP_KERNEL: sc->gfp_mask has FS %d, IO %d\n", !!(sight.gfp & __GFP_FS), !!(sight.gfp & __GFP_IO));
	see(1000, false);
	use_memory_up(GFP_NOFS);
	pr_info("GFP_NOFS: counted %d, has FS %d, IO %d\n", sight.counts > 0, !!(sight.gfp & __GFP_FS),
		!!(sight.gfp & __GFP_IO));
	see(1000, false);
	use_memory_up(GFP_NOIO);
	pr_info("GFP_NOIO: counted %d, has FS %d, IO %d\n", sight.counts > 0, !!(sight.gfp & __GFP_FS),
		!!(sight.gfp & __GFP_IO));
	see(1000, false);
	saved = memalloc_noio_save();
	use_memory_up(GFP_KERNEL);
	memalloc_noio_restore(saved);
	pr_info("GFP_KERNEL in noio: counted %d, has FS %d, IO %d\n", sight.counts > 0, !!(sight.gfp & __GFP_FS),
		!!(sight.gfp & __GFP_IO));
}

static int __init ask_init(void)
{
	pr_info("register_shrinker: %d\n", register_shrinker(&shrinker, "ask"));
	ask_when();
	ask_flags();
	unregister_shrinker(&shrinker);
	see(1000, false);
	use_memory_up(GFP_KERNEL);
	pr_info("after unregister_shrinker: counted %d\n", sight.counts > 0);
	shrinker.batch = 50;
	pr_info("register_shrinker: %d\n", register_shrinker(&shrinker, "ask"));
	see(1000000, false);
	use_memory_up(GFP_KERNEL);
	pr_info("a batch of 50: at most %lu at a time\n", sight.most);
	unregister_shrinker(&shrinker);
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks when shrinkers are called");
