/*
 * parameters.c: the types that parameters of modules have, from text and to text.
 *
 * Calls kstrtox.c for numbers and printk for complaints. Refuses to know where the texts come from.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#include "runtime/support/internal.h"

#define LONGEST_TEXT 1024

/* ---- numbers ---- */

#define STANDARD_PARAMETER(name, type, convert, format)                        \
	int param_set_##name(const char *value, const struct kernel_param *kp) \
	{                                                                      \
		return convert(value, 0, (type *)kp->arg);                     \
	}                                                                      \
	int param_get_##name(char *buffer, const struct kernel_param *kp)      \
	{                                                                      \
		return scnprintf(buffer, PAGE_SIZE, format, *(type *)kp->arg); \
	}                                                                      \
	const struct kernel_param_ops param_ops_##name = {                     \
		.set = param_set_##name,                                       \
		.get = param_get_##name,                                       \
	}

STANDARD_PARAMETER(byte, unsigned char, kstrtou8, "%hhu\n");
STANDARD_PARAMETER(short, short, kstrtos16, "%hi\n");
STANDARD_PARAMETER(ushort, unsigned short, kstrtou16, "%hu\n");
STANDARD_PARAMETER(int, int, kstrtoint, "%i\n");
STANDARD_PARAMETER(uint, unsigned int, kstrtouint, "%u\n");
STANDARD_PARAMETER(long, long, kstrtol, "%li\n");
STANDARD_PARAMETER(ulong, unsigned long, kstrtoul, "%lu\n");
STANDARD_PARAMETER(ullong, unsigned long long, kstrtoull, "%llu\n");
STANDARD_PARAMETER(hexint, unsigned int, kstrtouint, "%#08x\n");

int param_set_uint_minmax(const char *value, const struct kernel_param *kp, unsigned int min, unsigned int max)
{
	unsigned int number;
	int error = value ? kstrtouint(value, 0, &number) : -EINVAL;

	if (error)
		return error;
	if (number < min || number > max)
		return -EINVAL;
	*(unsigned int *)kp->arg = number;
	return 0;
}

/* ---- truths ---- */

/* Without a value it is true. */
int param_set_bool(const char *value, const struct kernel_param *kp)
{
	return kstrtobool(value ? value : "1", kp->arg);
}

int param_get_bool(char *buffer, const struct kernel_param *kp)
{
	return sprintf(buffer, "%c\n", *(bool *)kp->arg ? 'Y' : 'N');
}

const struct kernel_param_ops param_ops_bool = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = param_set_bool,
	.get = param_get_bool,
};

int param_set_invbool(const char *value, const struct kernel_param *kp)
{
	bool truth;
	int error = kstrtobool(value, &truth);

	if (!error)
		*(bool *)kp->arg = !truth;
	return error;
}

int param_get_invbool(char *buffer, const struct kernel_param *kp)
{
	return sprintf(buffer, "%c\n", *(bool *)kp->arg ? 'N' : 'Y');
}

const struct kernel_param_ops param_ops_invbool = {
	.set = param_set_invbool,
	.get = param_get_invbool,
};

int param_set_bint(const char *value, const struct kernel_param *kp)
{
	bool truth;
	int error = kstrtobool(value ? value : "1", &truth);

	if (!error)
		*(int *)kp->arg = truth;
	return error;
}

const struct kernel_param_ops param_ops_bint = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = param_set_bint,
	.get = param_get_int,
};

/* ---- texts ---- */

/* Not copied: the machine keeps the text of its config for as long as its modules are loaded. */
int param_set_charp(const char *value, const struct kernel_param *kp)
{
	if (strlen(value) > LONGEST_TEXT) {
		pr_err("%s: string parameter too long\n", kp->name);
		return -ENOSPC;
	}
	*(const char **)kp->arg = value;
	return 0;
}

int param_get_charp(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%s\n", *(char **)kp->arg);
}

void param_free_charp(void *arg)
{
	*(const char **)arg = NULL;
}

const struct kernel_param_ops param_ops_charp = {
	.set = param_set_charp,
	.get = param_get_charp,
	.free = param_free_charp,
};

int param_set_copystring(const char *value, const struct kernel_param *kp)
{
	if (strnlen(value, kp->str->maxlen) == kp->str->maxlen) {
		pr_err("%s: string doesn't fit in %u chars.\n", kp->name, kp->str->maxlen - 1);
		return -ENOSPC;
	}
	strcpy(kp->str->string, value);
	return 0;
}

int param_get_string(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%s\n", kp->str->string);
}

const struct kernel_param_ops param_ops_string = {
	.set = param_set_copystring,
	.get = param_get_string,
};

/* ---- several, with commas between ---- */

/* Of one element, which begins at value, and whose end is made one. Texts stay where they are. */
static int element_set(const struct kernel_param *kp, unsigned int nr, char *value, char **next)
{
	const struct kparam_array *array = kp->arr;
	struct kernel_param element = *kp;
	size_t length = strcspn(value, ",");

	element.arg = (char *)array->elem + (size_t)nr * array->elemsize;
	*next = value[length] ? value + length + 1 : NULL;
	value[length] = '\0';
	return array->ops->set(value, &element);
}

static int array_set(const char *value, const struct kernel_param *kp)
{
	const struct kparam_array *array = kp->arr;
	unsigned int nr = 0;
	char *next = (char *)value;
	int error;

	while (next) {
		char *at = next;

		if (nr == array->max) {
			pr_err("%s: can only take %u arguments\n", kp->name, array->max);
			return -EINVAL;
		}
		error = element_set(kp, nr, at, &next);
		/* Another machine's may be told of it again, and a report shows it. */
		if (next && array->ops->set != param_set_charp)
			next[-1] = ',';
		if (error)
			return error;
		nr++;
		if (array->num)
			*array->num = nr;
	}
	return 0;
}

static int array_get(char *buffer, const struct kernel_param *kp)
{
	const struct kparam_array *array = kp->arr;
	struct kernel_param element = *kp;
	unsigned int count = array->num ? *array->num : array->max;
	int length = 0, more;

	for (unsigned int i = 0; i < count; i++) {
		if (i)
			buffer[length - 1] = ','; /* in place of the newline */
		element.arg = (char *)array->elem + (size_t)i * array->elemsize;
		more = array->ops->get(buffer + length, &element);
		if (more < 0)
			return more;
		length += more;
	}
	buffer[length] = '\0';
	return length;
}

const struct kernel_param_ops param_array_ops = {
	.set = array_set,
	.get = array_get,
};

/* ---- setting ---- */

int parameter_set(const struct kernel_param *param, const char *module, const char *name, const char *value)
{
	bool named = value || param->ops->flags & KERNEL_PARAM_OPS_FL_NOARG;
	int error = named ? param->ops->set(value, param) : -EINVAL;

	if (error == -ENOSPC)
		pr_err("%s: `%s' too large for parameter `%s'\n", module, value ? value : "", name);
	else if (error)
		pr_err("%s: `%s' invalid for parameter `%s'\n", module, value ? value : "", name);
	return error;
}
