/*
 * linux/module.h: what a kernel module says of itself.
 *
 * Semantics: Linux, Documentation/kernel-hacking/hacking.rst. Modules are linked into the program, as those that are built into a
 * kernel: THIS_MODULE is NULL.
 */
#ifndef FLAGSTONE_LINUX_MODULE_H
#define FLAGSTONE_LINUX_MODULE_H

#pragma GCC system_header /* for #include_next, which is an extension */
#if defined(__has_include_next)
#if __has_include_next(<linux/module.h>)
#include_next <linux/module.h>
#endif
#endif
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>

struct module;

#define THIS_MODULE ((struct module *)0)

/* Notes for who reads the source; they need a semicolon, and make nothing. */
#define MODULE_LICENSE(text) struct module
#define MODULE_AUTHOR(text) struct module
#define MODULE_DESCRIPTION(text) struct module
#define MODULE_VERSION(text) struct module
#define MODULE_ALIAS(text) struct module

/* A module that is built in stays. Context: any. */
static inline bool try_module_get(struct module *module)
{
	(void)module;
	return true;
}

static inline void module_put(struct module *module)
{
	(void)module;
}

#endif
