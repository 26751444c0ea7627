/*
 * readers.h: what the rcu room asks liburcu.
 */
#ifndef RUNTIME_RCU_READERS_H
#define RUNTIME_RCU_READERS_H

#include "runtime/config.h"

/* The calling thread may have sections from now on. */
void readers_register(void);
/* Returns when each section that is open now has ended. Not in a section. */
void readers_wait(void);

void readers_fork_prepare(void);
void readers_fork_parent(void);
void readers_fork_child(void);

#endif
