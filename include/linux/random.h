/*
 * linux/random.h: random numbers, which follow from the machine's seed.
 *
 * Semantics: Linux, Documentation/core-api/kernel-api.rst and the kernel's header of this name; but a machine that is booted with the same
 * seed has the same numbers again, so that a run can be repeated: they follow from the seed, the task that asks and how often it has asked
 * before; in interrupts, the CPU. They are no secret. Any context.
 */
#ifndef FLAGSTONE_LINUX_RANDOM_H
#define FLAGSTONE_LINUX_RANDOM_H

#pragma GCC system_header /* for #include_next, which is an extension */
#if defined(__has_include_next)
#if __has_include_next(<linux/random.h>)
#include_next <linux/random.h>
#endif
#endif
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

u64 get_random_u64(void);
void get_random_bytes(void *to, size_t length);

static inline u32 get_random_u32(void)
{
	return (u32)get_random_u64();
}

static inline u16 get_random_u16(void)
{
	return (u16)get_random_u64();
}

static inline u8 get_random_u8(void)
{
	return (u8)get_random_u64();
}

static inline unsigned int get_random_int(void)
{
	return get_random_u32();
}

static inline unsigned long get_random_long(void)
{
	return (unsigned long)get_random_u64();
}

/* Below ceiling, each equally likely; 0 if that is 0. */
u32 get_random_u32_below(u32 ceiling);
#define prandom_u32_max(ceiling) get_random_u32_below(ceiling)

/* Above floor; from floor to ceiling, both included. */
static inline u32 get_random_u32_above(u32 floor)
{
	return floor + 1 + get_random_u32_below(~(u32)0 - floor);
}

static inline u32 get_random_u32_inclusive(u32 floor, u32 ceiling)
{
	return ceiling - floor == ~(u32)0 ? get_random_u32() : floor + get_random_u32_below(ceiling - floor + 1);
}

/* There are always enough. 0. */
static inline int wait_for_random_bytes(void)
{
	return 0;
}

static inline bool rng_is_initialized(void)
{
	return true;
}

static inline int get_random_bytes_wait(void *to, size_t length)
{
	get_random_bytes(to, length);
	return 0;
}

static inline void add_device_randomness(const void *bytes, size_t length)
{
	(void)bytes;
	(void)length;
}

/*
 * Numbers of a state of the caller's, who keeps others away: the same seed gives the same ones, on every machine. Not those that the kernel gives
 * for it.
 */
struct rnd_state {
	u64 seed, count;
};

static inline void prandom_seed_state(struct rnd_state *state, u64 seed)
{
	state->seed = seed;
	state->count = 0;
}

u32 prandom_u32_state(struct rnd_state *state);
void prandom_bytes_state(struct rnd_state *state, void *to, size_t length);

static inline u32 prandom_u32(void)
{
	return get_random_u32();
}

static inline void prandom_bytes(void *to, size_t length)
{
	get_random_bytes(to, length);
}

#ifdef __cplusplus
}
#endif

#endif
