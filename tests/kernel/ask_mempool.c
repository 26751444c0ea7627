// SPDX-License-Identifier: MIT
/*
 * ask_mempool.c: when does a mempool use its reserve, in which order, and what do resizing and exhaustion do?
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mempool.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#if __has_include(<linux/sched/task.h>)
#include <linux/sched/task.h>
#endif

/* Runs fn(data) in a thread of that name; to be ended with finish(), which waits until it has returned. */
static struct task_struct *begin(int (*fn)(void *data), void *data, const char *name)
{
	struct task_struct *thread = kthread_create(fn, data, "%s", name);

	get_task_struct(thread);
	wake_up_process(thread);
	return thread;
}

static void finish(struct task_struct *thread)
{
	kthread_stop(thread);
	put_task_struct(thread);
}

/* An allocator of numbers that can be told to have none. */
static unsigned long next_number = 1;
static unsigned int nr_allocs, nr_frees;
static bool dry;
static gfp_t seen;

static void *number_alloc(gfp_t gfp, void *data)
{
	nr_allocs++;
	seen = gfp;
	return dry ? NULL : (void *)(next_number++ << 4);
}

static void number_free(void *element, void *data)
{
	nr_frees++;
}

static unsigned long number(void *element)
{
	return (unsigned long)element >> 4;
}

static void ask_reserve(void)
{
	mempool_t *pool = mempool_create(3, number_alloc, number_free, NULL);
	void *taken[5];
	int i;

	pr_info("mempool_create(3): %u allocated, min_nr %d, curr_nr %d\n", nr_allocs, pool->min_nr, pool->curr_nr);
	taken[0] = mempool_alloc(pool, GFP_KERNEL);
	pr_info("mempool_alloc: number %lu, curr_nr %d, allocator may sleep %d, wants memory reserves %d, has NOWARN "
		"%d\n",
		number(taken[0]), pool->curr_nr, !!(seen & __GFP_DIRECT_RECLAIM), !(seen & __GFP_NOMEMALLOC),
		!!(seen & __GFP_NOWARN));
	dry = true;
	for (i = 1; i < 5; i++) {
		taken[i] = mempool_alloc(pool, GFP_NOWAIT);
		pr_info("dry, mempool_alloc(GFP_NOWAIT): number %lu, curr_nr %d\n", number(taken[i]), pool->curr_nr);
	}
	nr_frees = 0;
	for (i = 0; i < 4; i++) {
		mempool_free(taken[i], pool);
		pr_info("mempool_free(%lu): curr_nr %d, %u to the allocator\n", number(taken[i]), pool->curr_nr,
			nr_frees);
	}
	mempool_free(NULL, pool);
	pr_info("mempool_free(NULL): curr_nr %d, %u to the allocator\n", pool->curr_nr, nr_frees);
	taken[0] = mempool_alloc(pool, GFP_KERNEL);
	pr_info("dry, after that: number %lu first\n", number(taken[0]));
	mempool_free(taken[0], pool);
	dry = false;
	nr_frees = 0;
	mempool_destroy(pool);
	pr_info("mempool_destroy: %u to the allocator\n", nr_frees);
}

static void ask_resize(void)
{
	mempool_t *pool = mempool_create(4, number_alloc, number_free, NULL);
	int got;

	nr_allocs = nr_frees = 0;
	got = mempool_resize(pool, 2);
	pr_info("mempool_resize(4 to 2): %d, min_nr %d, curr_nr %d, %u freed\n", got, pool->min_nr, pool->curr_nr,
		nr_frees);
	got = mempool_resize(pool, 6);
	pr_info("mempool_resize(2 to 6): %d, min_nr %d, curr_nr %d, %u allocated\n", got, pool->min_nr, pool->curr_nr,
		nr_allocs);
	dry = true;
	got = mempool_resize(pool, 9);
	pr_info("dry, mempool_resize(6 to 9): %d, min_nr %d, curr_nr %d\n", got, pool->min_nr, pool->curr_nr);
	dry = false;
	mempool_destroy(pool);
	dry = true;
	pool = mempool_create(1, number_alloc, number_free, NULL);
	pr_info("dry, mempool_create: a pool %d\n", pool != NULL);
	dry = false;
	mempool_destroy(NULL);
}

static DECLARE_COMPLETION(asleep);

static int sleeper(void *pool)
{
	void *element;

	complete(&asleep);
	element = mempool_alloc(pool, GFP_NOIO);
	pr_info("the sleeper got number %lu\n", number(element));
	mempool_free(element, pool);
	complete(&asleep);
	return 0;
}

/* Who may sleep waits for an element to come back. */
static void ask_sleeping(void)
{
	mempool_t *pool = mempool_create(1, number_alloc, number_free, NULL);
	struct task_struct *thread;
	void *element;

	dry = true;
	element = mempool_alloc(pool, GFP_KERNEL);
	thread = begin(sleeper, pool, "sleeper");
	wait_for_completion(&asleep);
	msleep(100);
	pr_info("gives number %lu back\n", number(element));
	mempool_free(element, pool);
	wait_for_completion(&asleep);
	finish(thread);
	dry = false;
	mempool_destroy(pool);
}

static void ask_kinds(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_mempool", 48, 0, 0, NULL);
	mempool_t *slabs = mempool_create_slab_pool(2, cache), *sizes = mempool_create_kmalloc_pool(2, 300);
	mempool_t *pages = mempool_create_page_pool(2, 1), embedded;
	void *element;
	int got;

	element = mempool_alloc(slabs, GFP_ATOMIC);
	pr_info("slab pool: an element %d\n", element != NULL);
	mempool_free(element, slabs);
	element = mempool_alloc(sizes, GFP_ATOMIC);
	pr_info("kmalloc pool: ksize at least 300 %d\n", ksize(element) >= 300);
	mempool_free(element, sizes);
	element = mempool_alloc(pages, GFP_KERNEL);
	pr_info("page pool: an element %d\n", element != NULL);
	mempool_free(element, pages);
	mempool_destroy(slabs);
	mempool_destroy(sizes);
	mempool_destroy(pages);
	kmem_cache_destroy(cache);
	got = mempool_init_kmalloc_pool(&embedded, 2, 64);
	pr_info("mempool_init_kmalloc_pool: %d, mempool_initialized %d\n", got, mempool_initialized(&embedded));
	mempool_exit(&embedded);
	pr_info("after mempool_exit: mempool_initialized %d\n", mempool_initialized(&embedded));
	mempool_exit(&embedded);
}

static int __init ask_init(void)
{
	ask_reserve();
	ask_resize();
	ask_sleeping();
	ask_kinds();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks how a mempool uses its reserve");
