/*
 * step_state.c: what the program of a step tells who made the step, whatever way it ends: whether it has a machine.
 *
 * A page that both sides map. Calls libc alone. Knows nothing of machines.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/machine/steps.h"

#define MAGIC 0x7065747364657473ull
#define NAME_BYTES 64

struct step_state {
	uint64_t magic; /* Synchronization: const */
	uint32_t nr_machines; /* that are booted. Synchronization: atomic */
};

/* ---- who makes steps ---- */

struct step_state *step_state_create(char *name, size_t size)
{
	int fd = memfd_create("flagstone-step", MFD_CLOEXEC);
	struct step_state *state = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, sizeof(*state)))
		state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (state == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	state->magic = MAGIC;
	snprintf(name, size, "/proc/%d/fd/%d", (int)getpid(), fd);
	return state;
}

void step_state_begin(struct step_state *state)
{
	if (state)
		__atomic_store_n(&state->nr_machines, 0, __ATOMIC_RELAXED);
}

bool step_state_has_machine(const struct step_state *state)
{
	return state && __atomic_load_n(&state->nr_machines, __ATOMIC_RELAXED);
}

void step_state_destroy(struct step_state *state, const char *name)
{
	if (!state)
		return;
	munmap(state, sizeof(*state));
	close(atoi(strrchr(name, '/') + 1));
}

/* ---- the program ---- */

static struct step_state *told; /* NULL: nobody makes steps. Synchronization: who boots and ends the machine */

static struct step_state *find(void)
{
	const char *name = getenv(STEP_VARIABLE);
	int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
	struct step_state *state = MAP_FAILED;
	struct stat stat;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &stat) && stat.st_size == sizeof(*state))
		state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (state == MAP_FAILED)
		return NULL;
	/* The name may be another file's by now. */
	if (state->magic == MAGIC)
		return state;
	munmap(state, sizeof(*state));
	return NULL;
}

void step_tell_boot(void)
{
	told = find();
	if (told)
		__atomic_fetch_add(&told->nr_machines, 1, __ATOMIC_RELAXED);
}

void step_tell_shutdown(void)
{
	if (!told)
		return;
	__atomic_fetch_sub(&told->nr_machines, 1, __ATOMIC_RELAXED);
	step_forget();
}

void step_forget(void)
{
	if (told)
		munmap(told, sizeof(*told));
	told = NULL;
}
