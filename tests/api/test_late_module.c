/*
 * test_late_module.c MODULE: std::bad_alloc reaches a C++ module that a C program loads.
 *
 * Broken if this fails: the program dies where its module was ready to catch.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *module = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	int (*run)(size_t size) = module ? (int (*)(size_t))dlsym(module, "late_module_run") : NULL;
	int small, huge;

	if (!run) {
		printf("FAIL: %s\n", dlerror());
		return 1;
	}
	small = run(100);
	huge = run(SIZE_MAX / 4);
	printf("%s: new of 100 bytes: %d (1), of a quarter of the address space: %d (2)\n",
		small == 1 && huge == 2 ? "PASS" : "FAIL", small, huge);
	return small != 1 || huge != 2;
}
