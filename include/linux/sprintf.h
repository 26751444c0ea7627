/*
 * linux/sprintf.h: text by formats.
 *
 * Semantics: Linux, Documentation/core-api/printk-formats.rst. Formats are those of printf, floating point included, which the kernel does not
 * have; and of what the kernel has behind %p:
 *
 *	%p %px %pK          an address, all 16 digits of it, as the kernel prints it with no_hash_pointers
 *	%pe                 the name of the error in an ERR_PTR(); an address otherwise
 *	%pS %ps %pB         a function: name+0xoffset/0xsize, its name, and the caller of a return address. Without a machine, and for
 *	                    functions that the program does not export, the address: `flagstone symbolize` finds those
 *	%*ph %*phC phD phN  as many bytes, at most 64, in hexadecimal; between them a blank, ':', '-', nothing
 *	%*pb %*pbl          a bitmap of as many bits: words in hexadecimal; a list of ranges
 *	%pa %pap %pad       a phys_addr_t; a dma_addr_t; by reference
 *	%pM %pm %pMR %pMF   an address of Ethernet's; %pI4 %pi4 of IP's, in network order
 *	%pV                 a struct va_format
 *
 * Other letters behind %p make it an address, and are left out, as all letters and digits there. %n is none: it ends the text. Any
 * context, signal handlers included: nothing here allocates or takes a lock.
 */
#ifndef FLAGSTONE_LINUX_SPRINTF_H
#define FLAGSTONE_LINUX_SPRINTF_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <stdarg.h>
#include <stdio.h> /* sscanf(), and all that it declares before the names below are others */

#ifdef __cplusplus
extern "C" {
#endif

/* What kernel code calls by the C library's names. C++ has those in a namespace, and keeps them. */
int flagstone_vsnprintf(char *buffer, size_t size, const char *format, va_list args) __printf(3, 0);
int flagstone_snprintf(char *buffer, size_t size, const char *format, ...) __printf(3, 4);
int flagstone_vsprintf(char *buffer, const char *format, va_list args) __printf(2, 0);
int flagstone_sprintf(char *buffer, const char *format, ...) __printf(2, 3);
#ifndef __cplusplus
/*
 * Text into size bytes, cut and, unless size is 0, ended. Returns the length that all of it has, without the zero.
 */
#undef vsnprintf
#undef snprintf
#undef vsprintf
#undef sprintf
#define vsnprintf flagstone_vsnprintf
#define snprintf flagstone_snprintf
#define vsprintf flagstone_vsprintf
#define sprintf flagstone_sprintf
#endif

/* The same; but returns how many bytes are there, without the zero, and so never size or more. */
static inline __printf(3, 0) int vscnprintf(char *buffer, size_t size, const char *format, va_list args)
{
	int length = flagstone_vsnprintf(buffer, size, format, args);

	return length < 0 || !size ? 0 : (size_t)length < size ? length : (int)size - 1;
}

static inline __printf(3, 4) int scnprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vscnprintf(buffer, size, format, args);
	va_end(args);
	return length;
}

/*
 * Text in memory of its own, for kfree(). Returns NULL when memory is out. _const: the format itself, if it is a constant with nothing
 * to fill in, or "%s" and the argument, if that is a constant; for kfree_const(). Context: by the flags.
 */
char *kasprintf(gfp_t gfp, const char *format, ...) __printf(2, 3) __attribute__((malloc));
char *kvasprintf(gfp_t gfp, const char *format, va_list args) __printf(2, 0) __attribute__((malloc));
const char *kvasprintf_const(gfp_t gfp, const char *format, va_list args) __printf(2, 0);

#ifdef __cplusplus
}
#endif

#endif
