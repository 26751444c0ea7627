/*
 * avoid.c: x86-64 hosts whose rseq magazines must not be trusted: processors before AVX.
 *
 * Installing a pair is one 16-byte store, which must not be torn where a drain compares and swaps the same 16 bytes. Makers
 * promise that for processors that have AVX.
 *
 * A virtual machine leaves to its host for every CPUID: tens of microseconds each. libc has asked already, and is asked
 * first. The compiler's __builtin_cpu_supports() is no choice: it brings a constructor that asks a dozen times.
 */
#include <cpuid.h>
#include <stdint.h>

#include "percpu/ops.h"

#define LEAF_FEATURES 1 /* of CPUID */
#define INDEX_FEATURES 0 /* glibc's number for that leaf, CPUID_INDEX_1 */

/* glibc's <sys/platform/x86.h>, from 2.33 on: what CPUID said. */
struct cpuid_feature {
	uint32_t eax, ebx, ecx, edx;
	uint32_t active[4];
};
const struct cpuid_feature *__x86_get_cpuid_feature_leaf(unsigned int index) __attribute__((weak));

bool ops_avoided(void)
{
	uint32_t eax, ebx, ecx, edx;

	if (__x86_get_cpuid_feature_leaf)
		ecx = __x86_get_cpuid_feature_leaf(INDEX_FEATURES)->ecx;
	else
		__cpuid(LEAF_FEATURES, eax, ebx, ecx, edx);
	return !(ecx & bit_AVX);
}
