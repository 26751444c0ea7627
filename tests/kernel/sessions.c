/*
 * sessions.c: kernel-style code on the public headers alone: a cache, a table of pages, buffers that grow.
 *
 * Calls linux/slab.h, gfp.h and mm.h; knows nothing of flagstone.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <string.h>

#include "sessions.h"

#define TABLE_ORDER 2
#define NR_BUCKETS ((PAGE_SIZE << TABLE_ORDER) / sizeof(struct session *))

struct session {
	struct session *next;
	unsigned int id;
	size_t length;
	char *log;
};

static struct kmem_cache *session_cache;
static struct session **buckets;

static struct session **session_find(unsigned int id)
{
	struct session **link = &buckets[id % NR_BUCKETS];

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

int session_open(unsigned int id, gfp_t gfp)
{
	struct session **link = session_find(id);
	struct session *session;

	if (*link)
		return -EEXIST;
	session = kmem_cache_zalloc(session_cache, gfp);
	if (!session)
		return -ENOMEM;
	session->id = id;
	*link = session;
	return 0;
}

int session_log(unsigned int id, const void *bytes, size_t size, gfp_t gfp)
{
	struct session *session = *session_find(id);
	char *log;

	if (!session)
		return -ENOENT;
	log = krealloc(session->log, session->length + size, gfp);
	if (!log)
		return -ENOMEM;
	memcpy(log + session->length, bytes, size);
	session->log = log;
	session->length += size;
	return 0;
}

long session_read(unsigned int id, void *bytes, size_t size)
{
	struct session *session = *session_find(id);

	if (!session)
		return -ENOENT;
	memcpy(bytes, session->log, size < session->length ? size : session->length);
	return (long)session->length;
}

int session_close(unsigned int id)
{
	struct session **link = session_find(id);
	struct session *session = *link;

	if (!session)
		return -ENOENT;
	*link = session->next;
	kfree_sensitive(session->log);
	kmem_cache_free(session_cache, session);
	return 0;
}

int sessions_init(void)
{
	session_cache = KMEM_CACHE(session, SLAB_HWCACHE_ALIGN);
	if (!session_cache)
		return -ENOMEM;
	buckets = (struct session **)__get_free_pages(GFP_KERNEL | __GFP_ZERO, TABLE_ORDER);
	if (!buckets)
		goto no_table;
	return 0;

no_table:
	kmem_cache_destroy(session_cache);
	return -ENOMEM;
}

void sessions_exit(void)
{
	for (size_t i = 0; i < NR_BUCKETS; i++)
		while (buckets[i])
			session_close(buckets[i]->id);
	free_pages((unsigned long)buckets, TABLE_ORDER);
	kmem_cache_destroy(session_cache);
}
