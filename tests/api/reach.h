/*
 * reach.h: what the files of that name share. Each includes as little as kernel code does, so that what it needs has to come by that.
 */
#ifndef TESTS_API_REACH_H
#define TESTS_API_REACH_H

/* No <linux/...> here. */
struct reached {
	int length;
	int words[];
};

/* 0. Context: task. */
int reach_kernel(void);
int reach_module(void);
int reach_interrupt(void);

#endif
