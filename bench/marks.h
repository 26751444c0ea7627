/*
 * marks.h: how a traced program tells the reader of the trace what it is about to do: by storing to a known address.
 *
 * The address of marks is in the program's symbol table: the program is not position-independent.
 */
#ifndef BENCH_MARKS_H
#define BENCH_MARKS_H

#define MARKS_CPUS 512
#define MARKS_OPERATIONS 32

enum mark {
	MARK_COUNT, /* from here on, operations count; before, all is warming up */
	MARK_MALLOC, /* an operation begins */
	MARK_FREE,
	MARK_END, /* it ends */
	MARK_AWAY, /* what follows, until the next MARK_CPU, happens nowhere: threads take turns, and lines stay where they are */
	MARK_CPU, /* MARK_CPU + n: what follows happens on CPU n */
	MARK_OPERATION = MARK_CPU + MARKS_CPUS, /* MARK_OPERATION + n: as MARK_MALLOC, of any other operation */
	NR_MARKS = MARK_OPERATION + MARKS_OPERATIONS,
};

#endif
