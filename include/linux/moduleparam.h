/*
 * linux/moduleparam.h: what a module may be told when it is loaded.
 *
 * Semantics: Linux, Documentation/admin-guide/kernel-parameters.rst, and asked of one (tests/kernel/ask_parameters.c). Values come from the
 * machine's config, "module.name=value", in its text or in FLAGSTONE_MACHINE (see flagstone/machine.h), and are set before the module's
 * init function is called; a module that is unloaded and loaded again begins with what its source says. module is KBUILD_MODNAME, or else
 * the name of the file without .c; '-' and '_' are the same. A parameter that the module does not have is told of in the log and ignored; one
 * whose value cannot be makes flagstone_modules_load() fail, with a line in the log.
 *
 * There is no sysfs: perm is not looked at.
 */
#ifndef FLAGSTONE_LINUX_MODULEPARAM_H
#define FLAGSTONE_LINUX_MODULEPARAM_H

#pragma GCC system_header /* names with two underscores, as the kernel's */
#include <flagstone/module.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kernel_param;
struct module;

#define KERNEL_PARAM_OPS_FL_NOARG 1u /* may be named without a value: set() is called with NULL */

/* A type. Context of all: task, as the module's init function. */
struct kernel_param_ops {
	unsigned int flags;
	/* From text, which stays as long as the module: 0 or -errno. */
	int (*set)(const char *value, const struct kernel_param *kp);
	/* To text with a newline, into a page: its length, or -errno. */
	int (*get)(char *buffer, const struct kernel_param *kp);
	void (*free)(void *arg);
};

struct kparam_string {
	unsigned int maxlen; /* bytes of string, with the zero */
	char *string;
};

struct kparam_array {
	unsigned int max, elemsize;
	unsigned int *num; /* how many were set; may be NULL */
	const struct kernel_param_ops *ops; /* of an element */
	void *elem;
};

struct kernel_param {
	const char *name;
	struct module *mod; /* NULL: all modules are built in */
	const struct kernel_param_ops *ops;
	u16 perm;
	union {
		void *arg;
		const struct kparam_string *str;
		const struct kparam_array *arr;
	};
};

extern const struct kernel_param_ops param_ops_byte, param_ops_short, param_ops_ushort, param_ops_int, param_ops_uint,
	param_ops_long, param_ops_ulong, param_ops_ullong, param_ops_hexint, param_ops_charp, param_ops_bool,
	param_ops_invbool, param_ops_bint, param_ops_string, param_array_ops;

/* Numbers as kstrtoint() takes them: 10, 0x10, 010. 0; -EINVAL for what is none; -ERANGE for one that does not fit. */
int param_set_byte(const char *value, const struct kernel_param *kp);
int param_get_byte(char *buffer, const struct kernel_param *kp);
int param_set_short(const char *value, const struct kernel_param *kp);
int param_get_short(char *buffer, const struct kernel_param *kp);
int param_set_ushort(const char *value, const struct kernel_param *kp);
int param_get_ushort(char *buffer, const struct kernel_param *kp);
int param_set_int(const char *value, const struct kernel_param *kp);
int param_get_int(char *buffer, const struct kernel_param *kp);
int param_set_uint(const char *value, const struct kernel_param *kp);
int param_get_uint(char *buffer, const struct kernel_param *kp);
int param_set_long(const char *value, const struct kernel_param *kp);
int param_get_long(char *buffer, const struct kernel_param *kp);
int param_set_ulong(const char *value, const struct kernel_param *kp);
int param_get_ulong(char *buffer, const struct kernel_param *kp);
int param_set_ullong(const char *value, const struct kernel_param *kp);
int param_get_ullong(char *buffer, const struct kernel_param *kp);
int param_set_hexint(const char *value, const struct kernel_param *kp);
int param_get_hexint(char *buffer, const struct kernel_param *kp);
/* min and max are allowed; -EINVAL for what lies beyond. */
int param_set_uint_minmax(const char *value, const struct kernel_param *kp, unsigned int min, unsigned int max);
/* As kstrtobool() takes them; invbool: the opposite; bint: of an int. */
int param_set_bool(const char *value, const struct kernel_param *kp);
int param_get_bool(char *buffer, const struct kernel_param *kp);
int param_set_invbool(const char *value, const struct kernel_param *kp);
int param_get_invbool(char *buffer, const struct kernel_param *kp);
int param_set_bint(const char *value, const struct kernel_param *kp);
/* The text itself, of at most 1024 bytes; -ENOSPC: a longer one. */
int param_set_charp(const char *value, const struct kernel_param *kp);
int param_get_charp(char *buffer, const struct kernel_param *kp);
void param_free_charp(void *arg);
/* A copy of it; -ENOSPC: it does not fit. */
int param_set_copystring(const char *value, const struct kernel_param *kp);
int param_get_string(char *buffer, const struct kernel_param *kp);

/* Held where parameters are set and read. Here modules are loaded by one thread, and nothing else sets any. */
static inline void kernel_param_lock(struct module *module)
{
	(void)module;
}

static inline void kernel_param_unlock(struct module *module)
{
	(void)module;
}

#ifndef __cplusplus
/* Of <stdbool.h>'s bool, which is a macro. */
#define param_ops__Bool param_ops_bool
#define param_check__Bool(name, p) __param_check(name, p, _Bool)
/* That a variable has the type that is said of it. */
#define __param_check(name, p, type) BUILD_BUG_ON_MSG(!__same_type(*(p), type), "parameter " #name " is no " #type)
#define param_check_byte(name, p) __param_check(name, p, unsigned char)
#define param_check_short(name, p) __param_check(name, p, short)
#define param_check_ushort(name, p) __param_check(name, p, unsigned short)
#define param_check_int(name, p) __param_check(name, p, int)
#define param_check_uint(name, p) __param_check(name, p, unsigned int)
#define param_check_long(name, p) __param_check(name, p, long)
#define param_check_ulong(name, p) __param_check(name, p, unsigned long)
#define param_check_ullong(name, p) __param_check(name, p, unsigned long long)
#define param_check_hexint(name, p) __param_check(name, p, unsigned int)
#define param_check_charp(name, p) __param_check(name, p, char *)
#define param_check_bool(name, p) __param_check(name, p, bool)
#define param_check_invbool(name, p) __param_check(name, p, bool)
#define param_check_bint(name, p) __param_check(name, p, int)

/* Flagstone's own: enters a parameter. variable and count: what a module that is loaded again finds as it was. */
#define FLAGSTONE_PARAMETER(name_, ops_, argument, perm_, variable, bytes, count_)                      \
	static const struct kernel_param __param_##name_ = {#name_, NULL, (ops_), (perm_), {argument}}; \
	static char flagstone_saved_##name_[(bytes) + 1];                                               \
	static struct flagstone_parameter flagstone_parameter_##name_ = {FLAGSTONE_MODULE_NAME, #name_, \
		&__param_##name_, (variable), flagstone_saved_##name_, (bytes), (count_), 0, NULL};     \
	static void __attribute__((constructor)) flagstone_register_parameter_##name_(void)             \
	{                                                                                               \
		flagstone_parameter_register(&flagstone_parameter_##name_);                             \
	}                                                                                               \
	struct module

/*
 * A parameter: a variable of this file. type: byte, short, ushort, int, uint, long, ulong, ullong, hexint, charp, bool, invbool, bint, or
 * any other T for which there are param_ops_T and param_check_T(). perm: not looked at. _named: whose name is another one than the
 * variable's. _cb: by operations and an argument of the caller's own, which stays as it is when the module is unloaded.
 */
#define module_param(name, type, perm) module_param_named(name, name, type, perm)
#define module_param_named(name, value, type, perm) \
	param_check_##type(name, &(value));         \
	FLAGSTONE_PARAMETER(name, &param_ops_##type, &(value), perm, &(value), sizeof(value), NULL)
#define module_param_cb(name, ops, arg, perm) FLAGSTONE_PARAMETER(name, ops, arg, perm, NULL, 0, NULL)
#define module_param_unsafe(name, type, perm) module_param(name, type, perm)
#define module_param_named_unsafe(name, value, type, perm) module_param_named(name, value, type, perm)
#define module_param_cb_unsafe(name, ops, arg, perm) module_param_cb(name, ops, arg, perm)
/* A text that is copied into an array of len bytes. */
#define module_param_string(name, string, len, perm)                                 \
	static const struct kparam_string __param_string_##name = {(len), (string)}; \
	FLAGSTONE_PARAMETER(name, &param_ops_string, (void *)&__param_string_##name, perm, (string), (len), NULL)
/* An array: values with commas between; *nump, unless nump is NULL: how many were given. In the config they need quotes: "1,2,3". */
#define module_param_array(name, type, nump, perm) module_param_array_named(name, name, type, nump, perm)
#define module_param_array_named(name, array, type, nump, perm)                                                  \
	param_check_##type(name, &(array)[0]);                                                                   \
	static const struct kparam_array __param_array_##name = {                                                \
		ARRAY_SIZE(array), sizeof((array)[0]), (unsigned int *)(nump), &param_ops_##type, (array)};      \
	FLAGSTONE_PARAMETER(name, &param_array_ops, (void *)&__param_array_##name, perm, (array), sizeof(array), \
		(unsigned int *)(nump))
#endif

/* A note for who reads the source; it needs a semicolon, and makes nothing. */
#define MODULE_PARM_DESC(name, text) struct module

#ifdef __cplusplus
}
#endif

#endif
