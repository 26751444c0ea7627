/*
 * test_operators.cc: the C++ operators new and delete, in all their forms.
 *
 * Calls each form by its full signature, so that the compiler can neither remove the call nor choose another one.
 * Broken if this fails: a form is missing (the C++ library's own answers, over malloc), pairs of forms do not fit
 * together, or running out of memory is not reported as the standard says.
 */
extern "C" {
#include "tests/stress/harness.h"
}

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <malloc.h>
#include <new>

/* clang declares these only when asked to. */
void operator delete(void *block, std::size_t size) noexcept;
void operator delete[](void *block, std::size_t size) noexcept;
void operator delete(void *block, std::size_t size, std::align_val_t align) noexcept;
void operator delete[](void *block, std::size_t size, std::align_val_t align) noexcept;

namespace
{

constexpr std::size_t huge = std::size_t(1) << 62;
int handler_calls;

const char *const symbols[] = {
	"malloc",
	"free",
	"calloc",
	"realloc",
	"reallocarray",
	"aligned_alloc",
	"memalign",
	"posix_memalign",
	"valloc",
	"pvalloc",
	"malloc_usable_size",
	"free_sized",
	"free_aligned_sized",
	"cfree",
	"malloc_trim",
	"mallinfo",
	"mallinfo2",
	"mallopt",
	"malloc_stats",
	"malloc_info",
	"_Znwm",
	"_Znam",
	"_ZnwmRKSt9nothrow_t",
	"_ZnamRKSt9nothrow_t",
	"_ZnwmSt11align_val_t",
	"_ZnamSt11align_val_t",
	"_ZnwmSt11align_val_tRKSt9nothrow_t",
	"_ZnamSt11align_val_tRKSt9nothrow_t",
	"_ZdlPv",
	"_ZdaPv",
	"_ZdlPvm",
	"_ZdaPvm",
	"_ZdlPvRKSt9nothrow_t",
	"_ZdaPvRKSt9nothrow_t",
	"_ZdlPvSt11align_val_t",
	"_ZdaPvSt11align_val_t",
	"_ZdlPvmSt11align_val_t",
	"_ZdaPvmSt11align_val_t",
	"_ZdlPvSt11align_val_tRKSt9nothrow_t",
	"_ZdaPvSt11align_val_tRKSt9nothrow_t",
};

/* Every name must be answered by the library that answers malloc: memory of two allocators must not be mixed. */
int check_symbols()
{
	Dl_info own, info;
	int missing = 0;

	require(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &own), "dladdr(malloc)");
	for (const char *symbol : symbols) {
		void *address = dlsym(RTLD_DEFAULT, symbol);

		if (address && dladdr(address, &info) && info.dli_fbase == own.dli_fbase)
			continue;
		printf("not answered by %s: %s\n", harness_allocator(), symbol);
		missing++;
	}
	return missing;
}

void use(void *block, std::size_t size, std::size_t align)
{
	require(block != nullptr, "operator new gave NULL for %zu bytes", size);
	require(reinterpret_cast<std::uintptr_t>(block) % align == 0, "%p is not aligned to %zu", block, align);
	require(malloc_usable_size(block) >= size, "usable size %zu of %zu", malloc_usable_size(block), size);
	std::memset(block, 0x5a, size);
}

void check_plain(std::size_t size)
{
	const std::size_t align = size <= 8 ? 8 : 16;
	void *block;

	for (int form = 0; form < 3; form++) {
		use(block = ::operator new(size), size, align);
		form == 0   ? ::operator delete(block)
		: form == 1 ? ::operator delete(block, size)
			    : ::operator delete(block, std::nothrow);
		use(block = ::operator new[](size), size, align);
		form == 0   ? ::operator delete[](block)
		: form == 1 ? ::operator delete[](block, size)
			    : ::operator delete[](block, std::nothrow);
		use(block = ::operator new(size, std::nothrow), size, align);
		form == 0   ? ::operator delete(block)
		: form == 1 ? ::operator delete(block, size)
			    : ::operator delete(block, std::nothrow);
		use(block = ::operator new[](size, std::nothrow), size, align);
		form == 0   ? ::operator delete[](block)
		: form == 1 ? ::operator delete[](block, size)
			    : ::operator delete[](block, std::nothrow);
	}
}

void check_aligned(std::size_t size, std::size_t align)
{
	const std::align_val_t a = std::align_val_t(align);
	void *block;

	for (int form = 0; form < 3; form++) {
		use(block = ::operator new(size, a), size, align);
		form == 0   ? ::operator delete(block, a)
		: form == 1 ? ::operator delete(block, size, a)
			    : ::operator delete(block, a, std::nothrow);
		use(block = ::operator new[](size, a), size, align);
		form == 0   ? ::operator delete[](block, a)
		: form == 1 ? ::operator delete[](block, size, a)
			    : ::operator delete[](block, a, std::nothrow);
		use(block = ::operator new(size, a, std::nothrow), size, align);
		form == 0   ? ::operator delete(block, a)
		: form == 1 ? ::operator delete(block, size, a)
			    : ::operator delete(block, a, std::nothrow);
		use(block = ::operator new[](size, a, std::nothrow), size, align);
		form == 0   ? ::operator delete[](block, a)
		: form == 1 ? ::operator delete[](block, size, a)
			    : ::operator delete[](block, a, std::nothrow);
	}
}

template <typename Call> void must_throw(const char *what, Call call)
{
	try {
		void *block = call();

		fail("%s of %zu bytes returned %p", what, huge, block);
	} catch (const std::bad_alloc &) {
	}
}

void check_throwing()
{
	const std::align_val_t a = std::align_val_t(64);

	must_throw("new", [] { return ::operator new(huge); });
	must_throw("new[]", [] { return ::operator new[](huge); });
	must_throw("aligned new", [=] { return ::operator new(huge, a); });
	must_throw("aligned new[]", [=] { return ::operator new[](huge, a); });
	require(!::operator new(huge, std::nothrow), "nothrow new of a huge size is not NULL");
	require(!::operator new[](huge, std::nothrow), "nothrow new[] of a huge size is not NULL");
	require(!::operator new(huge, a, std::nothrow), "aligned nothrow new of a huge size is not NULL");
	require(!::operator new[](huge, a, std::nothrow), "aligned nothrow new[] of a huge size is not NULL");
}

/* Gives up after three calls by removing itself. */
void handler_giving_up()
{
	if (++handler_calls == 3)
		std::set_new_handler(nullptr);
}

void handler_throwing()
{
	handler_calls++;
	throw std::bad_alloc();
}

/* A handler is called again and again until memory comes, it throws, or there is none left. */
void check_handler()
{
	const std::align_val_t a = std::align_val_t(64);

	handler_calls = 0;
	std::set_new_handler(handler_giving_up);
	must_throw("new", [] { return ::operator new(huge); });
	require(handler_calls == 3, "new called the handler %d times, not 3", handler_calls);
	handler_calls = 0;
	std::set_new_handler(handler_giving_up);
	require(!::operator new[](huge, std::nothrow), "nothrow new[] of a huge size is not NULL");
	require(handler_calls == 3, "nothrow new[] called the handler %d times, not 3", handler_calls);
	handler_calls = 0;
	std::set_new_handler(handler_throwing);
	must_throw("aligned new", [=] { return ::operator new(huge, a); });
	require(!::operator new(huge, std::nothrow), "nothrow new lets the handler's exception out, or is not NULL");
	require(!::operator new(huge, a, std::nothrow), "aligned nothrow new lets the handler's exception out");
	require(handler_calls == 3, "three failures called the handler %d times", handler_calls);
	std::set_new_handler(nullptr);
}

void check_null_and_zero()
{
	void *one = ::operator new(0), *other = ::operator new(0);

	require(one && other && one != other, "new of 0 bytes is not a unique block");
	::operator delete(one);
	::operator delete(other);
	errno = EXDEV;
	::operator delete(nullptr);
	::operator delete[](nullptr);
	::operator delete(nullptr, std::size_t(8));
	::operator delete(nullptr, std::align_val_t(64));
	::operator delete(nullptr, std::size_t(8), std::align_val_t(64));
	require(errno == EXDEV, "delete of NULL touched errno");
}

} // namespace

int main()
{
	int missing = check_symbols();

	require(missing == 0 || harness_is_peer(), "%d of %zu names are not the allocator's", missing,
		sizeof(symbols) / sizeof(symbols[0]));
	for (std::size_t size = 1; size < 5000000; size += size / 7 + 1)
		check_plain(size);
	for (std::size_t align = 8; align <= (harness_is_peer() ? 128 : 1 << 20); align *= 2)
		for (std::size_t size = 1; size < 300000; size += size / 2 + 1)
			check_aligned(size, align);
	check_null_and_zero();
	check_throwing();
	check_handler();
	printf("PASS: test_operators: %s, %zu names, %d of them not its own\n", harness_allocator(),
		sizeof(symbols) / sizeof(symbols[0]), missing);
	return 0;
}
