/*
 * test_seqlock.c: <linux/seqlock.h> on a machine: readers that need no lock, in tasks and interrupts, see whole data only.
 *
 * Broken if this fails: a reader believes half of what a writer wrote, waits for ever, or ThreadSanitizer reports what readers do by design.
 */
#include <flagstone/machine.h>
#include <linux/kthread.h>
#include <linux/processor.h>
#include <linux/seqlock.h>
#include <linux/smp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/api/booted.h"

#define WRITES 1000
#define READS 1000 /* at least */
#define CALLS 200
#define WORDS 4

/* Plain words, all the same: what a lock would cover. */
struct data {
	unsigned long word[WORDS];
};

static DEFINE_SEQLOCK(lock);
static struct data data;
static unsigned long torn; /* Synchronization: atomic */
static int writers; /* that have not ended. Synchronization: atomic */

static void write_data(void)
{
	for (unsigned int i = 0; i < WORDS; i++) {
		data.word[i]++;
		for (unsigned int turn = 0; turn < 30; turn++)
			cpu_relax(); /* readers find it half done */
	}
}

static void look(const struct data *copy)
{
	for (unsigned int i = 1; i < WORDS; i++)
		if (copy->word[i] != copy->word[0])
			__atomic_fetch_add(&torn, 1, __ATOMIC_RELAXED);
}

static struct data copy_data(void)
{
	struct data copy;
	unsigned int seq;

	do {
		seq = read_seqbegin(&lock);
		copy = data;
	} while (read_seqretry(&lock, seq));
	return copy;
}

/* Takes the lock when it was disturbed. */
static struct data copy_surely(void)
{
	unsigned long flags;
	struct data copy;
	int seq = 0;

	flags = read_seqbegin_or_lock_irqsave(&lock, &seq);
	copy = data;
	if (need_seqretry(&lock, seq)) {
		seq = 1;
		flags = read_seqbegin_or_lock_irqsave(&lock, &seq);
		copy = data;
	}
	done_seqretry_irqrestore(&lock, seq, flags);
	return copy;
}

static int writes(void *way)
{
	unsigned long flags;

	for (unsigned int i = 0; i < WRITES; i++) {
		if (way) {
			write_seqlock_irqsave(&lock, flags);
			write_data();
			write_sequnlock_irqrestore(&lock, flags);
		} else {
			write_seqlock_irq(&lock);
			write_data();
			write_sequnlock_irq(&lock);
		}
		if (i % 64 == 0)
			cond_resched();
	}
	__atomic_fetch_sub(&writers, 1, __ATOMIC_RELAXED);
	return 0;
}

static int reads(void *way)
{
	for (unsigned int i = 0; i < READS || __atomic_load_n(&writers, __ATOMIC_RELAXED); i++) {
		struct data copy = way ? copy_data() : copy_surely();

		look(&copy);
		if (i % 64 == 0)
			cond_resched();
	}
	return 0;
}

static void read_once(void *unused)
{
	struct data copy = copy_data();

	(void)unused;
	look(&copy);
}

/* Makes CPU 0 read in its interrupts. */
static int interrupts(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < CALLS; i++)
		smp_call_function_single(0, read_once, NULL, 1);
	return 0;
}

/* A thread of fn(data) on that CPU, to be ended with kthread_stop(). */
static struct task_struct *begin(int (*fn)(void *data), void *arg, unsigned int cpu)
{
	struct task_struct *task = kthread_create_on_cpu(fn, arg, cpu, "seqlock/%u");

	assert_false(IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

static void readers_see_whole_data_only(void **state)
{
	struct task_struct *tasks[6];
	unsigned int nr = 0;

	(void)state;
	torn = 0;
	writers = 2;
	data = (struct data){{0}};
	tasks[nr++] = begin(writes, &lock, 0);
	tasks[nr++] = begin(writes, NULL, 1);
	tasks[nr++] = begin(reads, &lock, 2);
	tasks[nr++] = begin(reads, NULL, 3);
	tasks[nr++] = begin(interrupts, NULL, 1);
	tasks[nr++] = begin(reads, &lock, 0);
	/* They have all run: kthread_stop() would keep one that has not from it. */
	for (unsigned int i = 0; i < nr; i++)
		while (task_is_running(tasks[i]))
			schedule_timeout_uninterruptible(1);
	for (unsigned int i = 0; i < nr; i++) {
		kthread_stop(tasks[i]);
		put_task_struct(tasks[i]);
	}
	assert_int_equal(torn, 0);
	assert_int_equal(copy_data().word[0], 2 * WRITES);
}

/* ---- counts, and the locks of their writers ---- */

static seqcount_t plain = SEQCNT_ZERO(plain);
static DEFINE_SPINLOCK(spinlock);
static seqcount_spinlock_t of_spinlock = SEQCNT_SPINLOCK_ZERO(of_spinlock, &spinlock);
static DEFINE_MUTEX(mutex);
static seqcount_mutex_t of_mutex = SEQCNT_MUTEX_ZERO(of_mutex, &mutex);
static DEFINE_RWLOCK(rwlock);
static seqcount_rwlock_t of_rwlock = SEQCNT_RWLOCK_ZERO(of_rwlock, &rwlock);

/* Of a count whose writer may write, and has turned preemption off so many times meanwhile, besides what held it. */
#define check_count(s, deeper)                                                        \
	do {                                                                          \
		unsigned int depth = preempt_count(), began = read_seqcount_begin(s); \
                                                                                      \
		assert_false(began & 1);                                              \
		assert_false(read_seqcount_retry(s, began));                          \
		write_seqcount_begin(s);                                              \
		assert_int_equal(preempt_count(), depth + (deeper));                  \
		assert_int_equal(raw_read_seqcount(s), began + 1);                    \
		assert_true(read_seqcount_retry(s, began));                           \
		assert_true(read_seqcount_retry(s, raw_seqcount_begin(s)));           \
		write_seqcount_end(s);                                                \
		assert_int_equal(preempt_count(), depth);                             \
		assert_true(read_seqcount_retry(s, began));                           \
		began = read_seqcount_begin(s);                                       \
		assert_false(read_seqcount_retry(s, began));                          \
	} while (0)

static void counts_know_their_writers(void **state)
{
	unsigned int start;

	(void)state;
	preempt_disable();
	check_count(&plain, 0);
	preempt_enable();
	spin_lock(&spinlock);
	check_count(&of_spinlock, 0);
	spin_unlock(&spinlock);
	mutex_lock(&mutex);
	check_count(&of_mutex, 1);
	mutex_unlock(&mutex);
	write_lock(&rwlock);
	check_count(&of_rwlock, 0);
	write_unlock(&rwlock);
	start = read_seqcount_begin(&plain);
	preempt_disable();
	write_seqcount_invalidate(&plain);
	preempt_enable();
	assert_false(raw_read_seqcount(&plain) & 1);
	assert_true(read_seqcount_retry(&plain, start));
	seqcount_init(&plain);
	assert_int_equal(read_seqcount_begin(&plain), 0);
	assert_false(read_seqcount_retry(&plain, 0));
}

/* ---- each form of the lock ---- */

static void each_form_masks_what_it_says(void **state)
{
	unsigned long flags;
	seqlock_t own;

	(void)state;
	seqlock_init(&own);
	write_seqlock(&own);
	assert_true(in_atomic() && !irqs_disabled());
	write_sequnlock(&own);
	write_seqlock_bh(&own);
	assert_true(in_softirq());
	write_sequnlock_bh(&own);
	write_seqlock_irq(&own);
	assert_true(irqs_disabled());
	write_sequnlock_irq(&own);
	write_seqlock_irqsave(&own, flags);
	assert_true(irqs_disabled());
	write_sequnlock_irqrestore(&own, flags);
	assert_int_equal(read_seqbegin(&own), 8);
	assert_int_equal(read_seqretry(&own, 6), 1);
	read_seqlock_excl(&own);
	assert_false(spin_trylock(&own.lock));
	read_sequnlock_excl(&own);
	read_seqlock_excl_bh(&own);
	read_sequnlock_excl_bh(&own);
	read_seqlock_excl_irq(&own);
	assert_true(irqs_disabled());
	read_sequnlock_excl_irq(&own);
	assert_false(irqs_disabled() || in_atomic());
	assert_int_equal(read_seqbegin(&own), 8); /* they have written nothing */
	assert_int_equal(read_seqretry(&own, 8), 0);
}

/* A reader that finds out otherwise that it needs not go on. ThreadSanitizer looks at its task's end. */
static int gives_up(void *count)
{
	return (int)read_seqcount_begin((seqcount_t *)count);
}

static void a_reader_may_give_up(void **state)
{
	(void)state;
	assert_int_equal(flagstone_machine_run(1, gives_up, &plain), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_see_whole_data_only),
		cmocka_unit_test(counts_know_their_writers),
		cmocka_unit_test(each_form_masks_what_it_says),
		cmocka_unit_test(a_reader_may_give_up),
	};

	unsetenv("FLAGSTONE_MACHINE");
	return cmocka_run_group_tests(tests, boot, shut_down);
}
