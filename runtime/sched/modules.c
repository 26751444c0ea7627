/*
 * modules.c: the kernel modules of a program, begun and ended together.
 *
 * Calls report. Knows nothing of what modules do.
 */
#include <errno.h>
#include <flagstone/module.h>
#include <stddef.h>

#include "runtime/lib/report.h"

/* In the order of registration. Synchronization: written before main; const then */
static struct flagstone_module *modules;

void flagstone_module_register(struct flagstone_module *module)
{
	struct flagstone_module **link = &modules;

	if (module->registered)
		return;
	module->registered = 1;
	while (*link)
		link = &(*link)->next;
	*link = module;
}

/* The one that was registered last of those that are loaded. */
static struct flagstone_module *last_loaded(void)
{
	struct flagstone_module *last = NULL;

	for (struct flagstone_module *module = modules; module; module = module->next) {
		if (module->loaded)
			last = module;
	}
	return last;
}

static void unload_all(void)
{
	struct flagstone_module *module;

	while ((module = last_loaded())) {
		module->loaded = 0;
		if (module->exit)
			module->exit();
	}
}

int flagstone_modules_load(void)
{
	int error = 0;

	for (struct flagstone_module *module = modules; module; module = module->next) {
		if (module->loaded)
			continue;
		error = module->init ? module->init() : 0;
		if (error)
			report_note("module %s: init returned %d", module->name, error);
		if (error < 0)
			break;
		/* As in Linux: it should be 0 or -errno, and is loaded. */
		error = 0;
		module->loaded = 1;
	}
	if (error)
		unload_all();
	return error;
}

int flagstone_modules_unload(void)
{
	for (struct flagstone_module *module = modules; module; module = module->next) {
		if (module->loaded && !module->exit)
			return -EBUSY;
	}
	unload_all();
	return 0;
}
