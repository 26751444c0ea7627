/*
 * late_module.cc: a C++ module that a C program loads: the C++ library comes with it, after the allocator.
 */
#include <cstddef>
#include <new>

extern "C" int late_module_run(std::size_t size)
{
	try {
		char *volatile block = new char[size];

		delete[] block;
		return 1;
	} catch (const std::bad_alloc &) {
		return 2;
	}
}
