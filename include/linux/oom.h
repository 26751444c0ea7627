/*
 * linux/oom.h: what happens when memory is out and nothing can be reclaimed.
 *
 * Semantics: Linux, Documentation/admin-guide/sysctl/vm.rst (oom_kill_allocating_task, panic_on_oom) and proc(5),
 * oom_score_adj.
 */
#ifndef FLAGSTONE_LINUX_OOM_H
#define FLAGSTONE_LINUX_OOM_H

#include <linux/notifier.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OOM_SCORE_ADJ_MIN (-1000)
#define OOM_SCORE_ADJ_MAX 1000

/*
 * nb is told before the OOM killer chooses: data is an unsigned long that it adds to what pages it freed; if any
 * were, nobody is killed. It runs in the task whose allocation failed and must not wait for memory. Returns 0, or
 * -EEXIST if it is registered. Context: task, may sleep.
 */
int register_oom_notifier(struct notifier_block *nb);
/* 0, or -ENOENT. It is not called after this. Context: task, may sleep; not from a notifier. */
int unregister_oom_notifier(struct notifier_block *nb);

#ifdef __cplusplus
}
#endif

#endif
