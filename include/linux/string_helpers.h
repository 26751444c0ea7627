/*
 * linux/string_helpers.h: words for truths.
 *
 * Semantics: Linux, the kernel's header of this name. Any context.
 */
#ifndef FLAGSTONE_LINUX_STRING_HELPERS_H
#define FLAGSTONE_LINUX_STRING_HELPERS_H

#include <linux/ctype.h>
#include <linux/string.h>
#include <linux/types.h>

static inline const char *str_yes_no(bool truth)
{
	return truth ? "yes" : "no";
}

static inline const char *str_on_off(bool truth)
{
	return truth ? "on" : "off";
}

static inline const char *str_enable_disable(bool truth)
{
	return truth ? "enable" : "disable";
}

static inline const char *str_enabled_disabled(bool truth)
{
	return truth ? "enabled" : "disabled";
}

static inline const char *str_read_write(bool truth)
{
	return truth ? "read" : "write";
}

/* Makes a text of up to its zero upper, or lower case; both may be one. */
static inline void string_upper(char *to, const char *from)
{
	do
		*to++ = (char)toupper((unsigned char)*from);
	while (*from++);
}

static inline void string_lower(char *to, const char *from)
{
	do
		*to++ = (char)tolower((unsigned char)*from);
	while (*from++);
}

#endif
