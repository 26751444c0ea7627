/*
 * flagstone/module.h: runs kernel modules that are linked into a program.
 *
 * Plain C. A module is a file with module_init(), of linux/module.h.
 */
#ifndef FLAGSTONE_MODULE_H
#define FLAGSTONE_MODULE_H

#ifdef __cplusplus
extern "C" {
#endif

struct flagstone_module {
	const char *name; /* its file. Const, as the next two after registration */
	int (*init)(void);
	void (*exit)(void);
	struct flagstone_module *next; /* Synchronization: written before main; const then */
	int registered; /* Synchronization: as next */
	int loaded; /* Synchronization: written by load and unload */
};

/* Enters a module into the list, once. Called before main, by module_init() and module_exit(). */
__attribute__((visibility("default"))) void flagstone_module_register(struct flagstone_module *module);

struct kernel_param;

/* Something that a module may be told: see linux/moduleparam.h. */
struct flagstone_parameter {
	const char *module, *name; /* Const, as all but next */
	const struct kernel_param *param;
	void *value,
		*saved; /* what it is, and what it was before the module was loaded. Synchronization: load and unload */
	unsigned long size; /* of both; 0: not saved */
	unsigned int *count,
		saved_count; /* of an array, how many were set; NULL: nobody asks. Synchronization: as value */
	struct flagstone_parameter *next; /* Synchronization: written before main; const then */
};

/* Enters a parameter into the list, once. Called before main, by module_param() and its like. */
__attribute__((visibility("default"))) void flagstone_parameter_register(struct flagstone_parameter *parameter);

/*
 * Sets the parameters that the machine's config has for it, and runs the init function of every module of the program that is not loaded, in the order in which the program was linked. If one fails,
 * those before it are ended again, the last first. 0, or -errno as that module returned it, with a line on stderr; also of a parameter
 * that cannot have that value.
 * Context: task on a booted machine, may sleep; one thread at a time.
 */
__attribute__((visibility("default"))) int flagstone_modules_load(void);

/* Runs the exit functions of all loaded modules, the last first. -EBUSY, having done nothing, if one has no exit function. Context: as
 * flagstone_modules_load(). */
__attribute__((visibility("default"))) int flagstone_modules_unload(void);

#ifdef __cplusplus
}
#endif

#endif
