/*
 * linux/stddef.h: where members lie, beside what the C library's header of this name has.
 *
 * Semantics: Linux, the kernel's header of this name. Constants; any context.
 */
#ifndef FLAGSTONE_LINUX_STDDEF_H
#define FLAGSTONE_LINUX_STDDEF_H

#pragma GCC system_header /* for #include_next, which is an extension */
#if defined(__has_include_next)
#if __has_include_next(<linux/stddef.h>)
#include_next <linux/stddef.h>
#endif
#endif
#include <stddef.h>

/* Bytes of a member; bytes from the start of the structure to the member's end. */
#define sizeof_field(type, member) sizeof(((type *)0)->member)
#define offsetofend(type, member) (offsetof(type, member) + sizeof_field(type, member))

#ifdef __struct_group
/* Members that are also one structure, name; _tagged: which has a tag of its own. Nothing differs in the layout. */
#define struct_group(name, ...) __struct_group(/* no tag */, name, /* no attributes */, __VA_ARGS__)
#define struct_group_attr(name, attributes, ...) __struct_group(/* no tag */, name, attributes, __VA_ARGS__)
#define struct_group_tagged(tag, name, ...) __struct_group(tag, name, /* no attributes */, __VA_ARGS__)
#endif
#ifdef __DECLARE_FLEX_ARRAY
/* A flexible array in a union, or alone in a structure. */
#define DECLARE_FLEX_ARRAY(type, name) __DECLARE_FLEX_ARRAY(type, name)
#endif

#endif
