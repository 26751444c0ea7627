/*
 * rseq_area.h: the rseq area of a thread and what it points to, for programs and tests that play the kernel's part.
 *
 * Types alone: no symbol of the C library is touched, as dummy_rseq.h does.
 */
#ifndef BENCH_RSEQ_AREA_H
#define BENCH_RSEQ_AREA_H

#include <stdint.h>

/* The start of the kernel's struct rseq. */
struct dummy_rseq {
	uint32_t cpu_id_start;
	int32_t cpu_id;
	uint64_t rseq_cs;
	uint32_t flags, node_id;
	int32_t mm_cid;
	uint32_t pad;
} __attribute__((aligned(32)));

/* What rseq_cs points to: the kernel's struct rseq_cs. */
struct section {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

#endif
