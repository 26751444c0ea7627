/*
 * avoid.c: aarch64 hosts whose rseq must not be trusted.
 *
 * Kernels from 6.19 on were reported not to abort a section when the thread that preempted it ran on the same core. Until
 * shown otherwise they get thread magazines; FLAGSTONE_CONF=magazine=rseq overrides.
 */
#include "percpu/ops.h"
#include "runtime/host/host.h"

static unsigned long parse_number(const char **text)
{
	unsigned long value = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++)
		value = value * 10 + (unsigned long)(**text - '0');
	return value;
}

bool ops_avoided(void)
{
	char release[64];
	const char *at = release;
	unsigned long major, minor;

	if (host_read_file("/proc/sys/kernel/osrelease", release, sizeof(release)) <= 0)
		return true;
	major = parse_number(&at);
	if (*at == '.')
		at++;
	minor = parse_number(&at);
	return major > 6 || (major == 6 && minor >= 19);
}
