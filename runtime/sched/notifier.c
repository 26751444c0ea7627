/*
 * notifier.c: chains of functions that are told of events.
 *
 * Calls this room's locks. Knows nothing of events. The list is one for all kinds of chain; what differs is who may change it
 * while a round goes along it: with an atomic chain anybody, so that its links are atomic, and a block that was taken out is its
 * owner's again only when the rounds that may have seen it are over.
 */
#include <errno.h>
#include <linux/bug.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/preempt.h>
#include <linux/processor.h>

static DEFINE_MUTEX(end_mutex); /* one at a time waits for the end of rounds: each turns `turn` twice */

static struct notifier_block *load(struct notifier_block *const *link)
{
	/* Pairs with link_set(): the block is whole. */
	return __atomic_load_n(link, __ATOMIC_SEQ_CST);
}

static void link_set(struct notifier_block **link, struct notifier_block *nb)
{
	/* Pairs with load(), and with rounds_end(): a round that begins later does not see what was taken out. */
	__atomic_store_n(link, nb, __ATOMIC_SEQ_CST);
}

/* The caller has the chain to change. */
static int __add(struct notifier_block **link, struct notifier_block *nb, bool unique)
{
	struct notifier_block *const *at;

	for (at = link; *at; at = &(*at)->next)
		if (WARN(*at == nb, "notifier callback %p already registered\n", (void *)nb->notifier_call))
			return -EEXIST;
	for (; *link && (*link)->priority >= nb->priority; link = &(*link)->next)
		if (unique && (*link)->priority == nb->priority)
			return -EBUSY;
	link_set(&nb->next, *link);
	link_set(link, nb);
	return 0;
}

/* The caller has the chain to change. The block keeps its link: a round may stand on it. */
static int __remove(struct notifier_block **link, struct notifier_block *nb)
{
	while (*link && *link != nb)
		link = &(*link)->next;
	if (!*link)
		return -ENOENT;
	link_set(link, nb->next);
	return 0;
}

static int tell(struct notifier_block *const *link, unsigned long action, void *data)
{
	struct notifier_block *nb, *next;
	int word = NOTIFY_DONE;

	for (nb = load(link); nb && !(word & NOTIFY_STOP_MASK); nb = next) {
		/* First: a block may take itself out of a raw chain. */
		next = load(&nb->next);
		word = nb->notifier_call(nb, action, data);
	}
	return word;
}

/* ---- raw ---- */

int raw_notifier_chain_register(struct raw_notifier_head *nh, struct notifier_block *nb)
{
	return __add(&nh->head, nb, false);
}

int raw_notifier_chain_unregister(struct raw_notifier_head *nh, struct notifier_block *nb)
{
	return __remove(&nh->head, nb);
}

int raw_notifier_call_chain(struct raw_notifier_head *nh, unsigned long action, void *data)
{
	return tell(&nh->head, action, data);
}

/* ---- atomic ---- */

static int atomic_head_add(struct atomic_notifier_head *nh, struct notifier_block *nb, bool unique)
{
	unsigned long flags;
	int error;

	spin_lock_irqsave(&nh->lock, flags);
	error = __add(&nh->head, nb, unique);
	spin_unlock_irqrestore(&nh->lock, flags);
	return error;
}

int atomic_notifier_chain_register(struct atomic_notifier_head *nh, struct notifier_block *nb)
{
	return atomic_head_add(nh, nb, false);
}

int atomic_notifier_chain_register_unique_prio(struct atomic_notifier_head *nh, struct notifier_block *nb)
{
	return atomic_head_add(nh, nb, true);
}

/*
 * Waits until every round that may have seen what was taken out is over. One that read `turn` long ago may be counted on either
 * side: both sides are waited for, each while new rounds are counted on the other one, so that this comes to an end.
 */
static void rounds_end(struct atomic_notifier_head *nh)
{
	mutex_lock(&end_mutex);
	for (int i = 0; i < 2; i++) {
		unsigned int side = __atomic_fetch_xor(&nh->turn, 1, __ATOMIC_SEQ_CST);

		/* Pairs with the end of atomic_notifier_call_chain(). Rounds are short, and on other CPUs. */
		while (__atomic_load_n(&nh->nr_rounds[side], __ATOMIC_SEQ_CST)) {
			cpu_relax();
			cond_resched();
		}
	}
	mutex_unlock(&end_mutex);
}

int atomic_notifier_chain_unregister(struct atomic_notifier_head *nh, struct notifier_block *nb)
{
	unsigned long flags;
	int error;

	might_sleep();
	spin_lock_irqsave(&nh->lock, flags);
	error = __remove(&nh->head, nb);
	spin_unlock_irqrestore(&nh->lock, flags);
	if (!error)
		rounds_end(nh);
	return error;
}

int atomic_notifier_call_chain(struct atomic_notifier_head *nh, unsigned long action, void *data)
{
	unsigned int side;
	int word;

	preempt_disable();
	side = __atomic_load_n(&nh->turn, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&nh->nr_rounds[side], 1, __ATOMIC_SEQ_CST);
	word = tell(&nh->head, action, data);
	/* Pairs with rounds_end(): what the blocks did is done. */
	__atomic_fetch_sub(&nh->nr_rounds[side], 1, __ATOMIC_SEQ_CST);
	preempt_enable();
	return word;
}

bool atomic_notifier_call_chain_is_empty(struct atomic_notifier_head *nh)
{
	return !load(&nh->head);
}

/* ---- blocking ---- */

static int blocking_add(struct blocking_notifier_head *nh, struct notifier_block *nb, bool unique)
{
	int error;

	down_write(&nh->rwsem);
	error = __add(&nh->head, nb, unique);
	up_write(&nh->rwsem);
	return error;
}

int blocking_notifier_chain_register(struct blocking_notifier_head *nh, struct notifier_block *nb)
{
	return blocking_add(nh, nb, false);
}

int blocking_notifier_chain_register_unique_prio(struct blocking_notifier_head *nh, struct notifier_block *nb)
{
	return blocking_add(nh, nb, true);
}

int blocking_notifier_chain_unregister(struct blocking_notifier_head *nh, struct notifier_block *nb)
{
	int error;

	down_write(&nh->rwsem);
	error = __remove(&nh->head, nb);
	up_write(&nh->rwsem);
	return error;
}

int blocking_notifier_call_chain(struct blocking_notifier_head *nh, unsigned long action, void *data)
{
	int word;

	down_read(&nh->rwsem);
	word = tell(&nh->head, action, data);
	up_read(&nh->rwsem);
	return word;
}
