/*
 * lines.c: interrupt lines: how an edge or a level becomes one run of the handlers, masking, and lines that nobody
 * cares for.
 *
 * Calls dispatch.c's pending bits and sched to reach a CPU. Knows of handlers only that they are a list.
 */
#include <errno.h>

#include "runtime/irq/lines.h"

#define NOTE_EVERY 100000u
#define NOTE_UNHANDLED 99900u

struct irq_line lines[FLAGSTONE_NR_IRQS];

static unsigned int number_of(const struct irq_line *line)
{
	return (unsigned int)(line - lines);
}

bool __line_is_masked(const struct irq_line *line)
{
	return line->depth || line->oneshot;
}

unsigned int line_target(unsigned int irq)
{
	return __atomic_load_n(&lines[irq].target, __ATOMIC_RELAXED);
}

void line_post(unsigned int irq)
{
	unsigned int target = line_target(irq);

	/* Pairs with run_devices(): what the device wrote before is visible to the handlers. */
	__atomic_fetch_or(&irq_cpus[target].pending[irq / 64], 1ull << irq % 64, __ATOMIC_RELEASE);
	cpu_raise(target, CPU_IRQ);
}

/* Whether the edge is a new one. */
static bool take_edge(struct irq_line *line)
{
	/* Pairs with begin(): a device that finds its last edge not begun knows that the handlers will see what it
	 * wrote before. */
	return !__atomic_exchange_n(&line->raised, 1, __ATOMIC_ACQ_REL);
}

bool flagstone_irq_raise(unsigned int irq)
{
	host_sigmask_t mask;
	bool is_new;

	if (irq >= FLAGSTONE_NR_IRQS || !__atomic_load_n(&lines[irq].requested, __ATOMIC_ACQUIRE))
		return false;
	/* Who has taken the edge posts it before anything else runs here: others leave it to this one. */
	mask = host_signals_block();
	is_new = take_edge(&lines[irq]);
	if (is_new)
		line_post(irq);
	host_signals_restore(mask);
	return is_new;
}

bool flagstone_irq_set_level(unsigned int irq, bool up)
{
	if (irq >= FLAGSTONE_NR_IRQS)
		return false;
	/* Pairs with __line_look(): either it sees the level, or the edge is a new one. */
	__atomic_exchange_n(&lines[irq].up, up, __ATOMIC_SEQ_CST);
	return up && flagstone_irq_raise(irq);
}

unsigned long flagstone_irq_count(unsigned int irq, int cpu)
{
	unsigned long count = 0;

	if (irq >= FLAGSTONE_NR_IRQS || cpu >= MAX_CPUS)
		return 0;
	if (cpu >= 0)
		return __atomic_load_n(&lines[irq].counts[cpu], __ATOMIC_RELAXED);
	for (cpu = 0; cpu < MAX_CPUS; cpu++)
		count += __atomic_load_n(&lines[irq].counts[cpu], __ATOMIC_RELAXED);
	return count;
}

void __line_look(struct irq_line *line)
{
	if (__line_is_masked(line) || line->in_progress || !line->requested)
		return;
	if (line->kept) {
		line->kept = false;
		line_post(number_of(line));
	} else if (line->is_level && __atomic_fetch_or(&line->up, 0, __ATOMIC_SEQ_CST) && take_edge(line)) {
		line_post(number_of(line));
	}
}

/* ---- a run of the handlers ---- */

static void wake_thread(struct irq_line *line, struct irqaction *action)
{
	if (!action->thread_fn) {
		report_bug("IRQ %u device %s returned IRQ_WAKE_THREAD but no thread function available.", action->irq,
			action->name);
		return;
	}
	lock_acquire(&line->lock);
	/* Pairs with wait_for_run(): what the handler wrote is visible in the thread. */
	if (!__atomic_exchange_n(&action->thread_runs, 1, __ATOMIC_ACQ_REL)) {
		line->oneshot |= action->thread_bit;
		line->nr_threads_active++;
	}
	lock_release(&line->lock);
	wake_up_process(action->thread);
}

static unsigned int run_handlers(struct irq_line *line)
{
	struct irqaction *action;
	unsigned int all = 0;

	__atomic_fetch_add(&line->counts[raw_smp_processor_id()], 1, __ATOMIC_RELAXED);
	/* Pairs with add_action(): the handler it put there is complete. */
	for (action = __atomic_load_n(&line->actions, __ATOMIC_ACQUIRE); action;
		action = __atomic_load_n(&action->next, __ATOMIC_ACQUIRE)) {
		irqreturn_t one = action->handler((int)action->irq, action->dev_id);

		if (one == IRQ_WAKE_THREAD)
			wake_thread(line, action);
		all |= one;
	}
	return all;
}

/* An edge is taken down before the handlers run: what comes from now on is another. */
static void __begin(struct irq_line *line)
{
	line->in_progress = true;
	line->again = false;
	/* Pairs with take_edge(). */
	__atomic_exchange_n(&line->raised, 0, __ATOMIC_ACQ_REL);
}

static void report_nobody_cared(unsigned int irq)
{
	struct irqaction *action;

	report_note("irq %u: nobody cared (try booting with the \"irqpoll\" option)", irq);
	report_note("handlers:");
	for (action = __atomic_load_n(&lines[irq].actions, __ATOMIC_ACQUIRE); action;
		action = __atomic_load_n(&action->next, __ATOMIC_ACQUIRE))
		report_note("[<%p>] %s", (void *)(uintptr_t)action->handler, action->name);
	report_note("Disabling IRQ #%u", irq);
}

/* Of NOTE_EVERY runs nearly all came to nothing: the device is not one of those that have handlers, or is broken. */
static bool __note(struct irq_line *line, unsigned int handled)
{
	bool bad;

	line->nr_unhandled += !handled;
	if (++line->nr_seen < NOTE_EVERY)
		return false;
	bad = line->nr_unhandled > NOTE_UNHANDLED;
	line->nr_seen = 0;
	line->nr_unhandled = 0;
	line->depth += bad;
	return bad;
}

void line_handle(unsigned int irq)
{
	struct irq_line *line = &lines[irq];
	bool again, bad;

	lock_acquire(&line->lock);
	if (!line->actions)
		__atomic_store_n(&line->raised, 0, __ATOMIC_RELAXED);
	if (!__atomic_load_n(&line->raised, __ATOMIC_RELAXED)) {
		/* What was raised for handlers that are gone. */
		lock_release(&line->lock);
		return;
	}
	if (line->in_progress || __line_is_masked(line)) {
		/* The CPU that runs them runs them once more. */
		line->again |= line->in_progress;
		line->kept |= !line->in_progress;
		lock_release(&line->lock);
		return;
	}
	do {
		unsigned int handled;

		__begin(line);
		lock_release(&line->lock);
		handled = run_handlers(line);
		lock_acquire(&line->lock);
		line->nr_runs++;
		bad = __note(line, handled);
		again = line->again && !__line_is_masked(line);
	} while (again);
	line->in_progress = false;
	line->kept |= line->again;
	line->again = false;
	__line_look(line);
	lock_release(&line->lock);
	if (bad)
		report_nobody_cared(irq);
	wake_on(line);
}

/* ---- disabling ---- */

void disable_irq_nosync(unsigned int irq)
{
	host_sigmask_t mask;

	if (irq >= FLAGSTONE_NR_IRQS)
		return;
	mask = lock_acquire_masked(&lines[irq].lock);
	lines[irq].depth++;
	lock_release_masked(&lines[irq].lock, mask);
}

void disable_irq(unsigned int irq)
{
	disable_irq_nosync(irq);
	synchronize_irq(irq);
}

void enable_irq(unsigned int irq)
{
	bool unbalanced;
	host_sigmask_t mask;

	if (irq >= FLAGSTONE_NR_IRQS)
		return;
	mask = lock_acquire_masked(&lines[irq].lock);
	unbalanced = !lines[irq].depth;
	lines[irq].depth -= !unbalanced;
	__line_look(&lines[irq]);
	lock_release_masked(&lines[irq].lock, mask);
	if (unbalanced)
		report_bug("Unbalanced enable for IRQ %u", irq);
}

/* ---- waiting ---- */

struct line_wait {
	struct irq_line *line;
	unsigned int nr_runs; /* before */
	bool threads; /* wait for them too */
};

static bool has_ended(void *arg)
{
	struct line_wait *wait = arg;
	host_sigmask_t mask = lock_acquire_masked(&wait->line->lock);
	bool ended = !wait->line->in_progress || wait->line->nr_runs != wait->nr_runs;

	if (ended && wait->threads)
		ended = !wait->line->nr_threads_active;
	lock_release_masked(&wait->line->lock, mask);
	return ended;
}

static struct line_wait wait_begin(unsigned int irq, bool threads)
{
	struct line_wait wait = {.line = &lines[irq], .threads = threads};
	host_sigmask_t mask = lock_acquire_masked(&wait.line->lock);

	wait.nr_runs = wait.line->nr_runs;
	lock_release_masked(&wait.line->lock, mask);
	return wait;
}

void synchronize_irq(unsigned int irq)
{
	struct line_wait wait;

	if (irq >= FLAGSTONE_NR_IRQS)
		return;
	might_sleep();
	wait = wait_begin(irq, true);
	sleep_on(wait.line, has_ended, &wait);
}

bool synchronize_hardirq(unsigned int irq)
{
	struct line_wait wait;

	if (irq >= FLAGSTONE_NR_IRQS)
		return true;
	wait = wait_begin(irq, false);
	while (!has_ended(&wait))
		wait_a_turn();
	wait.threads = true;
	return has_ended(&wait);
}

/* ---- which CPU ---- */

static bool may_go_to(const struct irq_line *line, unsigned int cpu, bool any)
{
	return cpu_is_online(cpu) && (any || (line->affinity[cpu / 64] >> cpu % 64 & 1));
}

void __line_choose(struct irq_line *line)
{
	unsigned int load[MAX_CPUS] = {0}, best = ~0u;

	for (unsigned int irq = 0; irq < FLAGSTONE_NR_IRQS; irq++)
		if (&lines[irq] != line && __atomic_load_n(&lines[irq].requested, __ATOMIC_RELAXED))
			load[__atomic_load_n(&lines[irq].target, __ATOMIC_RELAXED)]++;
	for (int any = 0; any < 2 && best == ~0u; any++)
		for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++)
			if (may_go_to(line, cpu, any) && (best == ~0u || load[cpu] < load[best]))
				best = cpu;
	__atomic_store_n(&line->target, best == ~0u ? 0 : best, __ATOMIC_RELAXED);
}

int irq_set_affinity(unsigned int irq, const struct cpumask *mask)
{
	struct irq_line *line = &lines[irq];
	host_sigmask_t saved;
	bool any = false;

	for (unsigned int cpu = 0; cpu < sched_nr_cpus; cpu++)
		any |= cpu_is_online(cpu) && cpumask_test_cpu(cpu, mask);
	if (irq >= FLAGSTONE_NR_IRQS || !any)
		return -EINVAL;
	saved = lock_acquire_masked(&line->lock);
	for (unsigned int word = 0; word < CPU_WORDS; word++)
		line->affinity[word] = flagstone_cpumask_word(mask, word);
	__line_choose(line);
	lock_release_masked(&line->lock, saved);
	return 0;
}

int irq_set_affinity_hint(unsigned int irq, const struct cpumask *mask)
{
	if (irq >= FLAGSTONE_NR_IRQS)
		return -EINVAL;
	if (mask)
		irq_set_affinity(irq, mask);
	return 0;
}

void lines_cpu_down(unsigned int cpu)
{
	for (unsigned int irq = 0; irq < FLAGSTONE_NR_IRQS; irq++) {
		host_sigmask_t mask = lock_acquire_masked(&lines[irq].lock);

		if (lines[irq].target == cpu)
			__line_choose(&lines[irq]);
		lock_release_masked(&lines[irq].lock, mask);
	}
	/* What is pending there goes on from there: see run_devices(). */
	cpu_raise(cpu, CPU_IRQ);
}
