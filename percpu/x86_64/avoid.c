/*
 * avoid.c: x86-64 hosts whose rseq must not be trusted: none known.
 */
#include "percpu/ops.h"

bool ops_avoided(void)
{
	return false;
}
