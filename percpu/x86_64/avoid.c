/*
 * avoid.c: x86-64 hosts whose rseq magazines must not be trusted: processors before AVX.
 *
 * Installing a pair is one 16-byte store, which must not be torn where a drain compares and swaps the same 16 bytes. Makers
 * promise that for processors that have AVX.
 */
#include "percpu/ops.h"

bool ops_avoided(void)
{
	__builtin_cpu_init();
	return !__builtin_cpu_supports("avx");
}
