/*
 * rcu_peer.h: liburcu by itself, as what the rcu room is compared with: its headers and linux/rcupdate.h use the same names for different
 * things, so they meet here.
 */
#ifndef BENCH_RCU_PEER_H
#define BENCH_RCU_PEER_H

#include <stddef.h>

/* Room for what liburcu keeps in an object that waits. */
struct peer_head {
	void *word[2];
};

/* release is called with the head, after a grace period. */
void peer_call(struct peer_head *head, void (*release)(struct peer_head *head));
/* Until all calls are done. */
void peer_barrier(void);
void peer_synchronize(void);
/* So many empty sections. */
void peer_lock_pairs(long nr);

#endif
