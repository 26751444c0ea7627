// SPDX-License-Identifier: MIT
/*
 * ask_notifiers.c: notifier chains: order, stopping, what registering and calling return.
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/notifier.h>

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

static int stop_at;

struct named_block {
	struct notifier_block block;
	int number;
};

static int called(struct notifier_block *block, unsigned long event, void *data)
{
	struct named_block *named = container_of(block, struct named_block, block);

	pr_info("block %d, event %lu, data %d\n", named->number, event, *(int *)data);
	return named->number == stop_at ? NOTIFY_STOP : named->number == 3 ? NOTIFY_DONE : NOTIFY_OK;
}

static struct named_block blocks[4] = {
	{{.notifier_call = called, .priority = 0}, 0},
	{{.notifier_call = called, .priority = 10}, 1},
	{{.notifier_call = called, .priority = 0}, 2},
	{{.notifier_call = called, .priority = -5}, 3},
};

static BLOCKING_NOTIFIER_HEAD(blocking);
static ATOMIC_NOTIFIER_HEAD(atomic);

static void ask_blocking(void)
{
	int data = 77;

	stop_at = -1;
	ask(blocking_notifier_call_chain(&blocking, 1, &data));
	ask(blocking_notifier_chain_register(&blocking, &blocks[3].block));
	ask(blocking_notifier_chain_register(&blocking, &blocks[0].block));
	ask(blocking_notifier_chain_register(&blocking, &blocks[1].block));
	ask(blocking_notifier_chain_register(&blocking, &blocks[2].block));
	ask(blocking_notifier_call_chain(&blocking, 2, &data));
	stop_at = 0;
	ask(blocking_notifier_call_chain(&blocking, 3, &data));
	ask(blocking_notifier_chain_unregister(&blocking, &blocks[0].block));
	ask(blocking_notifier_chain_unregister(&blocking, &blocks[0].block));
	ask(blocking_notifier_call_chain(&blocking, 4, &data));
	blocking_notifier_chain_unregister(&blocking, &blocks[1].block);
	blocking_notifier_chain_unregister(&blocking, &blocks[2].block);
	blocking_notifier_chain_unregister(&blocking, &blocks[3].block);
}

static void ask_atomic(void)
{
	int data = 78;

	stop_at = 1;
	ask(atomic_notifier_chain_register(&atomic, &blocks[0].block));
	ask(atomic_notifier_chain_register(&atomic, &blocks[1].block));
	ask(atomic_notifier_call_chain(&atomic, 5, &data));
	ask(atomic_notifier_chain_unregister(&atomic, &blocks[1].block));
	ask(atomic_notifier_call_chain(&atomic, 6, &data));
	ask(atomic_notifier_chain_unregister(&atomic, &blocks[0].block));
	ask(notifier_to_errno(notifier_from_errno(-12)));
	ask(notifier_from_errno(0));
}

static int __init ask_init(void)
{
	ask_blocking();
	ask_atomic();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about notifier chains");
