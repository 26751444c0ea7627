/*
 * test_lockdep.c: lock checking: each kind of mistake is a report with the kernel's first line, once; right code is not accused.
 *
 * Broken if this fails: a deadlock that did not happen this time passes unseen, or right code is accused.
 */
#include <linux/bottom_half.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/lib/report.h"
#include "tests/unit/child.h"
#include "tests/unit/cpus.h"
#include "tests/unit/tasks.h"

static DEFINE_SPINLOCK(a);
static DEFINE_SPINLOCK(b);
static DEFINE_SPINLOCK(c);
static DEFINE_MUTEX(m);
static DEFINE_MUTEX(n);
static DEFINE_RWLOCK(r);
static DEFINE_RWLOCK(s);
static DECLARE_RWSEM(w);
static char output[65536];

static void boot_child(void)
{
	report_on_bug = REPORT_BUG_CONTINUE;
	lockdep_on = true;
	if (sched_boot(2))
		abort();
}

static void child_down(void)
{
	child_end(preempt_count() || irqs_disabled() || sched_shutdown() ? 1 : 0);
}

/* ---- contexts ---- */

static void (*irq_does)(void);

static void serve(void)
{
	flagstone_this.preempt_count += HARDIRQ_OFFSET;
	irq_does();
	flagstone_this.preempt_count -= HARDIRQ_OFFSET;
}

static void run_irq(void (*function)(void))
{
	irq_does = function;
	sched_irq_hook = serve;
	cpu_raise((unsigned int)raw_smp_processor_id(), CPU_IRQ);
	cpu_look();
}

static void run_softirq(void (*function)(void))
{
	flagstone_this.preempt_count += SOFTIRQ_OFFSET;
	function();
	flagstone_this.preempt_count -= SOFTIRQ_OFFSET;
}

static void take(spinlock_t *first, spinlock_t *second)
{
	spin_lock(first);
	spin_lock(second);
	spin_unlock(second);
	spin_unlock(first);
}

static void take_a(void)
{
	spin_lock(&a);
	spin_unlock(&a);
}

static void take_a_irqs_off(void)
{
	spin_lock_irq(&a);
	spin_unlock_irq(&a);
}

static void read_r(void)
{
	read_lock(&r);
	read_unlock(&r);
}

/* ---- mistakes ---- */

static void abba(void)
{
	take(&a, &b);
	take(&b, &a);
	take(&a, &b);
	take(&b, &a);
}

static void abbcca(void)
{
	take(&a, &b);
	take(&b, &c);
	take(&c, &a);
}

static void mutex_and_rwsem(void)
{
	mutex_lock(&m);
	down_read(&w);
	up_read(&w);
	mutex_unlock(&m);
	down_write(&w);
	mutex_lock(&m);
	mutex_unlock(&m);
	up_write(&w);
}

static void readers_behind_writers(void)
{
	/* Readers in tasks wait behind a writer that waits. */
	read_lock(&r);
	read_lock(&s);
	read_unlock(&s);
	read_unlock(&r);
	read_lock(&s);
	read_lock(&r);
	read_unlock(&r);
	read_unlock(&s);
}

static void recursion(void)
{
	read_lock(&r);
	read_lock(&r);
	read_unlock(&r);
	read_unlock(&r);
}

struct object {
	spinlock_t lock;
};

static void init_object(struct object *object)
{
	spin_lock_init(&object->lock);
}

static void two_of_a_class(void)
{
	struct object objects[2];

	init_object(&objects[0]);
	init_object(&objects[1]);
	take(&objects[0].lock, &objects[1].lock);
	take(&objects[0].lock, &objects[1].lock);
}

static void irq_unsafe(void)
{
	take_a();
	run_irq(take_a);
}

static void irq_then_unsafe(void)
{
	run_irq(take_a);
	take_a();
}

static void irqs_on_while_held(void)
{
	run_irq(take_a);
	spin_lock_irq(&a);
	local_irq_enable();
	spin_unlock(&a);
}

static void softirq_unsafe(void)
{
	run_softirq(take_a);
	take_a();
}

static void write_r_in_task(void)
{
	run_irq(read_r);
	write_lock(&r);
	write_unlock(&r);
}

/* The interrupt takes a; b is taken under a somewhere, and elsewhere with interrupts on. */
static void safe_to_unsafe(void)
{
	run_irq(take_a);
	spin_lock(&b);
	spin_unlock(&b);
	spin_lock_irq(&a);
	spin_lock(&b);
	spin_unlock(&b);
	spin_unlock_irq(&a);
}

static void inversion(void)
{
	spin_lock(&b);
	spin_unlock(&b);
	spin_lock_irq(&a);
	spin_lock(&b);
	spin_unlock(&b);
	spin_unlock_irq(&a);
	run_irq(take_a);
}

static void inversion_backwards(void)
{
	run_irq(take_a);
	spin_lock_irq(&a);
	spin_lock(&b);
	spin_unlock(&b);
	spin_unlock_irq(&a);
	spin_lock(&b);
	spin_unlock(&b);
}

static void unbalanced(void)
{
	spin_lock(&a);
	spin_unlock(&b);
	spin_unlock(&a);
}

static void assertion(void)
{
	spin_lock(&a);
	lockdep_assert_held(&a);
	if (!lockdep_is_held(&a) || lockdep_is_held(&b))
		abort();
	lockdep_assert_held(&b);
	spin_unlock(&a);
}

static const struct {
	void (*body)(void);
	const char *line;
	const char *detail;
} mistakes[] = {
	{abba, "WARNING: possible circular locking dependency detected", "\n-> #1 (b){+.+.}:\n  #0 "},
	{abba, "WARNING: possible circular locking dependency detected", "\n-> #0 (a){+.+.}:\n  #0 "},
	{abbcca, "WARNING: possible circular locking dependency detected", "\n-> #2 (c){+.+.}:\n  #0 "},
	{mutex_and_rwsem, "WARNING: possible circular locking dependency detected", "\n-> #1 (w){++++}:\n  #0 "},
	{readers_behind_writers, "WARNING: possible circular locking dependency detected", "  lock(s);\n"},
	{recursion, "WARNING: possible recursive locking detected", "  lock(r);\n  lock(r);\n"},
	{two_of_a_class, "WARNING: possible recursive locking detected", "(&object->lock){"},
	{irq_unsafe, "WARNING: inconsistent lock state", "\ninconsistent {HARDIRQ-ON-W} -> {IN-HARDIRQ-W} usage.\n"},
	{irq_then_unsafe, "WARNING: inconsistent lock state",
		"\ninconsistent {IN-HARDIRQ-W} -> {HARDIRQ-ON-W} usage.\n"},
	{irqs_on_while_held, "WARNING: inconsistent lock state",
		"\ninconsistent {IN-HARDIRQ-W} -> {HARDIRQ-ON-W} usage.\n"},
	{softirq_unsafe, "WARNING: inconsistent lock state",
		"\ninconsistent {IN-SOFTIRQ-W} -> {SOFTIRQ-ON-W} usage.\n"},
	{write_r_in_task, "WARNING: inconsistent lock state",
		"\ninconsistent {IN-HARDIRQ-R} -> {HARDIRQ-ON-W} usage.\n"},
	{safe_to_unsafe, "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected", "\n (a) -> (b)\n"},
	{inversion, "WARNING: possible irq lock inversion dependency detected",
		"\nbut this lock took another, HARDIRQ-unsafe lock in the past:\n (b){"},
	{inversion_backwards, "WARNING: possible irq lock inversion dependency detected",
		"\nbut this lock was taken by another, HARDIRQ-safe lock in the past:\n (a){"},
	{unbalanced, "WARNING: bad unlock balance detected!", "is trying to release lock (b)"},
	{assertion, "BUG: lockdep_assert_held at ", "does not hold b\n"},
};

static void make_mistake(void *which)
{
	boot_child();
	mistakes[(uintptr_t)which].body();
	child_down();
}

static void each_mistake_is_one_report(void **state)
{
	(void)state;
	for (uintptr_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		assert_int_equal(child_run(make_mistake, (void *)i, output, sizeof(output)), 0);
		if (strncmp(output, "flagstone: ", 11) != 0 ||
			strncmp(output + 11, mistakes[i].line, strlen(mistakes[i].line)) != 0 ||
			!strstr(output, mistakes[i].detail) || strstr(output + 1, "flagstone: "))
			fail_msg("mistake %u: %s\n%s", (unsigned int)i, mistakes[i].line, output);
	}
}

/* Every stack of a report names this program. */
static void reports_have_stacks(void **state)
{
	const char *at = output;

	(void)state;
	assert_int_equal(child_run(make_mistake, (void *)0, output, sizeof(output)), 0);
	for (unsigned int nr = 0; nr < 4; nr++) {
		at = strstr(at, "  #0 0x");
		assert_non_null(at);
		at = strstr(at, "test_lockdep+0x");
		assert_non_null(at);
	}
}

/* ---- right code ---- */

static void in_order(void)
{
	take(&a, &b);
	take(&b, &c);
	take(&a, &c);
	/* Let go in another order. */
	spin_lock(&a);
	spin_lock(&b);
	spin_unlock(&a);
	spin_unlock(&b);
}

static void tried_against_the_order(void)
{
	take(&a, &b);
	spin_lock(&b);
	if (spin_trylock(&a))
		spin_unlock(&a);
	spin_unlock(&b);
}

static void nested(void)
{
	struct object objects[2];

	init_object(&objects[0]);
	init_object(&objects[1]);
	spin_lock(&objects[0].lock);
	spin_lock_nested(&objects[1].lock, 1);
	spin_unlock(&objects[1].lock);
	spin_unlock(&objects[0].lock);
	mutex_lock(&m);
	mutex_lock_nested(&n, 1);
	mutex_unlock(&n);
	mutex_unlock(&m);
}

static void read_again(void)
{
	read_lock(&r);
	/* The interrupt reads what its task reads. */
	run_irq(read_r);
	read_unlock(&r);
	run_softirq(read_r);
}

static void recursive_readers_make_no_circle(void)
{
	unsigned long flags;

	/* a -> r as a recursive reader, r as a reader -> a: nobody waits for a reader. */
	local_irq_save(flags);
	flagstone_this.preempt_count += HARDIRQ_OFFSET;
	spin_lock(&a);
	read_lock(&r);
	read_unlock(&r);
	spin_unlock(&a);
	read_lock(&r);
	spin_lock(&a);
	spin_unlock(&a);
	read_unlock(&r);
	flagstone_this.preempt_count -= HARDIRQ_OFFSET;
	local_irq_restore(flags);
}

static void irq_safe(void)
{
	run_irq(take_a);
	take_a_irqs_off();
	spin_lock_irq(&a);
	spin_lock(&b);
	spin_unlock(&b);
	spin_unlock_irq(&a);
	local_bh_disable();
	run_softirq(take_a_irqs_off);
	local_bh_enable();
}

static void softirq_safe(void)
{
	run_softirq(take_a);
	spin_lock_bh(&a);
	spin_unlock_bh(&a);
}

static void interrupted_holder(void)
{
	/* What an interrupt takes is not taken under what the task holds. */
	spin_lock(&b);
	run_irq(take_a);
	spin_unlock(&b);
	spin_lock_irq(&a);
	spin_unlock_irq(&a);
}

static void on_the_stack(void)
{
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(queue);
	struct mutex mutex;

	mutex_init(&mutex);
	mutex_lock(&mutex);
	wait_event_timeout(queue, false, 1);
	wake_up(&queue);
	mutex_unlock(&mutex);
	mutex_destroy(&mutex);
}

static void not_validated(void)
{
	struct object one, other;

	init_object(&one);
	init_object(&other);
	lockdep_set_novalidate_class(&one.lock);
	lockdep_set_novalidate_class(&other.lock);
	take(&one.lock, &other.lock);
	take(&other.lock, &one.lock);
}

static void (*const right[])(void) = {in_order, tried_against_the_order, nested, read_again,
	recursive_readers_make_no_circle, irq_safe, softirq_safe, interrupted_holder, on_the_stack, not_validated};

static void be_right(void *which)
{
	boot_child();
	right[(uintptr_t)which]();
	child_down();
}

/* A second machine does not remember the first. */
static void be_right_twice(void *unused)
{
	(void)unused;
	boot_child();
	take(&a, &b);
	if (sched_shutdown())
		abort();
	boot_child();
	take(&b, &a);
	child_down();
}

static void right_code_is_not_accused(void **state)
{
	(void)state;
	for (uintptr_t i = 0; i < ARRAY_SIZE(right); i++) {
		assert_int_equal(child_run(be_right, (void *)i, output, sizeof(output)), 0);
		if (*output)
			fail_msg("right code %u:\n%s", (unsigned int)i, output);
	}
	assert_int_equal(child_run(be_right_twice, NULL, output, sizeof(output)), 0);
	assert_string_equal(output, "");
}

/* ---- full tables ---- */

static void too_many_classes(void *unused)
{
	static char keys[5000];
	static spinlock_t lock;

	(void)unused;
	boot_child();
	for (unsigned int i = 0; i < sizeof(keys); i++) {
		flagstone_spin_lock_init(&lock, "many", (const struct lock_class_key *)&keys[i]);
		spin_lock(&lock);
		spin_unlock(&lock);
	}
	child_down();
}

static void too_many_held(void *unused)
{
	static char keys[60];
	static spinlock_t locks[60];

	(void)unused;
	boot_child();
	for (unsigned int i = 0; i < sizeof(keys); i++) {
		flagstone_spin_lock_init(&locks[i], "many", (const struct lock_class_key *)&keys[i]);
		spin_lock(&locks[i]);
	}
	for (unsigned int i = 0; i < sizeof(keys); i++)
		spin_unlock(&locks[i]);
	child_down();
}

static void full_tables_are_one_note(void **state)
{
	(void)state;
	assert_int_equal(child_run(too_many_classes, NULL, output, sizeof(output)), 0);
	assert_string_equal(
		output, "flagstone: lock checking: more than 4096 classes of locks: the others are not checked\n");
	assert_int_equal(child_run(too_many_held, NULL, output, sizeof(output)), 0);
	assert_string_equal(
		output, "flagstone: lock checking: boot/2 holds more than 48 locks: the others are not checked\n");
}

/* ---- many tasks at once ---- */

static struct object many[16];
static unsigned long counts[16]; /* Synchronization: many[i].lock */

/* In ascending order, each a class of its own. */
static int take_many(void *number)
{
	for (unsigned int i = 0; i < 100; i++) {
		unsigned int first = ((unsigned int)(uintptr_t)number + i) % 16, second = (first + 1 + i % 3) % 16;

		if (first > second) {
			unsigned int swap = first;

			first = second;
			second = swap;
		}
		if (i % 7 == 0)
			mutex_lock(&m);
		spin_lock_irq(&many[first].lock);
		spin_lock(&many[second].lock);
		counts[first]++;
		counts[second]++;
		spin_unlock(&many[second].lock);
		spin_unlock_irq(&many[first].lock);
		if (i % 7 == 0)
			mutex_unlock(&m);
	}
	return 0;
}

static void many_tasks_are_checked_at_once(void **state)
{
	static struct lock_class_key keys[16];
	unsigned long total = 0;

	(void)state;
	lockdep_on = true;
	assert_int_equal(sched_boot(test_cpus(8)), 0);
	for (unsigned int i = 0; i < 16; i++) {
		spin_lock_init(&many[i].lock);
		lockdep_set_class(&many[i].lock, &keys[i]);
	}
	assert_int_equal(preempt_force(50, 5), 0);
	tasks_run(take_many, 24);
	assert_int_equal(preempt_force(0, 0), 0);
	for (unsigned int i = 0; i < 16; i++)
		total += counts[i];
	assert_int_equal(total, 24 * 100 * 2);
	assert_int_equal(sched_shutdown(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_one_report),
		cmocka_unit_test(reports_have_stacks),
		cmocka_unit_test(right_code_is_not_accused),
		cmocka_unit_test(full_tables_are_one_note),
		cmocka_unit_test(many_tasks_are_checked_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
