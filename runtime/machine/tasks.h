/*
 * tasks.h: which tasks are the machine's own, and which the program forgot.
 */
#ifndef RUNTIME_MACHINE_TASKS_H
#define RUNTIME_MACHINE_TASKS_H

/* Tasks up to now are the machine's own. */
void tasks_mark_own(void);
/* Tasks that are neither the machine's own nor this one, and have not ended. */
unsigned int tasks_count_others(void);
/* Names the tasks that are neither the machine's own nor this one; waits until those are gone that have ended. Returns how many.
 * Task context, may sleep. */
unsigned int tasks_report_others(void);

#endif
