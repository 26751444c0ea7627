/*
 * boot.c: this room's start and end.
 *
 * Calls every other file's.
 */
#include "runtime/irq/internal.h"

int irq_boot(void)
{
	int error;

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

void irq_shutdown(void)
{
	/* Timers first: those of delayed work would queue it on what is gone. */
	timer_shutdown_room();
	workqueue_shutdown();
	softirq_shutdown();
	timer_shutdown_room();
	tasklet_shutdown();
	lines_shutdown();
	dispatch_shutdown();
	calls_shutdown();
}
