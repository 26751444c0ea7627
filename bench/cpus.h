/*
 * cpus.h: where benchmark threads run, and who else uses the same CPUs.
 */
#ifndef BENCH_CPUS_H
#define BENCH_CPUS_H

/* Remembers the CPUs that the program may use. Call once, before any thread is pinned. */
void cpus_init(void);
unsigned int cpus_count(void);

/* Pins the calling thread to the index-th of those CPUs, counted round. */
void cpus_pin(unsigned int index);
void cpus_unpin(void);

/* Seconds that those CPUs have been busy since the system started, with anything, and taken away by a hypervisor. */
double cpus_busy_seconds(void);

#endif
