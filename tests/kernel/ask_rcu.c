// SPDX-License-Identifier: MIT
/*
 * ask_rcu.c: grace periods, callbacks, deferred frees, and caches with SLAB_TYPESAFE_BY_RCU.
 *
 * Callbacks in tasks, as flagstone has them; objects cleared when they are freed or allocated, where that may be.
 * Boot: rcu_nocbs=0-3 init_on_free=1 init_on_alloc=1
 * Keep: BUG ask_inflight .*: (Objects remaining)
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/timer.h>

#define NR_CHAIN 5
#define NR_OBJECTS 400
#define NR_AGAIN 100
#define MOST_MS 20000

struct call {
	struct rcu_head rcu;
	int number;
};

/* ---- sections and grace periods ---- */

static DECLARE_COMPLETION(period_over);

static int wait_for_period(void *unused)
{
	synchronize_rcu();
	complete(&period_over);
	return 0;
}

static void ask_sections(void)
{
	int inside, after_inner;

	rcu_read_lock();
	rcu_read_lock();
	rcu_read_lock();
	kthread_run(wait_for_period, NULL, "period");
	mdelay(50);
	inside = completion_done(&period_over);
	rcu_read_unlock();
	rcu_read_unlock();
	mdelay(50);
	after_inner = completion_done(&period_over);
	rcu_read_unlock();
	wait_for_completion(&period_over);
	pr_info("synchronize_rcu() beside three nested sections: returned inside %d, inside the outermost %d, after it "
		"1\n",
		inside, after_inner);
	pr_info("rcu_read_lock_held(): outside %d\n", !!rcu_read_lock_held());
	rcu_read_lock();
	pr_info("rcu_read_lock_held(): inside %d\n", !!rcu_read_lock_held());
	rcu_read_unlock();
	synchronize_rcu_expedited();
	rcu_barrier();
	pr_info("without anybody: synchronize_rcu_expedited(), rcu_barrier() return\n");
}

static void ask_polling(void)
{
	unsigned long state, again, started;
	int i, inside;

	rcu_read_lock();
	state = get_state_synchronize_rcu();
	again = get_state_synchronize_rcu();
	mdelay(30);
	inside = poll_state_synchronize_rcu(state);
	rcu_read_unlock();
	pr_info("a state got inside a section: over inside %d; the same twice %d\n", inside, state == again);
	synchronize_rcu();
	pr_info("after synchronize_rcu(): over %d\n", poll_state_synchronize_rcu(state));
	cond_synchronize_rcu(state);
	rcu_read_lock();
	started = start_poll_synchronize_rcu();
	mdelay(30);
	inside = poll_state_synchronize_rcu(started);
	rcu_read_unlock();
	for (i = 0; i < MOST_MS && !poll_state_synchronize_rcu(started); i++)
		msleep(1);
	pr_info("start_poll_synchronize_rcu(): over inside %d, later by itself %d\n", inside,
		poll_state_synchronize_rcu(started));
	state = get_state_synchronize_rcu();
	cond_synchronize_rcu(state);
	pr_info("after cond_synchronize_rcu(): over %d\n", poll_state_synchronize_rcu(state));
}

static int __rcu *published;

static void ask_pointers(void)
{
	static int first = 1, second = 2;
	int *old;

	RCU_INIT_POINTER(published, &first);
	pr_info("rcu_access_pointer(): %d\n", rcu_access_pointer(published) == &first);
	old = rcu_replace_pointer(published, &second, true);
	rcu_read_lock();
	pr_info("rcu_replace_pointer(): returned the old one %d, rcu_dereference() is the new one %d\n", old == &first,
		rcu_dereference(published) == &second);
	rcu_read_unlock();
	rcu_assign_pointer(published, NULL);
	pr_info("rcu_dereference_protected(): NULL %d\n", !rcu_dereference_protected(published, 1));
}

/* ---- callbacks ---- */

static struct call calls[NR_CHAIN];
static int order[NR_CHAIN];
static atomic_t nr_called;
static int soft, hard_off;

static void called(struct rcu_head *head)
{
	struct call *call = container_of(head, struct call, rcu);
	int n = atomic_inc_return(&nr_called) - 1;

	if (n < NR_CHAIN)
		order[n] = call->number;
	soft = !!in_softirq();
	hard_off = irqs_disabled();
}

static void called_again(struct rcu_head *head)
{
	if (atomic_inc_return(&nr_called) < NR_CHAIN)
		call_rcu(head, called_again);
}

static void ask_callbacks(void)
{
	int i, inside, first;

	for (i = 0; i < NR_CHAIN; i++)
		calls[i].number = i + 1;
	atomic_set(&nr_called, 0);
	rcu_read_lock();
	preempt_disable(); /* one CPU */
	for (i = 0; i < NR_CHAIN; i++)
		call_rcu(&calls[i].rcu, called);
	preempt_enable();
	mdelay(50);
	inside = atomic_read(&nr_called);
	rcu_read_unlock();
	rcu_barrier();
	pr_info("call_rcu() five times: %d called inside the section, %d after rcu_barrier(), in the order "
		"%d%d%d%d%d\n",
		inside, atomic_read(&nr_called), order[0], order[1], order[2], order[3], order[4]);
	pr_info("in a callback: in_softirq() %d, irqs_disabled() %d\n", soft, hard_off);
	atomic_set(&nr_called, 0);
	call_rcu(&calls[0].rcu, called_again);
	rcu_barrier();
	first = atomic_read(&nr_called);
	for (i = 0; i < NR_CHAIN; i++)
		rcu_barrier();
	pr_info("a callback that calls itself again four times: called after one rcu_barrier() %d, after six %d\n",
		first >= 1, atomic_read(&nr_called));
}

/* ---- call_rcu() in contexts ---- */

static DEFINE_PER_CPU(struct call, cpu_call);
static struct call contexts[4];
static struct timer_list timer;

static void call_here(void *unused)
{
	call_rcu(&this_cpu_ptr(&cpu_call)->rcu, called);
}

static void call_in_timer(struct timer_list *unused)
{
	call_rcu(&contexts[0].rcu, called);
}

static void ask_contexts(void)
{
	unsigned long flags;

	atomic_set(&nr_called, 0);
	on_each_cpu(call_here, NULL, 1);
	rcu_barrier();
	pr_info("call_rcu() in interrupts of all CPUs: all called after rcu_barrier() %d\n",
		atomic_read(&nr_called) == num_online_cpus());
	atomic_set(&nr_called, 0);
	timer_setup(&timer, call_in_timer, 0);
	mod_timer(&timer, jiffies + 1);
	msleep(20);
	del_timer_sync(&timer);
	preempt_disable();
	call_rcu(&contexts[1].rcu, called);
	preempt_enable();
	local_irq_save(flags);
	call_rcu(&contexts[2].rcu, called);
	local_irq_restore(flags);
	local_bh_disable();
	call_rcu(&contexts[3].rcu, called);
	local_bh_enable();
	rcu_barrier();
	pr_info("in a timer, with preemption, interrupts, softirqs off: %d called\n", atomic_read(&nr_called));
}

/* ---- deferred frees ---- */

static void *objects[NR_OBJECTS];

/* Whether an object's memory comes again, if some more are allocated. */
static bool comes_again(struct kmem_cache *cache, const void *object, gfp_t gfp)
{
	bool found = false;
	int i;

	for (i = 0; i < NR_AGAIN; i++) {
		objects[i] = kmem_cache_alloc(cache, gfp);
		found |= objects[i] == object;
	}
	kmem_cache_free_bulk(cache, NR_AGAIN, objects);
	return found;
}

static bool comes_again_later(struct kmem_cache *cache, const void *object)
{
	int i;

	for (i = 0; i < MOST_MS / 20; i++) {
		kmem_cache_shrink(cache); /* what other CPUs keep, too */
		if (comes_again(cache, object, GFP_KERNEL))
			return true;
		msleep(20);
	}
	return false;
}

struct near {
	struct rcu_head rcu;
	char rest[100];
};

struct middle {
	char first[40];
	struct rcu_head rcu;
	char rest[100];
};

struct far {
	char first[4080];
	struct rcu_head rcu;
};

#define ASK_DEFERRED(type, free)                                                                                   \
	do {                                                                                                       \
		struct kmem_cache *cache = kmem_cache_create("ask_deferred", sizeof(type), 0, 0, NULL);            \
		type *keeper = kmem_cache_alloc(cache, GFP_KERNEL), *object = kmem_cache_alloc(cache, GFP_KERNEL); \
		type *unused = object;                                                                             \
		int inside;                                                                                        \
                                                                                                                   \
		rcu_read_lock();                                                                                   \
		free;                                                                                              \
		mdelay(20);                                                                                        \
		inside = comes_again(cache, unused, GFP_ATOMIC);                                                   \
		rcu_read_unlock();                                                                                 \
		pr_info(#free ", " #type ": had again inside the section %d, later %d\n", inside,                  \
			comes_again_later(cache, unused));                                                         \
		kmem_cache_free(cache, keeper);                                                                    \
		kmem_cache_destroy(cache);                                                                         \
	} while (0)

static void free_null(void)
{
	struct near *none = NULL;

	kfree_rcu(none, rcu);
	kvfree_rcu(none, rcu);
	kvfree_rcu(none);
	pr_info("kfree_rcu(NULL), kvfree_rcu(NULL): nothing\n");
}

/* It may sleep, so not in a section. */
static void ask_headless(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_headless", 200, 0, 0, NULL);
	void *keeper = kmem_cache_alloc(cache, GFP_KERNEL), *object = kmem_cache_alloc(cache, GFP_KERNEL);
	const void *unused = object;

	kvfree_rcu(object);
	pr_info("kvfree_rcu() without a head: had again later %d\n", comes_again_later(cache, unused));
	kmem_cache_free(cache, keeper);
	kmem_cache_destroy(cache);
}

static void ask_deferred(void)
{
	ASK_DEFERRED(struct near, kfree_rcu(object, rcu));
	ASK_DEFERRED(struct middle, kfree_rcu(object, rcu));
	ASK_DEFERRED(struct far, kfree_rcu(object, rcu));
	ASK_DEFERRED(struct near, kvfree_rcu(object, rcu));
	ask_headless();
	free_null();
}

/* The kernel says, since 6.12, that it waits for them; 6.1 does not. */
static void ask_in_flight(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_inflight", sizeof(struct near), 0, 0, NULL);
	struct near *object = kmem_cache_alloc(cache, GFP_KERNEL);

	kfree_rcu(object, rcu);
	kmem_cache_destroy(cache);
	pr_info("kmem_cache_destroy() with an object that kfree_rcu() was given: returned\n");
}

/* ---- type-safe caches ---- */

#define MADE 0x1badf00d

static unsigned int nr_made;

static void make(void *object)
{
	*(u32 *)object = MADE;
	nr_made++;
}

static struct kmem_cache *typesafe_create(const char *name, slab_flags_t flags)
{
	return kmem_cache_create(name, 64, 0, SLAB_TYPESAFE_BY_RCU | flags, make);
}

static void ask_typesafe(void)
{
	struct kmem_cache *cache = typesafe_create("ask_typesafe", 0);
	u32 *keeper = kmem_cache_alloc(cache, GFP_KERNEL), *object, *again;
	unsigned int before;

	pr_info("after the first allocation: more than one made %d\n", nr_made > 1);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	before = nr_made;
	object[5] = 7;
	rcu_read_lock();
	kmem_cache_free(cache, object);
	pr_info("free, in a section: as made %d, as written %d\n", object[0] == MADE, object[5] == 7);
	again = kmem_cache_alloc(cache, GFP_ATOMIC);
	pr_info("allocated in the same section: the same %d, as made %d, as written %d, more made %d\n",
		again == object, again[0] == MADE, again[5] == 7, nr_made != before);
	rcu_read_unlock();
	kmem_cache_free(cache, again);
	kmem_cache_free(cache, keeper);
	kmem_cache_destroy(cache);
}

static bool is_all(const unsigned char *bytes, unsigned char value, unsigned int nr)
{
	while (nr > 0 && bytes[nr - 1] == value)
		nr--;
	return !nr;
}

/* Without a constructor: the flag alone is enough. */
static void ask_free_contents(const char *name, slab_flags_t flags)
{
	struct kmem_cache *cache = kmem_cache_create(name, 64, 0, flags, NULL);
	unsigned char *keeper = kmem_cache_alloc(cache, GFP_KERNEL), *object = kmem_cache_alloc(cache, GFP_KERNEL),
		      *again;

	memset(object, 0x11, 64);
	rcu_read_lock();
	kmem_cache_free(cache, object);
	again = kmem_cache_alloc(cache, GFP_ATOMIC);
	pr_info("%s: the same object, freed and allocated, is as it was %d\n", name,
		again == object && is_all(again, 0x11, 64));
	rcu_read_unlock();
	kmem_cache_free(cache, again);
	kmem_cache_free(cache, keeper);
	kmem_cache_destroy(cache);
}

/* All slabs of the cache but one become empty while there is a reader, whose objects stay. */
static void ask_slabs(void)
{
	struct kmem_cache *cache = typesafe_create("ask_slabs", 0);
	unsigned int i, intact = 0, others = 0;
	void *pages[64];

	for (i = 0; i < NR_OBJECTS; i++) {
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		((u32 *)objects[i])[1] = i;
	}
	rcu_read_lock();
	for (i = 0; i < NR_OBJECTS; i++)
		kmem_cache_free(cache, objects[i]);
	for (i = 0; i < 64; i++) {
		pages[i] = (void *)__get_free_page(GFP_ATOMIC);
		if (pages[i])
			memset(pages[i], 0x77, PAGE_SIZE);
	}
	for (i = 0; i < NR_OBJECTS; i++) {
		intact += ((u32 *)objects[i])[0] == MADE;
		others += ((u32 *)objects[i])[1] != i;
	}
	rcu_read_unlock();
	for (i = 0; i < 64; i++)
		free_page((unsigned long)pages[i]);
	pr_info("%d objects freed in a section: %u are as made, %u are not as written\n", NR_OBJECTS, intact, others);
	pr_info("kmem_cache_shrink(): %d\n", kmem_cache_shrink(cache));
	kmem_cache_destroy(cache);
	cache = typesafe_create("ask_slabs", 0);
	pr_info("kmem_cache_destroy() at once, and again a cache of that name: %d\n", !!cache);
	kmem_cache_destroy(cache);
	rcu_barrier();
}

static void ask_sizes(void)
{
	struct kmem_cache *small = kmem_cache_create("ask_small", 20, 0, SLAB_TYPESAFE_BY_RCU, NULL);
	struct kmem_cache *aligned = kmem_cache_create("ask_aligned", 100, 256, SLAB_TYPESAFE_BY_RCU, NULL);
	struct kmem_cache *lines =
		kmem_cache_create("ask_lines", 100, 0, SLAB_TYPESAFE_BY_RCU | SLAB_HWCACHE_ALIGN, NULL);
	void *a = kmem_cache_alloc(small, GFP_KERNEL), *b = kmem_cache_alloc(aligned, GFP_KERNEL),
	     *c = kmem_cache_alloc(lines, GFP_KERNEL);

	pr_info("20 bytes: kmem_cache_size %u, aligned to 8 %d\n", kmem_cache_size(small),
		IS_ALIGNED((unsigned long)a, 8));
	pr_info("100 bytes, aligned to 256: kmem_cache_size %u, aligned %d\n", kmem_cache_size(aligned),
		IS_ALIGNED((unsigned long)b, 256));
	pr_info("100 bytes, SLAB_HWCACHE_ALIGN: kmem_cache_size %u, aligned to 64 %d\n", kmem_cache_size(lines),
		IS_ALIGNED((unsigned long)c, 64));
	kmem_cache_free(small, a);
	kmem_cache_free(aligned, b);
	kmem_cache_free(lines, c);
	kmem_cache_destroy(small);
	kmem_cache_destroy(aligned);
	kmem_cache_destroy(lines);
}

static int are_one(slab_flags_t first, slab_flags_t second)
{
	struct kmem_cache *a = kmem_cache_create("ask_one", 136, 0, first, NULL);
	struct kmem_cache *b = kmem_cache_create("ask_two", 136, 0, second, NULL);
	int one = a == b;

	kmem_cache_destroy(a);
	kmem_cache_destroy(b);
	return one;
}

static void ask_merging(void)
{
	pr_info("caches alike are one: plain and plain %d\n", are_one(0, 0));
	pr_info("caches alike are one: type-safe and plain %d, plain and type-safe %d, type-safe both %d\n",
		are_one(SLAB_TYPESAFE_BY_RCU, 0), are_one(0, SLAB_TYPESAFE_BY_RCU),
		are_one(SLAB_TYPESAFE_BY_RCU, SLAB_TYPESAFE_BY_RCU));
}

static void ask_typesafe_deferred(void)
{
	struct kmem_cache *cache = kmem_cache_create("ask_both", sizeof(struct near), 0, SLAB_TYPESAFE_BY_RCU, NULL);
	struct near *keeper = kmem_cache_alloc(cache, GFP_KERNEL), *object = kmem_cache_alloc(cache, GFP_KERNEL);
	const void *unused = object;

	kfree_rcu(object, rcu);
	pr_info("kfree_rcu() of a type-safe object: had again later %d\n", comes_again_later(cache, unused));
	kmem_cache_free(cache, keeper);
	kmem_cache_destroy(cache);
}

static int __init ask_init(void)
{
	ask_sections();
	ask_polling();
	ask_pointers();
	ask_callbacks();
	ask_contexts();
	ask_deferred();
	ask_typesafe();
	ask_free_contents("plain", 0);
	ask_free_contents("type-safe", SLAB_TYPESAFE_BY_RCU);
	ask_free_contents("type-safe with SLAB_POISON", SLAB_TYPESAFE_BY_RCU | SLAB_POISON);
	ask_slabs();
	ask_sizes();
	ask_merging();
	ask_typesafe_deferred();
	ask_in_flight();
	return 0;
}

static void __exit ask_exit(void)
{
	rcu_barrier();
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about RCU");
