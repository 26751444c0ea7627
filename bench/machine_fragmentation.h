/*
 * machine_fragmentation.h: what flagstone-bench-machine calls for the table of fragmentation.
 */
#ifndef BENCH_MACHINE_FRAGMENTATION_H
#define BENCH_MACHINE_FRAGMENTATION_H

/* Prints a line for each seed from 1, and their mean. No machine is booted. */
void fragmentation_table(unsigned int nr_seeds);

#endif
