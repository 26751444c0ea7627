/*
 * request.c: handlers come to an interrupt line and leave it, and the threads of those that have one.
 *
 * Calls lines.c for the line, sched for threads.
 */
#include <errno.h>
#include <string.h>

#include "runtime/irq/lines.h"

/* Handlers come and go one at a time. Synchronization: atomic; waited for with sleep_on() */
static uint32_t changing;

static bool may_change(void *unused)
{
	(void)unused;
	/* Pairs with change_end(). */
	return !__atomic_exchange_n(&changing, 1, __ATOMIC_ACQUIRE);
}

static void change_begin(void)
{
	sleep_on(&changing, may_change, NULL);
}

static void change_end(void)
{
	__atomic_store_n(&changing, 0, __ATOMIC_RELEASE);
	wake_on(&changing);
}

/* ---- threads ---- */

static irqreturn_t only_wakes(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
	return IRQ_WAKE_THREAD;
}

static void thread_done(struct irq_line *line, struct irqaction *action)
{
	host_sigmask_t mask = lock_acquire_masked(&line->lock);

	/* One that was woken again since keeps the line masked. */
	if (!__atomic_load_n(&action->thread_runs, __ATOMIC_RELAXED))
		line->oneshot &= ~action->thread_bit;
	line->nr_threads_active--;
	__line_look(line);
	lock_release_masked(&line->lock, mask);
	wake_on(line);
}

/* Returns false when the thread is to end. */
static bool wait_for_run(struct irqaction *action)
{
	for (;;) {
		bool stop;

		set_current_state(TASK_INTERRUPTIBLE);
		stop = kthread_should_stop();
		/* Pairs with wake_thread(). One that is to end runs once more if it has to. */
		if (__atomic_exchange_n(&action->thread_runs, 0, __ATOMIC_ACQ_REL)) {
			__set_current_state(TASK_RUNNING);
			return true;
		}
		if (stop)
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return false;
}

static int irq_thread(void *data)
{
	struct irqaction *action = data;

	while (wait_for_run(action)) {
		action->thread_fn((int)action->irq, action->dev_id);
		thread_done(&lines[action->irq], action);
	}
	return 0;
}

static int start_thread(struct irqaction *action, const void *caller)
{
	char name[32];
	struct text text = TEXT_INIT(name, sizeof(name), -1);
	struct task_struct *thread;

	text_printf(&text, "irq/%u-%s", action->irq, action->name);
	thread = sched_kthread_create(&(struct sched_kthread){
		.function = irq_thread, .data = action, .cpu = -1, .name = name, .serves = true, .caller = caller});
	if (IS_ERR(thread))
		return (int)PTR_ERR(thread);
	action->thread = thread;
	wake_up_process(thread);
	return 0;
}

/* ---- requesting ---- */

static int check_request(unsigned int irq, irq_handler_t handler, irq_handler_t thread_fn, unsigned long flags,
	const char *name, void *dev_id)
{
	if (irq >= FLAGSTONE_NR_IRQS || ((flags & IRQF_SHARED) && !dev_id) || (!handler && !thread_fn) ||
		((flags & IRQF_SHARED) && (flags & IRQF_NO_AUTOEN)))
		return -EINVAL;
	if (!handler && !(flags & IRQF_ONESHOT)) {
		report_note("genirq: Threaded irq requested with handler=NULL and !ONESHOT for %s (irq %u)", name, irq);
		return -EINVAL;
	}
	return 0;
}

static bool matches(const struct irqaction *old, const struct irqaction *action)
{
	return (old->flags & action->flags & IRQF_SHARED) &&
	       !((old->flags ^ action->flags) & (IRQF_TRIGGER_MASK | IRQF_ONESHOT));
}

static unsigned int __free_thread_bit(const struct irq_line *line)
{
	unsigned int used = 0;

	for (const struct irqaction *action = line->actions; action; action = action->next)
		used |= action->thread_bit;
	return ~used & -~used;
}

static void __open(struct irq_line *line, const struct irqaction *action)
{
	line->is_level = action->flags & (IRQF_TRIGGER_HIGH | IRQF_TRIGGER_LOW);
	line->depth = action->flags & IRQF_NO_AUTOEN ? 1 : 0;
	line->oneshot = 0;
	line->nr_seen = 0;
	line->nr_unhandled = 0;
	line->again = false;
	line->kept = false;
	__atomic_store_n(&line->raised, 0, __ATOMIC_RELAXED);
	__line_choose(line);
}

static int add_action(struct irq_line *line, struct irqaction *action)
{
	host_sigmask_t mask = lock_acquire_masked(&line->lock);
	struct irqaction **end = &line->actions;
	const struct irqaction *first = line->actions;
	unsigned int bit = __free_thread_bit(line);
	int error = 0;

	if (first && !matches(first, action)) {
		error = -EBUSY;
	} else if ((action->flags & IRQF_ONESHOT) && !bit) {
		error = -EBUSY;
	} else {
		action->thread_bit = action->flags & IRQF_ONESHOT ? bit : 0;
		if (!first)
			__open(line, action);
		while (*end)
			end = &(*end)->next;
		/* Pairs with run_handlers() and flagstone_irq_raise(). */
		__atomic_store_n(end, action, __ATOMIC_RELEASE);
		__atomic_store_n(&line->requested, 1, __ATOMIC_RELEASE);
		__line_look(line);
	}
	lock_release_masked(&line->lock, mask);
	if (error && first && !(action->flags & IRQF_PROBE_SHARED))
		report_note("genirq: Flags mismatch irq %u. %08lx (%s) vs. %08lx (%s)", action->irq, action->flags,
			action->name, first->flags, first->name);
	return error;
}

static void record(const struct irqaction *action, const void *caller)
{
	char name[32];
	struct text text = TEXT_INIT(name, sizeof(name), -1);

	text_printf(&text, "%u (%s)", action->irq, action->name);
	resource_made(&(struct resource){.type = RESOURCE_IRQ, .object = action, .name = name, .caller = caller});
}

int request_threaded_irq(unsigned int irq, irq_handler_t handler, irq_handler_t thread_fn, unsigned long flags,
	const char *name, void *dev_id)
{
	const void *caller = __builtin_return_address(0);
	struct irqaction *action;
	int error = check_request(irq, handler, thread_fn, flags, name, dev_id);

	might_sleep();
	if (error)
		return error;
	action = sched_kzalloc(sizeof(*action), caller);
	if (!action)
		return -ENOMEM;
	*action = (struct irqaction){.irq = irq,
		.handler = handler ? handler : only_wakes,
		.thread_fn = thread_fn,
		.flags = flags,
		.name = name ? name : "?",
		.dev_id = dev_id};
	change_begin();
	if (thread_fn)
		error = start_thread(action, caller);
	if (!error)
		error = add_action(&lines[irq], action);
	if (error && action->thread)
		kthread_stop(action->thread);
	if (!error)
		record(action, caller);
	change_end();
	if (error)
		sched_free(action);
	return error;
}

/* ---- freeing ---- */

static struct irqaction *remove_action(struct irq_line *line, void *dev_id)
{
	host_sigmask_t mask = lock_acquire_masked(&line->lock);
	struct irqaction **at = &line->actions, *action;

	while (*at && (*at)->dev_id != dev_id)
		at = &(*at)->next;
	action = *at;
	if (action)
		__atomic_store_n(at, action->next, __ATOMIC_RELEASE);
	if (!line->actions)
		__atomic_store_n(&line->requested, 0, __ATOMIC_RELEASE);
	lock_release_masked(&line->lock, mask);
	return action;
}

/* Its thread has ended: the line is not masked for it any more. */
static void forget_thread(struct irq_line *line, struct irqaction *action)
{
	host_sigmask_t mask = lock_acquire_masked(&line->lock);

	line->oneshot &= ~action->thread_bit;
	__line_look(line);
	lock_release_masked(&line->lock, mask);
}

const void *free_irq(unsigned int irq, void *dev_id)
{
	struct irqaction *action = NULL;
	const char *name = NULL;

	if (in_interrupt()) {
		report_bug("Trying to free IRQ %u from IRQ context!", irq);
		return NULL;
	}
	if (irq >= FLAGSTONE_NR_IRQS)
		return NULL;
	might_sleep();
	change_begin();
	action = remove_action(&lines[irq], dev_id);
	if (action) {
		synchronize_irq(irq);
		if (action->thread) {
			kthread_stop(action->thread);
			forget_thread(&lines[irq], action);
		}
		name = action->name;
		resource_ended(RESOURCE_IRQ, action);
		sched_free(action);
	}
	change_end();
	if (!action)
		report_bug("Trying to free already-free IRQ %u", irq);
	return name;
}

void lines_boot(void)
{
	memset(lines, 0, sizeof(lines));
	changing = 0;
	for (unsigned int irq = 0; irq < FLAGSTONE_NR_IRQS; irq++) {
		lock_init(&lines[irq].lock, LOCK_TASKS);
		memset(lines[irq].affinity, 0xff, sizeof(lines[irq].affinity));
	}
}

unsigned int lines_shutdown(void)
{
	unsigned int nr = resources_report(RESOURCE_IRQ);

	for (unsigned int irq = 0; irq < FLAGSTONE_NR_IRQS; irq++)
		while (lines[irq].actions)
			free_irq(irq, lines[irq].actions->dev_id);
	return nr;
}
