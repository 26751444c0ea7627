/*
 * test_rcu_cxx.cc: linux/rcupdate.h and linux/rculist.h are C++ too.
 */
#include <cstdio>

#include <flagstone/rcu.h>
#include <linux/rculist.h>
#include <linux/slab.h>

struct node {
	unsigned long value;
	struct list_head list;
	struct rcu_head rcu;
};

static LIST_HEAD(nodes);

int main()
{
	unsigned long sum = 0;

	for (unsigned long value = 1; value <= 3; value++) {
		auto *fresh = static_cast<node *>(kmalloc(sizeof(node), GFP_KERNEL));

		fresh->value = value;
		list_add_rcu(&fresh->list, &nodes);
	}
	rcu_read_lock();
	node *each;
	list_for_each_entry_rcu(each, &nodes, list)
		sum += each->value;
	rcu_read_unlock();
	while (!list_empty(&nodes)) {
		node *first = list_first_entry(&nodes, node, list);

		list_del_rcu(&first->list);
		if (first->value == 2)
			kfree_rcu_mightsleep(first);
		else
			kfree_rcu(first, rcu);
	}
	kvfree_rcu_barrier();
	std::printf("%s: test_rcu_cxx: sum is %lu\n", sum == 6 ? "PASS" : "FAIL", sum);
	return sum != 6;
}
