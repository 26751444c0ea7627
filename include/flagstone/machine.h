/*
 * flagstone/machine.h: boots a simulated machine in this process: CPUs, memory in zones, interrupts, kernel threads.
 *
 * Link with flagstone-machine (pkg-config flagstone-machine). Kernel-style code includes <linux/...> and runs on it; this header is
 * what an ordinary C or C++ program needs to have a machine to run that code on. There is one machine a process at a time.
 *
 * A program starts one, calls kernel code from the thread that booted, which is a task on CPU 0 from then on, and shuts it down:
 *
 *	struct flagstone_machine_config config = FLAGSTONE_MACHINE_CONFIG_INIT;
 *
 *	config.cpus = 8;
 *	if (flagstone_machine_boot(&config))
 *		return 1;
 *	leaks = module_run();
 *	return flagstone_machine_shutdown() != 0;
 *
 * Reports go to stderr. A child of fork() has no machine: what uses one there is reported.
 */
#ifndef FLAGSTONE_MACHINE_H
#define FLAGSTONE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The interface is exported whatever the visibility of the program's own symbols. */
#define FLAGSTONE_API __attribute__((visibility("default")))

#define FLAGSTONE_MACHINE_MAX_CPUS 256
#define FLAGSTONE_MACHINE_MAX_NODES 16
#define FLAGSTONE_MACHINE_MIN_RAM (8ul << 20)
#define FLAGSTONE_MACHINE_TEXT 256
#define FLAGSTONE_MACHINE_PARAMETERS 1024

/* What happens when memory is out and nothing can be reclaimed. */
enum flagstone_oom { FLAGSTONE_OOM_KILL, FLAGSTONE_OOM_FAIL, FLAGSTONE_OOM_PANIC };

/*
 * A machine. `tools/flagstone machine config` prints every field with its range and meaning: a field is a name in the text form, and
 * the other way round. Sizes are bytes.
 */
struct flagstone_machine_config {
	unsigned long cpus; /* 1..256 */
	unsigned long ram; /* of all nodes together */
	unsigned long nodes; /* memory nodes; CPUs and RAM are dealt to them in equal parts */
	unsigned long dma; /* where zone DMA ends, from physical address 0. 0: there is none */
	unsigned long dma32; /* where zone DMA32 ends. 0: there is none */
	unsigned long highmem; /* where zone HighMem begins. 0: there is none */
	unsigned long min_free_kbytes; /* 0: from the size of RAM, as the kernel does */
	unsigned long seed; /* of all that is random */
	unsigned long preempt; /* mean microseconds between forced preemptions; 0: none */
	unsigned long tracking; /* 1: who allocated what: leaks and misuse are reported with their call site */
	unsigned long
		context; /* 1: an allocation that may sleep is reported where it must not, even if it does not sleep */
	unsigned long
		lockdep; /* 1: the order of locks and their use in interrupts is checked, and memory that is freed for locks held, timers and work */
	unsigned long
		hung_task_timeout_secs; /* a task that sleeps uninterruptibly and without a deadline for so long is reported, and, with any but 0, that nothing can wake any task */
	unsigned long hung_task_panic; /* 1: the process ends when such a task was reported */
	unsigned long
		page_poison; /* 1: free pages, but of highmem, read as 0xaa, and are checked when allocated and at shutdown */
	unsigned long
		grouping; /* 1: movable, reclaimable and other pages lie in pageblocks of their own, as far as there are any */
	unsigned long oom; /* enum flagstone_oom */
	unsigned long fail_nth; /* the allocation of the booting task that fails, from 1; 0: none */
	/* Texts; "" stands for the default. */
	char lowmem_reserve
		[FLAGSTONE_MACHINE_TEXT]; /* ratios of DMA:DMA32:Normal, as the kernel's sysctl. "256:256:32" */
	char distances[FLAGSTONE_MACHINE_TEXT]; /* nodes * nodes numbers, row by row. "10:20:20:10" */
	/* interval:probability:space:times, then knob=value of the kernel's knobs: "1:10:0:-1:task-filter=1" */
	char failslab[FLAGSTONE_MACHINE_TEXT];
	char fail_page_alloc[FLAGSTONE_MACHINE_TEXT];
	/*
	 * Which caches are checked, as the kernel's boot parameter of that name, with ':' for its commas. Letters: F frees of what is
	 * free, Z red zones, P poison, U who allocated and freed; none: all four; '-': nothing. Then names of caches, a last '*' for any
	 * rest; none: all. Blocks are separated by ';', and the first that fits a cache decides: "FZP:kmalloc-*;-:inode;U".
	 * Free objects are also checked when their cache is destroyed and when the machine ends.
	 * Semantics: Linux, Documentation/mm/slub.rst
	 */
	char slub_debug[FLAGSTONE_MACHINE_TEXT];
	char views[FLAGSTONE_MACHINE_TEXT]; /* a file that every view is written to at shutdown */
	/*
	 * What modules are told, as on the kernel's command line: "driver.rate=100 driver.verbose driver.name=\"two words\"". In a text there is
	 * one name for each: "cpus=2,driver.rate=100,driver.verbose"; what has commas or # in it stands between double quotes:
	 * driver.lines="1,2,3". One that is set twice has the last value. See linux/moduleparam.h.
	 */
	char parameters[FLAGSTONE_MACHINE_PARAMETERS];
};

/* clang-format off */
#define FLAGSTONE_MACHINE_CONFIG_INIT                                                                                    \
	{ .cpus = 4, .ram = 64ul << 20, .nodes = 1, .dma = 0, .dma32 = 0, .highmem = 0, .min_free_kbytes = 0, .seed = 1, \
	  .preempt = 0, .tracking = 1, .context = 1, .lockdep = 1, .hung_task_timeout_secs = 120, .hung_task_panic = 0, .page_poison = 0, .grouping = 1, .oom = FLAGSTONE_OOM_KILL, .fail_nth = 0,             \
	  .lowmem_reserve = "", .distances = "", .failslab = "", .fail_page_alloc = "", .slub_debug = "", .views = "", .parameters = "" }
/* clang-format on */

/*
 * Boots a machine; the calling thread becomes a task on its CPU 0. NULL: what the environment variable FLAGSTONE_MACHINE says, a
 * text as flagstone_machine_boot_text() takes it. Where FLAGSTONE_MACHINE is set, what it names goes before any config, text or file,
 * so that a run can be repeated with another seed.
 *
 * Returns 0; -EINVAL for a machine that cannot be, with one line on stderr that names the value, who said it, and what would be
 * allowed; -EBUSY if there is one; -ENOMEM. Nothing is left behind by a failure. Context: an ordinary thread.
 */
FLAGSTONE_API int flagstone_machine_boot(const struct flagstone_machine_config *config);

/*
 * Boots what a text describes: "cpus=8,ram=256m,nodes=2,highmem=192m,seed=7", separated by commas or newlines. Sizes take k, m and g.
 * From # to the end of a line is a comment. What it does not name has its default. A name alone means 1, where there is nothing but 0
 * and 1: "tracking". Returns as flagstone_machine_boot(); -EINVAL also for a name or value that is none, and for a name that is there
 * twice.
 */
FLAGSTONE_API int flagstone_machine_boot_text(const char *text);

/* As flagstone_machine_boot_text(), of a file's text, of 64 KiB at most. Also -errno of reading the file. */
FLAGSTONE_API int flagstone_machine_boot_file(const char *path);

/* What a text means, without booting it: fills in config, defaults first. 0 or -EINVAL, with a line on stderr. Any thread. */
FLAGSTONE_API int flagstone_machine_config_parse(struct flagstone_machine_config *config, const char *text);

/* Says whether the machine can be: 0, or -EINVAL with a line on stderr. Any thread. */
FLAGSTONE_API int flagstone_machine_config_check(const struct flagstone_machine_config *config);

/* The table of all fields: as text, or as Markdown. Length like snprintf. Any thread. */
FLAGSTONE_API size_t flagstone_machine_config_table(char *buffer, size_t size, int markdown);

/*
 * Ends the machine. Everything that is still there is reported, with size, call site, age and task: objects and pages, by call sites with
 * tracking only; per-CPU memory, percpu_counters, caches, mempools, gen_pools, workqueues, interrupts, shrinkers, OOM notifiers, cpuhp
 * states, disks, references to tasks that have ended. Timers, work and tasklets that are pending are reported with their functions.
 * A pool's own memory, and its reserve where mempool.h's allocators made it, is not told of once more. Afterwards another may be booted.
 *
 * Returns the number of leaks, 0 if there are none; -EBUSY while tasks have not ended: they are named, with who created them, and the
 * machine goes on;
 * -EPERM from a thread that is no task; -ENODEV without a machine. Context: task, may sleep; no other thread uses the machine.
 */
FLAGSTONE_API int flagstone_machine_shutdown(void);

/* Whether there is a machine. Any thread. */
FLAGSTONE_API int flagstone_machine_booted(void);

/*
 * The calling thread becomes a task on that CPU, and returns when it is its turn there. It may then use the machine as any kernel
 * thread does; it keeps the CPU until it sleeps. Returns 0, -ENODEV without a machine or such an online CPU, -EBUSY if it is a
 * task already, -ENOMEM. Context: an ordinary thread.
 */
FLAGSTONE_API int flagstone_machine_attach(unsigned int cpu);

/* The calling thread gives its CPU away and is no task any more. Context: task, no locks held. */
FLAGSTONE_API void flagstone_machine_detach(void);

/*
 * Runs function(arg) in a kernel thread on that CPU and waits for its end. Returns what it returned, or -ENODEV, -ENOMEM.
 * Context: task, may sleep; or an ordinary thread, which is attached to CPU 0 meanwhile.
 */
FLAGSTONE_API int flagstone_machine_run(unsigned int cpu, int (*function)(void *arg), void *arg);

/*
 * A view in the kernel's format: "slabinfo", "buddyinfo", "zoneinfo", "vmstat", "meminfo", "interrupts", "pagetypeinfo"; "extfrag_index" and
 * "unusable_index", of extfrag in debugfs. Length like snprintf: what it would need without the final zero; -ENOENT for another name, -ENODEV without a machine. Context: task.
 * Semantics: Linux, Documentation/filesystems/proc.rst and proc(5); of the indexes, Documentation/admin-guide/sysctl/vm.rst, extfrag_threshold.
 */
FLAGSTONE_API long flagstone_view(const char *name, char *buffer, size_t size);

/* Writes a view, or with NULL all of them one after the other, to a file descriptor. 0 or -errno. Context: task. */
FLAGSTONE_API int flagstone_view_write(const char *name, int fd);

/*
 * Sets one knob of "failslab" or "fail_page_alloc" by the kernel's name: probability (percent), interval, times (-1: no limit), space,
 * verbose, task-filter, stacktrace-depth, require-start, require-end, reject-start, reject-end, ignore-gfp-wait, and
 * cache-filter (failslab: only objects of caches with SLAB_FAILSLAB fail) or ignore-gfp-highmem and min-order (fail_page_alloc). The defaults are the kernel's: what may sleep does not fail before
 * ignore-gfp-wait=N, and single pages do not before min-order=0.
 * 0, -ENOENT for another name, -EINVAL for another value, -EPERM on a machine with neither tracking nor context nor any failure asked
 * for, whose fast paths see no knobs. Context: task.
 * Semantics: Linux, Documentation/fault-injection/fault-injection.rst
 */
FLAGSTONE_API int flagstone_fault_set(const char *attr, const char *knob, const char *value);

/* ---- every allocation's failure, one after the other ---- */

enum flagstone_fail_outcome {
	FLAGSTONE_FAIL_CLEAN, /* it came back, and nothing is left */
	FLAGSTONE_FAIL_LEAKED,
	FLAGSTONE_FAIL_CRASHED, /* by a signal or a BUG report */
	FLAGSTONE_FAIL_HUNG, /* not back within the deadline */
	FLAGSTONE_FAIL_TOUCHED, /* used memory that is free */
	FLAGSTONE_FAIL_WARNED, /* a WARN_ON() or a WARNING of lockdep, with on_bug=continue where that would end it */
};

/* One step that was not clean. */
struct flagstone_fail_step {
	unsigned int nth; /* the allocation that failed, from 1 */
	enum flagstone_fail_outcome outcome;
	int leaks;
	int signal; /* that ended it; 0: none */
	uintptr_t site[8]; /* the call stack of the allocation that failed, innermost first; 0: no more */
	char text[160]; /* the first line of the report, if there was one */
	char replay[320]; /* FLAGSTONE_MACHINE=... that does it again */
};

#define FLAGSTONE_FAIL_STEPS 64

/* What flagstone_fail_each() is told, and what it found. All zero asks for the defaults. */
struct flagstone_fail_report {
	const char *machine; /* in: text of the machine to boot for each step; NULL: FLAGSTONE_MACHINE alone */
	unsigned int deadline_ms; /* in: for a step; 0: 60000 */
	unsigned int max_steps; /* in: 0: until it passes clean */
	unsigned int nr_steps; /* steps made, the one without a failure included */
	unsigned int nr_bad; /* of those, not clean */
	struct flagstone_fail_step bad[FLAGSTONE_FAIL_STEPS]; /* the first of them */
};

/*
 * Runs function(arg) again and again: with its allocation 1, 2, 3, ... failing, until it comes to its end without reaching that many.
 * Allocations of the calling task count, also those that kernel functions make on its behalf, as alloc_workqueue() and kthread_create() do;
 * those of other tasks and of interrupts do not. A step that ends by _exit() or exec is bad, as nobody could look for leaks. Each step is a child process with a machine
 * of its own, made by fork() before that boots, so that a step that crashes or hangs ends nothing else, and each begins alike. What
 * function() returns is not looked at: it may well fail, cleanly. Where fail_nth is set, as in a replay, that step is the first one;
 * the others follow unless it is bad. A step that hangs is sent SIGTERM, at which its machine names its tasks and the stack of the thread
 * that got it, and is killed 2 seconds later.
 *
 * report may be NULL. Each bad step is a line on stderr. Returns the number of bad steps; -EBUSY while this process has a machine,
 * -errno of fork. Context: an ordinary thread, and no other one runs that holds locks function() needs.
 */
FLAGSTONE_API int flagstone_fail_each(int (*function)(void *arg), void *arg, struct flagstone_fail_report *report);

#ifdef __cplusplus
}
#endif

#endif
