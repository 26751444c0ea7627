/*
 * linux/panic.h: the end.
 *
 * Semantics: Linux, Documentation/core-api/kernel-api.rst; Documentation/admin-guide/sysctl/kernel.rst (panic). Any context.
 */
#ifndef FLAGSTONE_LINUX_PANIC_H
#define FLAGSTONE_LINUX_PANIC_H

#include <linux/compiler.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "Kernel panic - not syncing: TEXT", this CPU, its task and the stack, and the end of the process by SIGABRT, whatever on_bug says. */
void panic(const char *format, ...) __printf(1, 2) __attribute__((noreturn, cold));

#ifdef __cplusplus
}
#endif

#endif
