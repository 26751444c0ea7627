// SPDX-License-Identifier: MIT
/*
 * ask_interrupts.c: requesting, sharing, disabling and threading an interrupt, raised by irq_inject_interrupt().
 */
#define pr_fmt(fmt) "ask: " fmt
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/slab.h>

/* Says what an expression is, in its own words: one call a line, for arguments are evaluated in no particular order. */
#define ask(expression) pr_info("%s: %ld\n", #expression, (long)(expression))

/* A line that nothing else uses, on a PC too. */
#define LINE 3

static DECLARE_COMPLETION(handled);
static DECLARE_COMPLETION(threaded);

/* What the handlers saw; told afterwards, since the handler may run before irq_inject_interrupt() returns, or after. */
static struct sight {
	int device, irq, hardirq, irqs_off, object;
} sights[4];
static unsigned int nr_sights;

static irqreturn_t handler(int irq, void *device)
{
	void *object = kmalloc(64, GFP_ATOMIC);

	sights[nr_sights++] = (struct sight){*(int *)device, irq, in_hardirq() != 0, irqs_disabled(), object != NULL};
	kfree(object);
	complete(&handled);
	return IRQ_HANDLED;
}

/* Waits for so many handlers and says what they saw. */
static void tell(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		wait_for_completion(&handled);
	synchronize_irq(LINE);
	for (i = 0; i < nr_sights; i++)
		pr_info("handler of device %d: irq %d, in_hardirq %d, irqs_disabled %d, kmalloc %d\n", sights[i].device,
			sights[i].irq, sights[i].hardirq, sights[i].irqs_off, sights[i].object);
	nr_sights = 0;
}

static irqreturn_t first_half(int irq, void *device)
{
	return IRQ_WAKE_THREAD;
}

static irqreturn_t second_half(int irq, void *device)
{
	void *object = kmalloc(64, GFP_KERNEL);

	pr_info("threaded handler: in_task %d, in_hardirq %d, irqs_disabled %d, kmalloc %d\n", !!in_task(),
		!!in_hardirq(), !!irqs_disabled(), object != NULL);
	kfree(object);
	complete(&threaded);
	return IRQ_HANDLED;
}

static int one = 1, two = 2;

static void ask_requests(void)
{
	ask(request_irq(LINE, NULL, 0, "ask", &one));
	ask(request_irq(LINE, handler, IRQF_SHARED, "ask", NULL));
	ask(request_irq(100000, handler, 0, "ask", &one));
	ask(request_irq(LINE, handler, 0, "ask", &one));
	ask(request_irq(LINE, handler, 0, "ask", &two));
	ask(request_irq(LINE, handler, IRQF_SHARED, "ask", &two));
	ask(irq_inject_interrupt(LINE));
	tell(1);
	ask(free_irq(LINE, &one) != NULL);
}

static void ask_sharing(void)
{
	ask(request_irq(LINE, handler, IRQF_SHARED, "ask_one", &one));
	ask(request_irq(LINE, handler, IRQF_SHARED, "ask_two", &two));
	ask(irq_inject_interrupt(LINE));
	tell(2);
	free_irq(LINE, &one);
	ask(irq_inject_interrupt(LINE));
	tell(1);
	free_irq(LINE, &two);
}

static void ask_disabling(void)
{
	ask(request_irq(LINE, handler, 0, "ask", &one));
	disable_irq(LINE);
	disable_irq(LINE);
	pr_info("disabled twice\n");
	ask(irq_inject_interrupt(LINE));
	ask(wait_for_completion_timeout(&handled, 10));
	enable_irq(LINE);
	pr_info("enabled once\n");
	ask(wait_for_completion_timeout(&handled, 10));
	enable_irq(LINE);
	pr_info("enabled twice\n");
	tell(1);
	free_irq(LINE, &one);
}

static void ask_threads(void)
{
	ask(request_threaded_irq(LINE, NULL, second_half, 0, "ask", &one));
	ask(request_threaded_irq(LINE, first_half, second_half, 0, "ask", &one));
	irq_inject_interrupt(LINE);
	wait_for_completion(&threaded);
	synchronize_irq(LINE);
	free_irq(LINE, &one);
	ask(request_threaded_irq(LINE, NULL, second_half, IRQF_ONESHOT, "ask", &one));
	irq_inject_interrupt(LINE);
	wait_for_completion(&threaded);
	free_irq(LINE, &one);
}

static int __init ask_init(void)
{
	ask_requests();
	ask_sharing();
	ask_disabling();
	ask_threads();
	return 0;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Asks about interrupt lines");
