/*
 * hooks.h: what hooked_calls.c sees of hooks.c.
 */
#ifndef TESTS_PROBES_HOOKS_H
#define TESTS_PROBES_HOOKS_H

extern unsigned long hooks_called;
extern const char *hooks_last; /* name of the one that was called last */

/* Calls one of them. */
long hooks_try(void);

#endif
