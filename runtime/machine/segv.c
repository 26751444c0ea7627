/*
 * segv.c: says what a wrong address is, before whatever handles the signal.
 *
 * Calls rooms that know kinds of addresses. Knows nothing of why.
 */
#include <linux/slab.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "runtime/config.h"
#include "runtime/lib/report.h"
#include "runtime/machine/machine.h"
#include "runtime/page/page.h"

static const int signals[] = {SIGSEGV, SIGBUS};
static struct sigaction before[ARRAY_SIZE(signals)]; /* Synchronization: boot and shutdown */

static bool is_zero_size(uintptr_t address)
{
	return address >= (uintptr_t)ZERO_SIZE_PTR && address < (uintptr_t)ZERO_SIZE_PTR + 16;
}

/* An address of the direct map that has a frame but no memory there: highmem. */
static bool is_highmem(uintptr_t address)
{
	const uintptr_t pfn = (address - (uintptr_t)percpu_fast.anchor) >> PAGE_SHIFT;

	return address > (uintptr_t)percpu_fast.anchor && page_pfn_online(pfn) &&
	       page_is_highmem(pfn_to_page_struct(pfn));
}

static const char *kind_of(uintptr_t address)
{
	if (is_zero_size(address))
		return "ZERO_SIZE_PTR, what kmalloc(0) returns";
	if (is_highmem(address))
		return "a highmem page, which has no address until kmap()";
	return NULL;
}

static const struct sigaction *previous(int number)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i] == number)
			return &before[i];
	return NULL;
}

static void pass_on(int number, siginfo_t *info, void *context)
{
	const struct sigaction *action = previous(number);

	if (action->sa_flags & SA_SIGINFO) {
		action->sa_sigaction(number, info, context);
	} else if (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN) {
		action->sa_handler(number);
	} else {
		/* The instruction happens again, and the default with it. */
		sigaction(number, action, NULL);
	}
}

static void on_segv(int number, siginfo_t *info, void *context)
{
	const uintptr_t address = (uintptr_t)info->si_addr;
	const char *kind = info->si_code > 0 ? kind_of(address) : NULL;

	if (kind)
		report_note("BUG: unable to handle access to address 0x%lx: %s", (unsigned long)address, kind);
	pass_on(number, info, context);
}

void segv_boot(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_segv;
	action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, &before[i]);
}

void segv_shutdown(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &before[i], NULL);
}
