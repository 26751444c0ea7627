/*
 * list.h: doubly linked circular lists with the node inside the element, as in the kernel.
 *
 * Files that see <linux/list.h> first have the types and functions of the same name of that one.
 */
#ifndef RUNTIME_LIB_LIST_H
#define RUNTIME_LIB_LIST_H

#include <stdbool.h>
#include <stddef.h>

#ifndef FLAGSTONE_LINUX_LIST_H
struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)     \
	{                        \
		&(name), &(name) \
	}
#ifndef container_of
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#endif
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
/* Whether pos is the head in the guise of an element: told without a member access, since no element is there. */
#define list_entry_is_head(pos, head, member) \
	((struct list_head *)((char *)(pos) + offsetof(__typeof__(*pos), member)) == (head))
#define list_for_each_entry(pos, head, member)                                                                 \
	for (pos = list_entry((head)->next, __typeof__(*pos), member); !list_entry_is_head(pos, head, member); \
		pos = list_entry_next(pos, member))
#define list_for_each_entry_safe(pos, n, head, member)                                                   \
	for (pos = list_entry((head)->next, __typeof__(*pos), member), n = list_entry_next(pos, member); \
		!list_entry_is_head(pos, head, member); pos = n, n = list_entry_next(n, member))

/* Both links of the node in one vector store would cost the one who loads a link next more than it saves here; hence atomic. */
static inline void list_add(struct list_head *node, struct list_head *head)
{
	struct list_head *next = head->next;

	__atomic_store_n(&node->next, next, __ATOMIC_RELAXED);
	node->prev = head;
	next->prev = node;
	__atomic_store_n(
		&head->next, node, __ATOMIC_RELAXED); /* whether a list is empty may be asked without its lock */
}

static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
	list_add(node, head->prev);
}

static inline void list_del(struct list_head *node)
{
	node->next->prev = node->prev;
	__atomic_store_n(&node->prev->next, node->next, __ATOMIC_RELAXED);
	node->next = NULL;
	node->prev = NULL;
}

static inline bool list_empty(const struct list_head *head)
{
	return __atomic_load_n(&head->next, __ATOMIC_RELAXED) == head;
}

#endif

#define list_entry_next(pos, member)                                                                                   \
	list_entry(((struct list_head *)((char *)(pos) + offsetof(__typeof__(*pos), member)))->next, __typeof__(*pos), \
		member)

static inline void list_init(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

#endif
