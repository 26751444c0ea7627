/*
 * altstack.c: where a task's thread handles a signal when its own stack is no good: it has run over, or its pointer is wild.
 *
 * Calls host. Refuses to know what is handled. A thread that has such a stack already, of the program's or a sanitizer's,
 * keeps that.
 */
#include <signal.h>

#include "runtime/host/host.h"
#include "runtime/sched/internal.h"

#define ALTSTACK_BYTES 65536

static __thread void *own; /* NULL: this thread has none of ours */

void altstack_enter(void)
{
	stack_t stack;

	if (own || sigaltstack(NULL, &stack) || !(stack.ss_flags & SS_DISABLE))
		return;
	own = host_map(ALTSTACK_BYTES);
	stack = (stack_t){.ss_sp = own, .ss_size = ALTSTACK_BYTES};
	if (own)
		sigaltstack(&stack, NULL);
}

void altstack_leave(void)
{
	const stack_t none = {.ss_flags = SS_DISABLE};
	stack_t stack;

	if (!own)
		return;
	/* The program may have set another one meanwhile. */
	if (!sigaltstack(NULL, &stack) && stack.ss_sp == own)
		sigaltstack(&none, NULL);
	host_unmap(own, ALTSTACK_BYTES);
	own = NULL;
}
