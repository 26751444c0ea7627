/*
 * operators.c: every replaceable operator new and delete of C++17, under their mangled names, in C.
 *
 * Calls malloc.c's functions. When memory is out: the new-handler in a loop, then std::bad_alloc, both looked up weakly, so
 * that C programs need no C++ library. C cannot catch what a handler throws: where there is a handler, a nothrow form calls
 * the C++ library's own (nothrow.c), which calls the throwing form here and catches.
 */
#include <malloc.h>
#include <stdlib.h>

#include "runtime/host/host.h"
#include "runtime/lib/report.h"
#include "runtime/malloc/face.h"
#include "runtime/slab/fast.h"

typedef void (*new_handler)(void);
typedef new_handler (*get_handler)(void);
typedef void (*throw_bad_alloc)(void);
new_handler std_get_new_handler(void) __asm__("_ZSt15get_new_handlerv") __attribute__((weak));
void std_throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv") __attribute__((weak));

/* The C++ library may have come after us, with a module that a C program loaded. */
static new_handler current_handler(void)
{
	get_handler get = std_get_new_handler;

	if (!get && cxx_symbol)
		get = (get_handler)cxx_symbol("_ZSt15get_new_handlerv");
	return get ? get() : NULL;
}

static void throw_no_memory(void)
{
	throw_bad_alloc give_up = std_throw_bad_alloc;

	if (!give_up && cxx_symbol)
		give_up = (throw_bad_alloc)cxx_symbol("_ZSt17__throw_bad_allocv");
	if (give_up)
		give_up();
}

static __attribute__((noinline)) void *new_slow(size_t size, size_t align, int throws)
{
	for (;;) {
		void *object = object_alloc(size, align, 0);
		new_handler handler;

		if (object)
			return object;
		handler = current_handler();
		if (handler) {
			handler();
			continue;
		}
		if (!throws)
			return NULL;
		throw_no_memory();
		report_note("operator new: memory is out, and the program has no std::bad_alloc to throw");
		host_abort();
	}
}

static void *nothrow_new(size_t size, size_t align)
{
	void *object = object_alloc(size, align, 0);
	bool done = false;

	if (!object && nothrow_new_of_library && current_handler())
		object = nothrow_new_of_library(size, align, &done);
	return object || done ? object : new_slow(size, align, 0);
}

static inline __attribute__((always_inline)) void *new_object(size_t size, int throws)
{
	void *object = fast_alloc(size);

	if (likely(object))
		return object;
	return throws ? new_slow(size, 8, 1) : nothrow_new(size, 8);
}

#define NEW(suffix, args, body)                                       \
	EXPORT void *new_##suffix args __asm__("_Znw" #suffix);       \
	EXPORT void *new_array_##suffix args __asm__("_Zna" #suffix); \
	void *new_##suffix args                                       \
	{                                                             \
		return body;                                          \
	}                                                             \
	void *new_array_##suffix args                                 \
	{                                                             \
		return body;                                          \
	}

#define DELETE(suffix, args)                                            \
	EXPORT void delete_##suffix args __asm__("_Zdl" #suffix);       \
	EXPORT void delete_array_##suffix args __asm__("_Zda" #suffix); \
	void delete_##suffix args                                       \
	{                                                               \
		if (unlikely(!fast_free(object)))                       \
			object_free(object);                            \
	}                                                               \
	void delete_array_##suffix args                                 \
	{                                                               \
		if (unlikely(!fast_free(object)))                       \
			object_free(object);                            \
	}

#define UNUSED __attribute__((unused))

/* m: size_t; RKSt9nothrow_t: const std::nothrow_t &; St11align_val_t: std::align_val_t; Pv: void * */
NEW(m, (size_t size), new_object(size, 1))
NEW(mRKSt9nothrow_t, (size_t size, UNUSED const void *nothrow), new_object(size, 0))
NEW(mSt11align_val_t, (size_t size, size_t align), new_slow(size, align, 1))
NEW(mSt11align_val_tRKSt9nothrow_t, (size_t size, size_t align, UNUSED const void *nothrow), nothrow_new(size, align))
DELETE(Pv, (void *object))
DELETE(Pvm, (void *object, UNUSED size_t size))
DELETE(PvRKSt9nothrow_t, (void *object, UNUSED const void *nothrow))
DELETE(PvSt11align_val_t, (void *object, UNUSED size_t align))
DELETE(PvmSt11align_val_t, (void *object, UNUSED size_t size, UNUSED size_t align))
DELETE(PvSt11align_val_tRKSt9nothrow_t, (void *object, UNUSED size_t align, UNUSED const void *nothrow))
