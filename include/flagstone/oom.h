/*
 * flagstone/oom.h: tasks of a simulated machine that the OOM killer may choose.
 *
 * Kernel threads are not killed unless they say so. One that does says how much memory it holds, and is told to end by
 * fatal_signal_pending(); until then it may use part of the reserves, and its waits for memory end.
 */
#ifndef FLAGSTONE_OOM_H
#define FLAGSTONE_OOM_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * This task may be chosen from now on, until it ends. The one that holds the most is, where oom_score_adj adds (or,
 * below 0, takes off) thousandths of the machine's memory; -1000: never. Again: sets another oom_score_adj. 0 or
 * -ENOMEM. Context: task.
 */
int flagstone_oom_killable(int oom_score_adj);
/* This task holds so many pages more, or fewer. Nothing if it is not killable. Any context. */
void flagstone_oom_account(long nr_pages);
/* It may not be chosen any more: what it held is given back. Context: task. */
void flagstone_oom_unkillable(void);

#ifdef __cplusplus
}
#endif

#endif
