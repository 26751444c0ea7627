/*
 * boot.c: this room's start and end.
 *
 * Calls every other file's.
 */
#include "runtime/irq/freed.h"
#include "runtime/irq/internal.h"

int irq_boot(void)
{
	int error;

	sleepers_boot();
	freed_boot();
	dispatch_boot();
	lines_boot();
	tasklet_boot();
	timer_boot();
	hotplug_boot();
	error = calls_boot();
	if (!error)
		error = softirq_boot();
	if (!error)
		error = workqueue_boot();
	if (error)
		irq_shutdown();
	return error;
}

void report_pending(const char *what, const void *object, uintptr_t function)
{
	report_note("leak: %s at %p, still pending; its function:", what, object);
	report_stack(&function, 1);
}

unsigned int irq_shutdown(void)
{
	unsigned int nr_left;

	/* Timers first: those of delayed work would queue it on what is gone. */
	nr_left = timer_shutdown_room();
	nr_left += workqueue_shutdown();
	softirq_shutdown();
	nr_left += timer_shutdown_room();
	nr_left += tasklet_shutdown();
	nr_left += lines_shutdown();
	dispatch_shutdown();
	calls_shutdown();
	return nr_left;
}
