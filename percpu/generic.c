/*
 * generic.c: the magazine contract in C, for an area that its caller has to itself.
 *
 * Thread and locked mode add the "to itself". Knows no threads and no locks.
 */
#include <string.h>

#include "percpu/modes.h"

void *generic_pop(struct area *area, unsigned int slot)
{
	struct magazine_pair *pair = &area->pair[slot];
	void *object = magazine_word(pair->top)[-1];

	if (object)
		pair->top -= sizeof(void *);
	return object;
}

bool generic_push(struct area *area, unsigned int slot, void *object)
{
	struct magazine_pair *pair = &area->pair[slot];

	if (magazine_is_full(pair->top))
		return false;
	*magazine_word(pair->top) = object;
	pair->top += sizeof(void *);
	return true;
}

bool generic_install(
	struct area *area, unsigned int slot, const struct magazine_pair *old, struct magazine_pair new_pair)
{
	struct magazine_pair *pair = &area->pair[slot];

	if (pair->top != old->top || pair->spare != old->spare)
		return false;
	*pair = new_pair;
	return true;
}

void generic_drain(struct area *area, const struct slot_set *set, area_sink sink)
{
	for (unsigned int slot = 1; slot < AREA_SLOTS; slot++) {
		struct magazine_pair pair = area->pair[slot];

		if (!slot_set_has(set, slot) || (!pair.top && !pair.spare))
			continue;
		area->pair[slot] = (struct magazine_pair){0, 0};
		sink(slot, pair);
	}
}

void generic_drain_all(struct area *area, area_sink sink)
{
	struct slot_set all;

	memset(&all, 0xff, sizeof(all));
	generic_drain(area, &all, sink);
}
