/*
 * preemption_tokens.c: tokens, a depot for their magazines, and the ladder between the two. See preemption_tokens.h.
 *
 * Calls percpu's area operations and locks. Knows nothing of threads, signals and delays: the contract has to hold for
 * whatever preemption.c does to it.
 */
#include "tests/stress/preemption_tokens.h"

#include "percpu/magazine.h"
#include "runtime/host/host.h"
#include "runtime/lib/lock.h"
#include "runtime/lib/tunables.h"
#include "tests/stress/harness.h"

#define ANCHOR_ALIGN (4ul << 20)
#define NR_MAGAZINES 192 /* of each slot */
#define FULL_AT_BOOT 6 /* of those; the others are empty */
#define MAX_TOKENS (FULL_AT_BOOT * MAGAZINE_MAX_CAPACITY)
#define TOKEN_BASE 0x40000000ul
#define NOBODY 0
#define TRIES 16

static const struct {
	unsigned int slot, capacity;
} slots[NR_TEST_SLOTS] = {{1, 4}, {2, 8}, {37, 31}, {AREA_SLOTS - 1, MAGAZINE_MAX_CAPACITY}};

/* Under lock: nr_filled + nr_empty == number of stored flags set. */
struct test_depot {
	struct lock lock; /* workers only try it: a handler may have interrupted its holder */
	magazine_top filled[NR_MAGAZINES]; /* with at least one token. Synchronization: lock */
	magazine_top empty[NR_MAGAZINES]; /* Synchronization: lock */
	unsigned int nr_filled, nr_empty; /* Synchronization: lock */
	bool stored[NR_MAGAZINES]; /* by number of the magazine. Synchronization: lock */
	struct magazine *magazines; /* Synchronization: const after boot */
};

static struct test_depot depots[NR_TEST_SLOTS];
static uint16_t owner[NR_TEST_SLOTS][MAX_TOKENS]; /* id of a holder or NOBODY: in a magazine. Synchronization: atomic */
static unsigned long nr_drained, nr_drained_idle; /* Synchronization: atomic */

static unsigned int nr_tokens(unsigned int s)
{
	return FULL_AT_BOOT * slots[s].capacity;
}

static void *token_word(unsigned int s, uint32_t token)
{
	return (void *)(TOKEN_BASE + 16 * ((unsigned long)s * MAX_TOKENS + token));
}

static uint32_t token_of(unsigned int s, const void *word)
{
	uintptr_t offset = (uintptr_t)word - TOKEN_BASE;
	uintptr_t token = offset / 16 - (uintptr_t)s * MAX_TOKENS;

	if (offset % 16 || token >= nr_tokens(s))
		fail("%p, found in slot %u, is not a token", word, slots[s].slot);
	return (uint32_t)token;
}

/* The token changes hands: whoever had it must be the one that we think. */
static void token_move(unsigned int s, uint32_t token, uint16_t from, uint16_t to)
{
	uint16_t before = __atomic_exchange_n(&owner[s][token], to, __ATOMIC_RELAXED);

	if (before != from)
		fail("token %u of slot %u is owned twice (found %u, expected %u, taken by %u)", token, slots[s].slot,
			before, from, to);
}

/* ---- the depot; __ functions: under its lock ---- */

static void __depot_put(unsigned int s, magazine_top top)
{
	struct test_depot *depot = &depots[s];
	size_t number = (size_t)(magazine_of(top) - depot->magazines);
	unsigned int count = magazine_count(top, slots[s].capacity);

	if (number >= NR_MAGAZINES || count > slots[s].capacity)
		fail("position %llx in slot %u is not in a magazine", (unsigned long long)top, slots[s].slot);
	if (depot->stored[number])
		fail("magazine %zu of slot %u is owned twice", number, slots[s].slot);
	depot->stored[number] = true;
	if (count)
		depot->filled[depot->nr_filled++] = top;
	else
		depot->empty[depot->nr_empty++] = top;
}

static void __depot_took(unsigned int s, magazine_top top)
{
	depots[s].stored[magazine_of(top) - depots[s].magazines] = false;
}

/* Every word of a magazine that nobody uses now is a token that nobody has. */
static void check_contents(unsigned int s, magazine_top top)
{
	const struct magazine *magazine = magazine_of(top);
	unsigned int bottom = MAGAZINE_WORDS - slots[s].capacity;

	if (magazine->word[bottom - 1])
		fail("the floor of a magazine of slot %u is overwritten", slots[s].slot);
	for (unsigned int i = 0; i < magazine_count(top, slots[s].capacity); i++) {
		uint32_t token = token_of(s, magazine->word[bottom + i]);

		token_move(s, token, NOBODY, NOBODY);
	}
}

static void give_back(unsigned int slot, struct magazine_pair pair)
{
	unsigned int s = 0;

	while (s < NR_TEST_SLOTS && slots[s].slot != slot)
		s++;
	if (s == NR_TEST_SLOTS)
		fail("a drain found magazines in slot %u, which nobody uses", slot);
	if (pair.top)
		check_contents(s, pair.top);
	if (pair.spare)
		check_contents(s, pair.spare);
	lock_acquire(&depots[s].lock);
	if (pair.top)
		__depot_put(s, pair.top);
	if (pair.spare)
		__depot_put(s, pair.spare);
	lock_release(&depots[s].lock);
}

static void drain_sink(unsigned int slot, struct magazine_pair pair)
{
	give_back(slot, pair);
	__atomic_fetch_add(&nr_drained, !!pair.top + !!pair.spare, __ATOMIC_RELAXED);
}

static void drain_idle_sink(unsigned int slot, struct magazine_pair pair)
{
	give_back(slot, pair);
	__atomic_fetch_add(&nr_drained_idle, !!pair.top + !!pair.spare, __ATOMIC_RELAXED);
}

/*
 * Exchanges: a magazine from the list goes to the area, with keep as its spare; surplus (or 0) comes to the depot. Under
 * the lock throughout, so that a drain cannot bring the magazine back before it is marked as taken.
 */
static bool depot_exchange(struct holder *holder, unsigned int s, bool filled, const struct area_view *view,
	magazine_top keep, magazine_top surplus)
{
	struct test_depot *depot = &depots[s];
	magazine_top *list = filled ? depot->filled : depot->empty;
	unsigned int *nr = filled ? &depot->nr_filled : &depot->nr_empty;
	bool done = false;

	if (!lock_try_briefly(&depot->lock))
		return false;
	if (*nr) {
		magazine_top top = list[*nr - 1];

		done = area_install(slots[s].slot, view, (struct magazine_pair){top, keep});
		if (done) {
			(*nr)--;
			__depot_took(s, top);
			holder->nr_installed++;
		}
	}
	if (done && surplus)
		__depot_put(s, surplus);
	lock_release(&depot->lock);
	return done;
}

/* ---- the ladder ---- */

/* The magazine can serve: it has a token to pop, or room for one. */
static bool serves(unsigned int s, magazine_top top, bool pop)
{
	return pop ? magazine_count(top, slots[s].capacity) > 0 : top && !magazine_is_full(top);
}

/* The area was empty (full): brings a better magazine. False: there is none just now. */
static bool refresh(struct holder *holder, unsigned int s, bool pop)
{
	struct area_view view;
	magazine_top main, spare;

	if (!area_snapshot(slots[s].slot, &view))
		return false;
	main = view.pair.top;
	spare = view.pair.spare;
	if (serves(s, main, pop))
		return true;
	if (serves(s, spare, pop)) {
		area_install(slots[s].slot, &view, (struct magazine_pair){spare, main});
		return true;
	}
	if (!main || !spare) {
		main = main ? main : spare;
		spare = 0;
	}
	return depot_exchange(holder, s, pop, &view, main, spare);
}

bool tokens_pop(struct holder *holder, unsigned int s)
{
	void *word = area_pop(slots[s].slot);

	if (holder->held[s].nr == MAX_HELD && word)
		fail("holder %u took more than it can hold", holder->id);
	for (int i = 0; !word && i < TRIES; i++) {
		if (!refresh(holder, s, true))
			return false;
		word = area_pop(slots[s].slot);
	}
	if (!word)
		return false;
	uint32_t token = token_of(s, word);
	token_move(s, token, NOBODY, holder->id);
	holder->held[s].token[holder->held[s].nr++] = token;
	holder->nr_popped++;
	return true;
}

bool tokens_push(struct holder *holder, unsigned int s)
{
	uint32_t token = holder->held[s].token[holder->held[s].nr - 1];
	bool done;

	token_move(s, token, holder->id, NOBODY);
	done = area_push(slots[s].slot, token_word(s, token));
	for (int i = 0; !done && i < TRIES; i++) {
		if (!refresh(holder, s, false))
			break;
		done = area_push(slots[s].slot, token_word(s, token));
	}
	if (!done) {
		token_move(s, token, NOBODY, holder->id);
		return false;
	}
	holder->held[s].nr--;
	holder->nr_pushed++;
	return true;
}

void tokens_drain(void)
{
	area_drain(1, AREA_SLOTS, drain_sink);
}

void tokens_drain_idle(void)
{
	area_drain_idle(drain_idle_sink);
}

unsigned long tokens_nr_drained(void)
{
	return __atomic_load_n(&nr_drained, __ATOMIC_RELAXED);
}

unsigned long tokens_nr_drained_idle(void)
{
	return __atomic_load_n(&nr_drained_idle, __ATOMIC_RELAXED);
}

/* ---- boot and the final count ---- */

static void depot_fill(unsigned int s)
{
	struct test_depot *depot = &depots[s];
	unsigned int bottom = MAGAZINE_WORDS - slots[s].capacity;

	lock_init(&depot->lock, LOCK_SLABS);
	depot->magazines = host_map_aligned(NR_MAGAZINES * MAGAZINE_SIZE, 4096);
	require(depot->magazines, "no memory for magazines");
	for (unsigned int m = 0; m < NR_MAGAZINES; m++) {
		unsigned int count = m < FULL_AT_BOOT ? slots[s].capacity : 0;

		for (unsigned int i = 0; i < count; i++)
			depot->magazines[m].word[bottom + i] = token_word(s, m * count + i);
		__depot_put(s, magazine_top_at(&depot->magazines[m], slots[s].capacity, count));
	}
}

void tokens_boot(void)
{
	char *memory = host_map_aligned(2 * ANCHOR_ALIGN, ANCHOR_ALIGN);

	require(memory, "no memory for areas");
	tunables_parse(host_getenv("FLAGSTONE_CONF"));
	percpu_boot(memory + ANCHOR_ALIGN);
	percpu_set_exit_sink(give_back);
	for (unsigned int s = 0; s < NR_TEST_SLOTS; s++)
		depot_fill(s);
}

static void see(unsigned int s, uint8_t *seen, uint32_t token)
{
	if (seen[token]++)
		fail("token %u of slot %u is owned twice (at the end)", token, slots[s].slot);
}

static void check_slot(unsigned int s, const struct holder *holders, size_t nr_holders)
{
	const struct test_depot *depot = &depots[s];
	unsigned int bottom = MAGAZINE_WORDS - slots[s].capacity;
	uint8_t seen[MAX_TOKENS] = {0};

	if (depot->nr_filled + depot->nr_empty != NR_MAGAZINES)
		fail("magazines of slot %u are lost: %u of %u are left", slots[s].slot,
			depot->nr_filled + depot->nr_empty, NR_MAGAZINES);
	for (unsigned int m = 0; m < depot->nr_filled; m++) {
		magazine_top top = depot->filled[m];

		check_contents(s, top);
		for (unsigned int i = 0; i < magazine_count(top, slots[s].capacity); i++)
			see(s, seen, token_of(s, magazine_of(top)->word[bottom + i]));
	}
	for (size_t h = 0; h < nr_holders; h++)
		for (unsigned int i = 0; i < holders[h].held[s].nr; i++)
			see(s, seen, holders[h].held[s].token[i]);
	for (uint32_t token = 0; token < nr_tokens(s); token++)
		if (!seen[token])
			fail("token %u of slot %u is lost", token, slots[s].slot);
}

void tokens_check_all(const struct holder *holders, size_t nr_holders)
{
	tokens_drain();
	for (unsigned int s = 0; s < NR_TEST_SLOTS; s++)
		check_slot(s, holders, nr_holders);
}
