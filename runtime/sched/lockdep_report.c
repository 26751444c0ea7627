/*
 * lockdep_report.c: the words of lock checking: the kernel's, with stacks.
 *
 * Calls report.c. Decides nothing.
 */
#include <linux/preempt.h>

#include "runtime/lib/report.h"
#include "runtime/sched/lockdep.h"

#define NR_FRAMES 16

static const char *const usage_names[NR_LOCK_USAGES] = {
	[IN_HARDIRQ] = "IN-HARDIRQ-W",
	[IN_HARDIRQ_READ] = "IN-HARDIRQ-R",
	[IN_SOFTIRQ] = "IN-SOFTIRQ-W",
	[IN_SOFTIRQ_READ] = "IN-SOFTIRQ-R",
	[ON_HARDIRQ] = "HARDIRQ-ON-W",
	[ON_HARDIRQ_READ] = "HARDIRQ-ON-R",
	[ON_SOFTIRQ] = "SOFTIRQ-ON-W",
	[ON_SOFTIRQ_READ] = "SOFTIRQ-ON-R",
};

static const char *irq_name(enum lock_usage usage)
{
	return usage & 2 ? "SOFTIRQ" : "HARDIRQ";
}

static void print_stack(const struct sched_section *stack)
{
	report_frames(stack->frames, stack->nr);
}

static noinline void print_this_stack(void)
{
	uintptr_t frames[NR_FRAMES];
	unsigned int nr = sched_stack(frames, NR_FRAMES);

	report_line("%s", "");
	report_line("stack backtrace:");
	report_frames(frames, nr);
}

/* Four characters: with hard interrupts as a writer, as a reader, with softirqs: in them '-', with them on '+', both '?', neither '.'. */
static const char *usage_text(const struct lock_class *class, char *text)
{
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int usage = __atomic_load_n(&class->usage, __ATOMIC_RELAXED);
		unsigned int in = usage >> i & 1, on = usage >> (i + 4) & 1;

		text[i] = ".-+?"[in + 2 * on];
	}
	text[4] = '\0';
	return text;
}

static void print_class(const char *before, const struct lock_class *class, const char *after)
{
	char usage[5], subclass[3] = "";

	if (class->subclass) {
		subclass[0] = '/';
		subclass[1] = (char)('0' + class->subclass % 10);
	}
	report_line("%s(%s%s){%s}%s", before, class->name, subclass, usage_text(class, usage), after);
}

static void print_lock(const struct held_lock *lock)
{
	char usage[5];

	report_line("%p (%s){%s}, at: %p", (void *)lock->map, lock->class->name, usage_text(lock->class, usage),
		lock->where.nr > 1 ? (void *)lock->where.frames[1] : NULL);
}

static void print_task(const char *does)
{
	report_line("%s/%d %s", current->comm, current->pid, does);
}

void lockdep_print_locks(const struct held_locks *held, const struct task_struct *task)
{
	if (!held->nr) {
		report_line("no locks held by %s/%d.", task->comm, task->pid);
		return;
	}
	report_line("%u lock%s held by %s/%d:", held->nr, held->nr == 1 ? "" : "s", task->comm, task->pid);
	for (unsigned int i = 0; i < held->nr; i++) {
		char usage[5];

		report_line(" #%u: %p (%s){%s}, taken at:", i, (void *)held->locks[i].map, held->locks[i].class->name,
			usage_text(held->locks[i].class, usage));
		print_stack(&held->locks[i].where);
	}
}

void lockdep_print_held(struct task_struct *task)
{
	if (task && task->held)
		lockdep_print_locks(task->held, task);
}

static void begin(const char *text)
{
	report_begin("WARNING: ", "%s", text);
	report_line("------------------------------------------------------");
}

static void end(void)
{
	lockdep_print_held(current);
	print_this_stack();
	report_end();
}

void __report_recursion(const struct held_lock *held, const struct held_lock *next)
{
	begin("possible recursive locking detected");
	print_task("is trying to acquire lock:");
	print_lock(next);
	report_line("but task is already holding lock:");
	print_lock(held);
	report_line("%s", "");
	report_line("other info that might help us debug this:");
	report_line(" Possible unsafe locking scenario:");
	report_line("       CPU0");
	report_line("       ----");
	report_line("  lock(%s);", held->class->name);
	report_line("  lock(%s);", next->class->name);
	report_line(" *** DEADLOCK ***");
	report_line(" May be due to missing lock nesting notation");
	end();
}

void __report_circular(const struct held_lock *prev, const struct held_lock *next, const struct lock_path *path)
{
	char number[16];

	begin("possible circular locking dependency detected");
	print_task("is trying to acquire lock:");
	print_lock(next);
	report_line("but task is already holding lock:");
	print_lock(prev);
	report_line("which lock already depends on the new lock.");
	report_line("%s", "");
	report_line("the existing dependency chain (in reverse order) is:");
	for (unsigned int i = 0; i < path->nr; i++) {
		const struct lock_edge *edge = &lock_edges[path->edges[i]];
		struct text text = TEXT_INIT(number, sizeof(number), -1);

		text_printf(&text, "-> #%u ", path->nr - i);
		print_class(number, &lock_classes[edge->to], ":");
		print_stack(&edge->where);
	}
	print_class("-> #0 ", next->class, ":");
	print_stack(&next->where);
	report_line("%s", "");
	report_line("other info that might help us debug this:");
	report_line(" Possible unsafe locking scenario:");
	report_line("       CPU0                    CPU1");
	report_line("       ----                    ----");
	report_line("  lock(%s);", prev->class->name);
	report_line("                               lock(%s);", next->class->name);
	report_line("                               lock(%s);", prev->class->name);
	report_line("  lock(%s);", next->class->name);
	report_line(" *** DEADLOCK ***");
	end();
}

static void print_state(const char *does)
{
	report_line("%s/%d [HC%d:SC%d:HE%d:SE%d] %s", current->comm, current->pid, in_hardirq(), in_serving_softirq(),
		!sched_this.irqs_off && !in_hardirq(), !softirq_count(), does);
}

void __report_inconsistent(const struct held_lock *lock, enum lock_usage before, enum lock_usage now)
{
	begin("inconsistent lock state");
	report_line("inconsistent {%s} -> {%s} usage.", usage_names[before], usage_names[now]);
	print_state("takes:");
	print_lock(lock);
	report_line("{%s} state was registered at:", usage_names[before]);
	print_stack(&lock->class->where[before]);
	report_line("{%s} state is registered at:", usage_names[now]);
	print_stack(&lock->where);
	report_line("%s", "");
	report_line("other info that might help us debug this:");
	report_line(" Possible unsafe locking scenario:");
	report_line("       CPU0");
	report_line("       ----");
	report_line("  lock(%s);", lock->class->name);
	report_line("  <Interrupt>");
	report_line("    lock(%s);", lock->class->name);
	report_line(" *** DEADLOCK ***");
	end();
}

static void print_interrupt_scenario(const struct lock_class *safe, const struct lock_class *unsafe)
{
	report_line("%s", "");
	report_line(" Possible interrupt unsafe locking scenario:");
	report_line("       CPU0                    CPU1");
	report_line("       ----                    ----");
	report_line("  lock(%s);", unsafe->name);
	report_line("                               local_irq_disable();");
	report_line("                               lock(%s);", safe->name);
	report_line("                               lock(%s);", unsafe->name);
	report_line("  <Interrupt>");
	report_line("    lock(%s);", safe->name);
	report_line(" *** DEADLOCK ***");
}

static void print_usage(const char *title, const struct lock_class *class, enum lock_usage usage)
{
	print_class(title, class, "");
	report_line("... which became %s-irq-%s at:", irq_name(usage), usage < ON_HARDIRQ ? "safe" : "unsafe");
	print_stack(&class->where[usage]);
}

void __report_inversion(const struct held_lock *lock, const struct lock_class *other, enum lock_usage usage,
	enum lock_usage others, const struct lock_path *path, bool backwards)
{
	begin("possible irq lock inversion dependency detected");
	print_task("just changed the state of lock:");
	print_lock(lock);
	report_line(backwards ? "but this lock was taken by another, %s-safe lock in the past:"
			      : "but this lock took another, %s-unsafe lock in the past:",
		irq_name(others));
	print_usage(" ", other, others);
	report_line("and interrupts could create inverse lock ordering between them.");
	print_usage("the lock whose state changed: ", lock->class, usage);
	report_line("the shortest dependencies between the two (the last first):");
	for (unsigned int i = 0; i < path->nr; i++) {
		const struct lock_edge *edge = &lock_edges[path->edges[i]];

		report_line(" %s -> %s, taken at:", lock_classes[edge->from].name, lock_classes[edge->to].name);
		print_stack(&edge->where);
	}
	if (backwards)
		print_interrupt_scenario(other, lock->class);
	else
		print_interrupt_scenario(lock->class, other);
	end();
}

void __report_unsafe_order(const struct held_lock *prev, const struct held_lock *next, const struct lock_class *safe,
	enum lock_usage safe_usage, const struct lock_class *unsafe, enum lock_usage unsafe_usage)
{
	const char *irq = irq_name(safe_usage);

	report_begin("WARNING: ", "%s-safe -> %s-unsafe lock order detected", irq, irq);
	report_line("------------------------------------------------------");
	print_state("is trying to acquire:");
	print_lock(next);
	report_line("and this task is already holding:");
	print_lock(prev);
	report_line("which would create a new lock dependency:");
	report_line(" (%s) -> (%s)", prev->class->name, next->class->name);
	report_line("but this new dependency connects a %s-irq-safe lock:", irq);
	print_usage(" ", safe, safe_usage);
	report_line("to a %s-irq-unsafe lock:", irq);
	print_usage(" ", unsafe, unsafe_usage);
	print_interrupt_scenario(safe, unsafe);
	end();
}

void report_unbalanced(const struct lockdep_map *map, const struct held_locks *held)
{
	begin("bad unlock balance detected!");
	report_line("%s/%d is trying to release lock (%s) %p", current->comm, current->pid, map->name ? map->name : "?",
		(const void *)map);
	report_line(held->nr ? "but it holds others only!" : "but there are no more locks to release!");
	end();
}

void report_held_at_end(void)
{
	report_begin("WARNING: ", "%s/%d still has locks held!", current->comm, current->pid);
	report_line("------------------------------------------------------");
	end();
}

void report_held_freed(const struct held_lock *lock, const void *from, size_t size)
{
	begin("held lock freed!");
	report_line("%s/%d is freeing memory %p-%p, with a lock still held there!", current->comm, current->pid, from,
		(const void *)((const char *)from + size - 1));
	print_lock(lock);
	end();
}
