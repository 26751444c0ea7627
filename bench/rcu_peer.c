/*
 * rcu_peer.c: liburcu's flavour "bp", with its readers inline, as its users are told to have them.
 */
#define URCU_INLINE_SMALL_FUNCTIONS
#define _LGPL_SOURCE
#include <assert.h>
#include <urcu/urcu-bp.h>

#include "rcu_peer.h"

static_assert(sizeof(struct rcu_head) == sizeof(struct peer_head), "a head of liburcu's fits");

void peer_call(struct peer_head *head, void (*release)(struct peer_head *head))
{
	urcu_bp_call_rcu((struct rcu_head *)head, (void (*)(struct rcu_head *))release);
}

void peer_barrier(void)
{
	urcu_bp_barrier();
}

void peer_synchronize(void)
{
	urcu_bp_synchronize_rcu();
}

void peer_lock_pairs(long nr)
{
	while (nr--) {
		urcu_bp_read_lock();
		urcu_bp_read_unlock();
	}
}
