/*
 * linux/init.h: where a module begins and ends.
 *
 * Semantics: Linux, Documentation/driver-api/basics.rst. A module is linked into the program; flagstone/module.h runs it.
 */
#ifndef FLAGSTONE_LINUX_INIT_H
#define FLAGSTONE_LINUX_INIT_H

#include <flagstone/module.h>
#include <linux/compiler.h>
#include <stdlib.h> /* has a field of the name __init */

#ifdef __cplusplus
extern "C" {
#endif

#ifndef __cplusplus /* whose library has arguments of these names */
/* Code and data that a kernel would throw away after boot; here they stay. */
#define __init
#define __exit
#define __initdata
#define __initconst
#define __exitdata
#endif

/* Of this file. Reports and parameters name it as the build does, or by the file that module_init() or module_exit() stands in. */
static struct flagstone_module flagstone_this_module __maybe_unused = {NULL, NULL, NULL, NULL, 0, 0};
#define FLAGSTONE_MODULE_NAME KBUILD_MODNAME

/* int fn(void): begins the module: 0, or -errno if it could not, having undone what it did. Task context, may sleep. */
#define module_init(fn)                                                        \
	static void __attribute__((constructor)) flagstone_register_init(void) \
	{                                                                      \
		flagstone_this_module.name = FLAGSTONE_MODULE_NAME;            \
		flagstone_this_module.init = (fn);                             \
		flagstone_module_register(&flagstone_this_module);             \
	}
/* void fn(void): ends it. Task context, may sleep. */
#define module_exit(fn)                                                        \
	static void __attribute__((constructor)) flagstone_register_exit(void) \
	{                                                                      \
		flagstone_this_module.name = FLAGSTONE_MODULE_NAME;            \
		flagstone_this_module.exit = (fn);                             \
		flagstone_module_register(&flagstone_this_module);             \
	}

#ifdef __cplusplus
}
#endif

#endif
