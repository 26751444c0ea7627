/*
 * percpu_lib.h: a library with per-CPU variables of its own, for test_percpu_vars.c.
 */
#ifndef TESTS_API_PERCPU_LIB_H
#define TESTS_API_PERCPU_LIB_H

/* Adds n to the library's variable on this CPU; its value on CPU cpu, initially 100. The types of their names. */
typedef void percpu_lib_add_fn(long n);
typedef long percpu_lib_value_fn(unsigned int cpu);

percpu_lib_add_fn percpu_lib_add;
percpu_lib_value_fn percpu_lib_value;

#endif
