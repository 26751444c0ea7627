/*
 * lockdep.c: lock checking.
 */
#include "runtime/sched/locks.h"

bool lockdep_on;
struct lock_class_key __lockdep_no_validate__;

bool __lockdep_acquire(struct lockdep_map *map, unsigned int subclass, unsigned int how)
{
	(void)map;
	(void)subclass;
	(void)how;
	return true;
}
bool __lockdep_release(struct lockdep_map *map)
{
	(void)map;
	return true;
}
void __lockdep_irqs_on(void)
{
}
void __lockdep_softirqs_on(void)
{
}
void lockdep_print_held(struct task_struct *task)
{
	(void)task;
}
struct held_locks *lockdep_new_held(void)
{
	return NULL;
}
void lockdep_init(struct lockdep_map *map, const char *name, const struct lock_class_key *key)
{
	map->key = key;
	map->name = name;
	map->cache = 0;
}
void lockdep_init_map(struct lockdep_map *map, const char *name, const struct lock_class_key *key, int subclass)
{
	(void)subclass;
	lockdep_init(map, name, key);
}
bool flagstone_lock_is_held(const struct lockdep_map *map, int read)
{
	(void)map;
	(void)read;
	return true;
}
void flagstone_assert_held(const struct lockdep_map *map, int read, const char *file, int line)
{
	(void)map;
	(void)read;
	(void)file;
	(void)line;
}
void lockdep_reset(void)
{
}
