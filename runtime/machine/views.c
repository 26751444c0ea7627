/*
 * views.c: what the machine holds, in the formats of the kernel's files in /proc.
 *
 * Calls rooms for numbers. Semantics: Linux, Documentation/filesystems/proc.rst and proc(5).
 */
#include <errno.h>

#include "runtime/machine/machine.h"

void views_write(const char *path)
{
	(void)path;
}
