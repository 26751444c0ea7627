/*
 * lock_forms.h: locks, the cells that they guard, and a table of all ways to take them.
 *
 * For a stress of one file. Calls the kernel's headers only.
 */
#ifndef TESTS_STRESS_LOCK_FORMS_H
#define TESTS_STRESS_LOCK_FORMS_H

#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/rwlock.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>
#include <linux/spinlock.h>

/* ---- cells, and the locks that guard them ---- */

enum { SPIN, SPIN_BH, SPIN_IRQ, RW, RW_BH, RW_IRQ, MUTEX, RWSEM, SEM, NR_CELLS };

struct cell {
	unsigned long first, second; /* Synchronization: the cell's lock */
} cache_aligned;

static struct cell cells[NR_CELLS];

static DEFINE_SPINLOCK(spin);
static DEFINE_SPINLOCK(spin_bh);
static DEFINE_SPINLOCK(spin_irq);
static DEFINE_RWLOCK(rw);
static DEFINE_RWLOCK(rw_bh);
static DEFINE_RWLOCK(rw_irq);
static DEFINE_MUTEX(mutex);
static DECLARE_RWSEM(rwsem);
static DEFINE_SEMAPHORE(sem);

/* ---- forms: how to take a lock. false: it was not to be had ---- */

#define FORM(name, take, give)                        \
	static bool name##_take(unsigned long *flags) \
	{                                             \
		(void)flags;                          \
		return take;                          \
	}                                             \
	static void name##_give(unsigned long *flags) \
	{                                             \
		(void)flags;                          \
		give;                                 \
	}
#define ALWAYS(take) ((void)(take), true)

FORM(spin, ALWAYS(spin_lock(&spin)), spin_unlock(&spin))
FORM(spin_try, spin_trylock(&spin), spin_unlock(&spin))
FORM(spin_bh, ALWAYS(spin_lock_bh(&spin_bh)), spin_unlock_bh(&spin_bh))
FORM(spin_try_bh, spin_trylock_bh(&spin_bh), spin_unlock_bh(&spin_bh))
FORM(spin_in_bh, ALWAYS(spin_lock(&spin_bh)), spin_unlock(&spin_bh))
FORM(spin_irq, ALWAYS(spin_lock_irq(&spin_irq)), spin_unlock_irq(&spin_irq))
FORM(spin_irqsave, ALWAYS(spin_lock_irqsave(&spin_irq, *flags)), spin_unlock_irqrestore(&spin_irq, *flags))
FORM(spin_try_irq, spin_trylock_irq(&spin_irq), spin_unlock_irq(&spin_irq))
FORM(spin_try_irqsave, spin_trylock_irqsave(&spin_irq, *flags), spin_unlock_irqrestore(&spin_irq, *flags))
FORM(spin_in_irq, ALWAYS(spin_lock(&spin_irq)), spin_unlock(&spin_irq))
FORM(read, ALWAYS(read_lock(&rw)), read_unlock(&rw))
FORM(read_try, read_trylock(&rw), read_unlock(&rw))
FORM(write, ALWAYS(write_lock(&rw)), write_unlock(&rw))
FORM(write_try, write_trylock(&rw), write_unlock(&rw))
FORM(read_bh, ALWAYS(read_lock_bh(&rw_bh)), read_unlock_bh(&rw_bh))
FORM(write_bh, ALWAYS(write_lock_bh(&rw_bh)), write_unlock_bh(&rw_bh))
FORM(read_in_bh, ALWAYS(read_lock(&rw_bh)), read_unlock(&rw_bh))
FORM(write_in_bh, ALWAYS(write_lock(&rw_bh)), write_unlock(&rw_bh))
FORM(read_irq, ALWAYS(read_lock_irq(&rw_irq)), read_unlock_irq(&rw_irq))
FORM(read_irqsave, ALWAYS(read_lock_irqsave(&rw_irq, *flags)), read_unlock_irqrestore(&rw_irq, *flags))
FORM(write_irq, ALWAYS(write_lock_irq(&rw_irq)), write_unlock_irq(&rw_irq))
FORM(write_irqsave, ALWAYS(write_lock_irqsave(&rw_irq, *flags)), write_unlock_irqrestore(&rw_irq, *flags))
FORM(write_try_irqsave, write_trylock_irqsave(&rw_irq, *flags), write_unlock_irqrestore(&rw_irq, *flags))
FORM(read_in_irq, ALWAYS(read_lock(&rw_irq)), read_unlock(&rw_irq))
FORM(write_in_irq, ALWAYS(write_lock(&rw_irq)), write_unlock(&rw_irq))
FORM(mutex, ALWAYS(mutex_lock(&mutex)), mutex_unlock(&mutex))
FORM(mutex_try, mutex_trylock(&mutex), mutex_unlock(&mutex))
FORM(mutex_interruptible, !mutex_lock_interruptible(&mutex), mutex_unlock(&mutex))
FORM(mutex_killable, !mutex_lock_killable(&mutex), mutex_unlock(&mutex))
FORM(down_read, ALWAYS(down_read(&rwsem)), up_read(&rwsem))
FORM(down_read_try, down_read_trylock(&rwsem), up_read(&rwsem))
FORM(down_read_interruptible, !down_read_interruptible(&rwsem), up_read(&rwsem))
FORM(down_write, ALWAYS(down_write(&rwsem)), up_write(&rwsem))
FORM(down_write_try, down_write_trylock(&rwsem), up_write(&rwsem))
FORM(down_write_killable, !down_write_killable(&rwsem), up_write(&rwsem))
FORM(downgrade, ALWAYS(down_write(&rwsem)), (downgrade_write(&rwsem), up_read(&rwsem)))
FORM(down, ALWAYS(down(&sem)), up(&sem))
FORM(down_try, !down_trylock(&sem), up(&sem))
FORM(down_interruptible, !down_interruptible(&sem), up(&sem))
FORM(down_killable, !down_killable(&sem), up(&sem))
FORM(down_timeout, !down_timeout(&sem, 3600l * HZ), up(&sem))

/* Where a form is used, and what it promises while it is held. */
enum {
	IN_TASK = 1,
	IN_SOFTIRQ = 2,
	IN_HARDIRQ = 4,
	SHARED = 8, /* others may be inside, who only read */
	SLEEPS = 16,
	MAY_FAIL = 32,
	IRQS_OFF = 64,
	BHS_OFF = 128
};

struct form {
	const char *name;
	bool (*take)(unsigned long *flags);
	void (*give)(unsigned long *flags);
	unsigned int cell, what;
	unsigned long asked, taken; /* Synchronization: atomic */
};

#define ROW(name, cell, what)                                     \
	{                                                         \
#name, name##_take, name##_give, cell, what, 0, 0 \
	}
static struct form forms[] = {
	ROW(spin, SPIN, IN_TASK),
	ROW(spin_try, SPIN, IN_TASK | MAY_FAIL),
	ROW(spin_bh, SPIN_BH, IN_TASK | BHS_OFF),
	ROW(spin_try_bh, SPIN_BH, IN_TASK | BHS_OFF | MAY_FAIL),
	ROW(spin_in_bh, SPIN_BH, IN_SOFTIRQ | BHS_OFF),
	ROW(spin_irq, SPIN_IRQ, IN_TASK | IRQS_OFF),
	ROW(spin_irqsave, SPIN_IRQ, IN_TASK | IN_SOFTIRQ | IN_HARDIRQ | IRQS_OFF),
	ROW(spin_try_irq, SPIN_IRQ, IN_TASK | IRQS_OFF | MAY_FAIL),
	ROW(spin_try_irqsave, SPIN_IRQ, IN_TASK | IN_SOFTIRQ | IRQS_OFF | MAY_FAIL),
	ROW(spin_in_irq, SPIN_IRQ, IN_HARDIRQ | IRQS_OFF),
	ROW(read, RW, IN_TASK | SHARED),
	ROW(read_try, RW, IN_TASK | SHARED | MAY_FAIL),
	ROW(write, RW, IN_TASK),
	ROW(write_try, RW, IN_TASK | MAY_FAIL),
	ROW(read_bh, RW_BH, IN_TASK | SHARED | BHS_OFF),
	ROW(write_bh, RW_BH, IN_TASK | BHS_OFF),
	ROW(read_in_bh, RW_BH, IN_SOFTIRQ | SHARED | BHS_OFF),
	ROW(write_in_bh, RW_BH, IN_SOFTIRQ | BHS_OFF),
	ROW(read_irq, RW_IRQ, IN_TASK | SHARED | IRQS_OFF),
	ROW(read_irqsave, RW_IRQ, IN_TASK | IN_SOFTIRQ | SHARED | IRQS_OFF),
	ROW(write_irq, RW_IRQ, IN_TASK | IRQS_OFF),
	ROW(write_irqsave, RW_IRQ, IN_TASK | IN_SOFTIRQ | IRQS_OFF),
	ROW(write_try_irqsave, RW_IRQ, IN_TASK | IN_SOFTIRQ | IRQS_OFF | MAY_FAIL),
	ROW(read_in_irq, RW_IRQ, IN_HARDIRQ | SHARED | IRQS_OFF),
	ROW(write_in_irq, RW_IRQ, IN_HARDIRQ | IRQS_OFF),
	ROW(mutex, MUTEX, IN_TASK | SLEEPS),
	ROW(mutex_try, MUTEX, IN_TASK | SLEEPS | MAY_FAIL),
	ROW(mutex_interruptible, MUTEX, IN_TASK | SLEEPS),
	ROW(mutex_killable, MUTEX, IN_TASK | SLEEPS),
	ROW(down_read, RWSEM, IN_TASK | SLEEPS | SHARED),
	ROW(down_read_try, RWSEM, IN_TASK | SLEEPS | SHARED | MAY_FAIL),
	ROW(down_read_interruptible, RWSEM, IN_TASK | SLEEPS | SHARED),
	ROW(down_write, RWSEM, IN_TASK | SLEEPS),
	ROW(down_write_try, RWSEM, IN_TASK | SLEEPS | MAY_FAIL),
	ROW(down_write_killable, RWSEM, IN_TASK | SLEEPS),
	ROW(downgrade, RWSEM, IN_TASK | SLEEPS),
	ROW(down, SEM, IN_TASK | SLEEPS),
	ROW(down_try, SEM, IN_TASK | SLEEPS | MAY_FAIL),
	ROW(down_interruptible, SEM, IN_TASK | SLEEPS),
	ROW(down_killable, SEM, IN_TASK | SLEEPS),
	ROW(down_timeout, SEM, IN_TASK | SLEEPS),
};
#define NR_FORMS (sizeof(forms) / sizeof(forms[0]))

#endif
