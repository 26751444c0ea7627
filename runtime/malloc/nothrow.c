/*
 * nothrow.c: the C++ library's functions that operators.c needs and cannot link with.
 *
 * Its nothrow operator new, for when a new-handler may throw: it calls the throwing form, which is ours, and returns NULL
 * for what that throws. Only in the shared library: a static program has no next definition to look up.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

#include "runtime/malloc/face.h"

typedef void *(*nothrow_new)(size_t size, const void *nothrow);
typedef void *(*nothrow_aligned_new)(size_t size, size_t align, const void *nothrow);

void *cxx_symbol(const char *name)
{
	void *library = dlopen("libstdc++.so.6", RTLD_NOLOAD | RTLD_LAZY);

	return library ? dlsym(library, name) : NULL;
}

/* Sets *done if there is such a library; the result is then final. */
void *nothrow_new_of_library(size_t size, size_t align, bool *done)
{
	nothrow_aligned_new aligned = (nothrow_aligned_new)dlsym(RTLD_NEXT, "_ZnwmSt11align_val_tRKSt9nothrow_t");
	nothrow_new plain = (nothrow_new)dlsym(RTLD_NEXT, "_ZnwmRKSt9nothrow_t");

	*done = plain && aligned;
	if (!*done)
		return NULL;
	return align > MALLOC_ALIGN ? aligned(size, align, NULL) : plain(size, NULL);
}
