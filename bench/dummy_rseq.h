/*
 * dummy_rseq.h: an rseq area of the program's own, for programs whose threads take turns under valgrind.
 *
 * Under valgrind no thread has a live rseq area. So the program defines one in the C library's place. The kernel does
 * not know it, and no section is ever aborted: sound where turns end between operations, and nothing interrupts one.
 *
 * Included once in a program: it defines what it declares.
 */
#ifndef BENCH_DUMMY_RSEQ_H
#define BENCH_DUMMY_RSEQ_H

#include "rseq_area.h"

__thread struct dummy_rseq dummy_rseq __attribute__((used));

/* What the C library says of its own area. The offset must be there before any code runs: the linker writes it. */
#if defined(__x86_64__)
__attribute__((visibility("default"))) const unsigned int __rseq_size = sizeof(struct dummy_rseq);
__asm__(".pushsection .data.rel.ro\n\t.balign 8\n\t.globl __rseq_offset\n\t.type __rseq_offset, @object\n"
	"\t.size __rseq_offset, 8\n__rseq_offset:\n\t.quad dummy_rseq@tpoff\n\t.popsection");
#endif

#endif
