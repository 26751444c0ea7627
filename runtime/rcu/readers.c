/*
 * readers.c: what liburcu does here: it knows who is in a section. Alone in seeing its headers, which have names of the kernel's.
 */
#include <urcu/urcu-bp.h>
#include <urcu/static/urcu-bp.h>

#include "runtime/rcu/readers.h"

#define EXPORT __attribute__((visibility("default")))

/* What the inline readers of linux/rcupdate.h take for granted. */
static_assert(offsetof(struct urcu_bp_reader, ctr) == 0, "flagstone_rcu_reader points to the reader's word");
static_assert(offsetof(struct urcu_bp_gp, ctr) == 0, "flagstone_rcu_period is the period's word");
static_assert(URCU_BP_GP_CTR_NEST_MASK == (1ul << sizeof(long) * 4) - 1 && URCU_BP_GP_COUNT == 1,
	"how a word counts sections");

/*
 * For ThreadSanitizer, which does not see into liburcu: a section's end comes before the end of a period that waited for it, a period's
 * beginning before the sections that begin after it.
 */
#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifdef TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#else
#define __tsan_acquire(address) ((void)(address))
#define __tsan_release(address) ((void)(address))
#endif

static char sections_end, period_begins;

/* What sanitized programs call in rcu_read_lock() and rcu_read_unlock(): linux/rcupdate.h declares them. */
void flagstone_rcu_lock_annotate(void);
void flagstone_rcu_unlock_annotate(void);

EXPORT void flagstone_rcu_lock_annotate(void)
{
	__tsan_acquire(&period_begins);
}

EXPORT void flagstone_rcu_unlock_annotate(void)
{
	__tsan_release(&sections_end);
}

void readers_register(void)
{
	urcu_bp_register();
}

void readers_wait(void)
{
	__tsan_release(&period_begins);
	urcu_bp_synchronize_rcu();
	__tsan_acquire(&sections_end);
}

void readers_fork_prepare(void)
{
	urcu_bp_before_fork();
}

void readers_fork_parent(void)
{
	urcu_bp_after_fork_parent();
}

void readers_fork_child(void)
{
	urcu_bp_after_fork_child();
}
