/*
 * machine_locks.c: every way to lock and to wait, on many CPUs that are preempted at random.
 *
 * Each lock guards a cell: two plain numbers that are equal whenever nobody is inside to change them. Who changes a cell
 * adds to one number, takes its time, adds to the other; who reads one sees both equal, before and after some time.
 * On each CPU a task takes locks in all forms, several at once too; a timer and an interrupt line, whose handlers take
 * those that they may; a few more tasks are on any CPU. Beside them pairs of tasks that toss a ball to and fro, each time by
 * another way to wait, and under a lock that the other wants at once: a wake-up that is lost stops its pair for good, as
 * nobody else could wake it. And clients with a completion on their stack, for servers.
 * A watchdog sees to it that all get on. At the end each number is what was added to it, and no lock is held.
 *
 * Environment: FLAGSTONE_SOAK_SECONDS (1; it goes on until everybody has had turns and all forms were used),
 * FLAGSTONE_SOAK_CPUS (64), FLAGSTONE_SOAK_SEED (1), FLAGSTONE_SOAK_PREEMPT (50: mean microseconds between forced
 * preemptions; 0: none), FLAGSTONE_SOAK_LOCKDEP (1: with lock checking).
 *
 * Broken if this fails: two are inside a lock at once, or a task that waits is forgotten.
 */
#include <flagstone/irq.h>
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "runtime/irq/irq.h"
#include "tests/stress/actors.h"
#include "tests/stress/lock_forms.h"

#define FIRST_IRQ 32
#define LONG_WAIT (3600l * HZ) /* of those that take a time: longer than the watchdog waits */
#define LEAST_TURNS 10 /* of each actor */
#define PLACES 3 /* of the semaphore that has several */

static unsigned int nr_cpus, nr_pairs, nr_clients, nr_servers;

enum { WORKER, ROVER, TIMER, LINE, LEADER, FOLLOWER, CLIENT, SERVER, NR_KINDS };
static const char *const kind_names[] = {"worker", "rover", "timer", "line", "leader", "follower", "client", "server"};

static unsigned long added[MAX_ACTORS][NR_CELLS]; /* Synchronization: the actor, then the end */
static DEFINE_SEMAPHORE(places, PLACES);
static unsigned int in_places; /* Synchronization: atomic */

/* A form that is used there. */
static struct form *form_for(struct actor *actor, unsigned int where)
{
	struct form *form;

	do
		form = &forms[random_below(&actor->random, NR_FORMS)];
	while (!(form->what & where));
	return form;
}

/* Takes some time, in which others may come in where they can. */
static void dawdle(struct actor *actor, bool may_sleep)
{
	uint32_t random = random_next(&actor->random);

	for (uint32_t i = random % 32; i; i--)
		host_relax();
	if (random >> 8 & 15)
		return;
	if (!may_sleep)
		host_yield();
	else if (random >> 12 & 15)
		cond_resched();
	else /* seldom: all who wait for the lock wait for this */
		schedule_timeout_uninterruptible(0);
}

static void change(struct actor *actor, unsigned int which, bool may_sleep)
{
	struct cell *cell = &cells[which];
	unsigned long before = cell->first;

	if (cell->second != before)
		die("another is inside", actor);
	cell->first = before + 1;
	dawdle(actor, may_sleep);
	if (cell->first != before + 1 || cell->second != before)
		die("another came in", actor);
	cell->second = before + 1;
	added[actor - actors][which]++;
}

static void look(struct actor *actor, unsigned int which, bool may_sleep)
{
	struct cell *cell = &cells[which];
	unsigned long before = cell->first;

	if (cell->second != before)
		die("a reader came in while another changes", actor);
	dawdle(actor, may_sleep);
	if (cell->first != before || cell->second != before)
		die("another changes while a reader is inside", actor);
}

static bool promise_is_kept(const struct form *form)
{
	if (form->what & IRQS_OFF && !irqs_disabled())
		return false;
	if (form->what & BHS_OFF && !in_softirq())
		return false;
	return form->what & SLEEPS ? !preempt_count() : preempt_count() != 0;
}

/* sleeps_inside: nothing is held that forbids it. */
static void use(struct form *form, struct actor *actor, bool sleeps_inside)
{
	bool may_sleep = sleeps_inside && form->what & SLEEPS;
	unsigned long flags = 0;

	__atomic_add_fetch(&form->asked, 1, __ATOMIC_RELAXED);
	if (!form->take(&flags)) {
		if (!(form->what & MAY_FAIL))
			die(form->name, actor);
		failed(actor);
		return;
	}
	__atomic_add_fetch(&form->taken, 1, __ATOMIC_RELAXED);
	if (!promise_is_kept(form))
		die(form->name, actor);
	if (form->what & SHARED)
		look(actor, form->cell, may_sleep);
	else
		change(actor, form->cell, may_sleep);
	form->give(&flags);
}

/* ---- tasks that take locks ---- */

static void use_places(struct actor *actor)
{
	down(&places);
	if (__atomic_add_fetch(&in_places, 1, __ATOMIC_RELAXED) > PLACES)
		die("more are inside than there are places", actor);
	dawdle(actor, true);
	__atomic_sub_fetch(&in_places, 1, __ATOMIC_RELAXED);
	up(&places);
}

/* Those that sleep outside, then softirqs off, then interrupts off. */
static void use_several(struct actor *actor)
{
	unsigned long flags;

	mutex_lock(&mutex);
	down_read(&rwsem);
	spin_lock_bh(&spin_bh);
	change(actor, SPIN_BH, false);
	write_lock_irq(&rw_irq);
	spin_lock_irqsave(&spin_irq, flags);
	change(actor, SPIN_IRQ, false);
	spin_unlock_irqrestore(&spin_irq, flags);
	if (!irqs_disabled())
		die("an inner lock opened interrupts", actor);
	change(actor, RW_IRQ, false);
	write_unlock_irq(&rw_irq);
	spin_unlock_bh(&spin_bh);
	look(actor, RWSEM, true);
	up_read(&rwsem);
	change(actor, MUTEX, true);
	mutex_unlock(&mutex);
}

static int worker_body(void *data)
{
	struct actor *actor = data;

	while (!stopped()) {
		uint32_t random = random_next(&actor->random);

		if (random % 64 == 0)
			use_several(actor);
		else if (random % 32 == 1)
			use_places(actor);
		else
			use(form_for(actor, IN_TASK), actor, true);
		if (random % 32 == 2)
			flagstone_irq_raise(FIRST_IRQ + (random >> 8) % nr_cpus);
		if (preempt_count() || irqs_disabled())
			die("a lock left something off", actor);
		turn(actor);
		cond_resched();
	}
	return 0;
}

/* ---- handlers ---- */

struct handler {
	struct actor *actor;
	struct timer_list timer;
};

static struct handler timers[MAX_CPUS], lines[MAX_CPUS];

static void on_timer(struct timer_list *timer)
{
	struct handler *handler = container_of(timer, struct handler, timer);
	struct actor *actor = handler->actor;

	use(form_for(actor, IN_SOFTIRQ), actor, false);
	turn(actor);
	/* The line of the same CPU number: mostly of another. */
	flagstone_irq_raise(FIRST_IRQ + (unsigned int)(handler - timers));
	/* All together a few in each jiffy: where the host is busy, handlers that wait for each other leave no time for tasks. */
	if (!stopped())
		mod_timer(timer, jiffies + 1 + random_below(&actor->random, 1 + nr_cpus / 2));
}

static irqreturn_t on_line(int irq, void *data)
{
	struct actor *actor = ((struct handler *)data)->actor;

	(void)irq;
	use(form_for(actor, IN_HARDIRQ), actor, false);
	if (!irqs_disabled() || !in_hardirq())
		die("a lock opened interrupts in a handler", actor);
	turn(actor);
	return IRQ_HANDLED;
}

static void handlers_start(void)
{
	for (unsigned int i = 0; i < nr_cpus; i++) {
		timers[i].actor = actor_new(TIMER, i);
		lines[i].actor = actor_new(LINE, i);
		if (request_irq(FIRST_IRQ + i, on_line, 0, "locks", &lines[i]))
			die("no interrupt line", lines[i].actor);
		timer_setup(&timers[i].timer, on_timer, 0);
		timers[i].timer.expires = jiffies + 1;
		add_timer_on(&timers[i].timer, (int)i);
	}
}

static void handlers_stop(void)
{
	for (unsigned int i = 0; i < nr_cpus; i++)
		del_timer_sync(&timers[i].timer);
	for (unsigned int i = 0; i < nr_cpus; i++)
		free_irq(FIRST_IRQ + i, &lines[i]);
}

/* ---- pairs: their locks are wanted by two only ---- */

/* Who has the ball: the leader where the toss is even. It is passed on by the way of its number. */
struct pair {
	unsigned long toss; /* Synchronization: atomic; release, where it is what the other waits for */
	unsigned long plain; /* == toss, for who has the ball. Synchronization: the ball */
	unsigned long locked; /* == toss. Synchronization: lock */
	bool last; /* Synchronization: the ball */
	spinlock_t lock;
	wait_queue_head_t queue;
	struct completion tossed[2]; /* to each side */
	struct semaphore sem[2];
	struct task_struct *task[2]; /* Synchronization: atomic */
	/* One of them is held by who tosses, and wanted by who catches. */
	struct mutex mutex;
	struct rw_semaphore rwsem;
	spinlock_t spin;
	rwlock_t rw;
	struct semaphore guard;
};

static struct pair pairs[MAX_CPUS];

enum { BY_MUTEX, BY_RWSEM, BY_READER, BY_SPIN, BY_RW, BY_GUARD, BY_NONE, NR_GUARDS };

/* NR_GUARDS and NR_WAYS have no common factor: each way meets each of these. */
static void guard_take(struct pair *pair, unsigned long toss, bool catches)
{
	unsigned int guard = toss / 2 % NR_GUARDS;

	if (guard == BY_MUTEX && catches && mutex_trylock(&pair->mutex))
		return;
	if (guard == BY_MUTEX)
		mutex_lock(&pair->mutex);
	else if (guard == BY_RWSEM || (guard == BY_READER && catches))
		down_write(&pair->rwsem);
	else if (guard == BY_READER)
		down_read(&pair->rwsem);
	else if (guard == BY_SPIN)
		spin_lock(&pair->spin);
	else if (guard == BY_RW && catches)
		read_lock(&pair->rw);
	else if (guard == BY_RW)
		write_lock(&pair->rw);
	else if (guard == BY_GUARD)
		down(&pair->guard);
}

static void guard_give(struct pair *pair, unsigned long toss, bool catches)
{
	unsigned int guard = toss / 2 % NR_GUARDS;

	if (guard == BY_MUTEX)
		mutex_unlock(&pair->mutex);
	else if (guard == BY_RWSEM || (guard == BY_READER && catches))
		up_write(&pair->rwsem);
	else if (guard == BY_READER)
		up_read(&pair->rwsem);
	else if (guard == BY_SPIN)
		spin_unlock(&pair->spin);
	else if (guard == BY_RW && catches)
		read_unlock(&pair->rw);
	else if (guard == BY_RW)
		write_unlock(&pair->rw);
	else if (guard == BY_GUARD)
		up(&pair->guard);
}

enum {
	BY_COMPLETION,
	BY_COMPLETION_TIMEOUT,
	BY_SEMAPHORE,
	BY_EVENT,
	BY_EVENT_INTERRUPTIBLE,
	BY_EVENT_TIMEOUT,
	BY_EVENT_EXCLUSIVE,
	BY_EVENT_LOCK_IRQ,
	BY_HAND,
	BY_WOKEN,
	BY_TASK,
	NR_WAYS
};

static bool is_tossed(struct pair *pair, unsigned long toss)
{
	return __atomic_load_n(&pair->toss, __ATOMIC_ACQUIRE) == toss;
}

static void sleep_by_hand(struct pair *pair, unsigned long toss)
{
	DEFINE_WAIT(wait);

	for (;;) {
		prepare_to_wait_exclusive(&pair->queue, &wait, TASK_INTERRUPTIBLE);
		if (is_tossed(pair, toss))
			break;
		schedule();
	}
	finish_wait(&pair->queue, &wait);
}

static void sleep_until_woken(struct pair *pair, unsigned long toss)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	add_wait_queue(&pair->queue, &wait);
	while (!is_tossed(pair, toss))
		wait_woken(&wait, TASK_UNINTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	remove_wait_queue(&pair->queue, &wait);
}

static void sleep_as_task(struct pair *pair, unsigned long toss)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (is_tossed(pair, toss))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

/* Returns whether the wait came to the end that it should. */
static bool catch_ball(struct pair *pair, unsigned long toss)
{
	unsigned int side = toss % 2;

	switch (toss / 2 % NR_WAYS) {
	case BY_COMPLETION:
		wait_for_completion(&pair->tossed[side]);
		return true;
	case BY_COMPLETION_TIMEOUT:
		return wait_for_completion_timeout(&pair->tossed[side], LONG_WAIT) != 0;
	case BY_SEMAPHORE:
		down(&pair->sem[side]);
		return true;
	case BY_EVENT:
		wait_event(pair->queue, is_tossed(pair, toss));
		return true;
	case BY_EVENT_INTERRUPTIBLE:
		return !wait_event_interruptible(pair->queue, is_tossed(pair, toss));
	case BY_EVENT_TIMEOUT:
		return wait_event_timeout(pair->queue, is_tossed(pair, toss), LONG_WAIT) != 0;
	case BY_EVENT_EXCLUSIVE:
		return !wait_event_killable_exclusive(pair->queue, is_tossed(pair, toss));
	case BY_EVENT_LOCK_IRQ:
		spin_lock_irq(&pair->lock);
		wait_event_lock_irq(pair->queue, pair->locked == toss, pair->lock);
		spin_unlock_irq(&pair->lock);
		return true;
	case BY_HAND:
		sleep_by_hand(pair, toss);
		return true;
	case BY_WOKEN:
		sleep_until_woken(pair, toss);
		return true;
	default:
		sleep_as_task(pair, toss);
		return true;
	}
}

/* toss: the one that the other waits for. */
static void pass_ball(struct pair *pair, unsigned long toss)
{
	unsigned int side = toss % 2, way = toss / 2 % NR_WAYS;

	pair->plain = toss;
	spin_lock_irq(&pair->lock);
	pair->locked = toss;
	spin_unlock_irq(&pair->lock);
	/* Not a release where the way itself is to say that what was written before is there. */
	__atomic_store_n(&pair->toss, toss, way <= BY_SEMAPHORE ? __ATOMIC_RELAXED : __ATOMIC_RELEASE);
	if (way <= BY_COMPLETION_TIMEOUT)
		complete(&pair->tossed[side]);
	else if (way == BY_SEMAPHORE)
		up(&pair->sem[side]);
	else if (way == BY_EVENT_INTERRUPTIBLE)
		wake_up_interruptible(&pair->queue);
	else if (way == BY_TASK)
		wake_up_process(READ_ONCE(pair->task[side]));
	else
		wake_up(&pair->queue);
}

/* One side must be at any place when the other does its part: neither always asleep already, nor always late. */
static void linger(struct actor *actor, struct pair *pair, unsigned long toss)
{
	uint32_t random = random_next(&actor->random);

	for (uint32_t i = random & 1 ? random >> 8 & 1023 : 0; i && !is_tossed(pair, toss); i--)
		host_relax();
}

static void toss_ball(struct actor *actor, struct pair *pair, unsigned long toss)
{
	guard_take(pair, toss, false);
	pass_ball(pair, toss);
	linger(actor, pair, toss + 1);
	guard_give(pair, toss, false);
	linger(actor, pair, toss + 1);
}

static void play(struct actor *actor, unsigned long toss)
{
	struct pair *pair = &pairs[actor->number];
	bool last = false;

	for (; !last; toss += 2) {
		/* Toss 0 is nobody's: the leader begins. */
		if (toss && !catch_ball(pair, toss))
			die("a wait ended that should not", actor);
		if (pair->plain != toss)
			die("another has the ball", actor);
		guard_take(pair, toss, true);
		guard_give(pair, toss, true);
		if (toss % 2 == 0)
			pair->last = stopped();
		last = pair->last;
		if (random_below(&actor->random, 4) == 0)
			cond_resched();
		turn(actor);
		if (toss % 2 == 0 || !last)
			toss_ball(actor, pair, toss + 1);
	}
}

static int player_body(void *data)
{
	struct actor *actor = data;
	struct pair *pair = &pairs[actor->number];
	unsigned int side = actor->kind == FOLLOWER;

	WRITE_ONCE(pair->task[side], current);
	/* Who is woken has to be known. */
	while (!READ_ONCE(pair->task[!side]))
		schedule_timeout_uninterruptible(1);
	play(actor, side);
	return 0;
}

static void pairs_init(void)
{
	for (unsigned int i = 0; i < nr_pairs; i++) {
		spin_lock_init(&pairs[i].lock);
		init_waitqueue_head(&pairs[i].queue);
		mutex_init(&pairs[i].mutex);
		init_rwsem(&pairs[i].rwsem);
		spin_lock_init(&pairs[i].spin);
		rwlock_init(&pairs[i].rw);
		sema_init(&pairs[i].guard, 1);
		for (unsigned int side = 0; side < 2; side++) {
			init_completion(&pairs[i].tossed[side]);
			sema_init(&pairs[i].sem[side], 0);
		}
	}
}

/* ---- clients and servers ---- */

struct request {
	struct list_head list;
	struct completion done;
	unsigned long question, answer;
};

static DEFINE_SPINLOCK(requests_lock);
static LIST_HEAD(requests); /* Synchronization: requests_lock */
static DECLARE_WAIT_QUEUE_HEAD(servers);
static uint32_t servers_end; /* Synchronization: atomic */

static struct request *request_get(void)
{
	struct request *request = NULL;
	unsigned long flags;

	spin_lock_irqsave(&requests_lock, flags);
	if (!list_empty(&requests)) {
		request = list_first_entry(&requests, struct request, list);
		list_del(&request->list);
	}
	spin_unlock_irqrestore(&requests_lock, flags);
	return request;
}

static int client_body(void *data)
{
	struct actor *actor = data;

	while (!stopped()) {
		struct request request = {.question = random_next(&actor->random)};

		init_completion(&request.done);
		spin_lock_irq(&requests_lock);
		list_add_tail(&request.list, &requests);
		spin_unlock_irq(&requests_lock);
		wake_up(&servers);
		wait_for_completion(&request.done);
		if (request.answer != request.question * 3 + 1)
			die("a request was not answered", actor);
		turn(actor);
	}
	return 0;
}

static int server_body(void *data)
{
	struct actor *actor = data;
	struct request *request;

	for (;;) {
		request = NULL;
		if (wait_event_interruptible_exclusive(
			    servers, (request = request_get()) || __atomic_load_n(&servers_end, __ATOMIC_ACQUIRE)))
			die("a wait was interrupted", actor);
		if (!request)
			return 0;
		request->answer = request->question * 3 + 1;
		dawdle(actor, true);
		/* It is gone as soon as it is complete. */
		complete(&request->done);
		turn(actor);
	}
}

/* ---- the whole ---- */

static void last_words(void)
{
	for (unsigned int i = 0; i < NR_FORMS; i++)
		fprintf(stderr, "%s: taken %lu times of %lu\n", forms[i].name,
			__atomic_load_n(&forms[i].taken, __ATOMIC_RELAXED),
			__atomic_load_n(&forms[i].asked, __ATOMIC_RELAXED));
}

static void look_further(void)
{
}

/* A server may have nothing to do: the others are faster. A lock that many want may never be free for who only tries. */
static bool all_had_turns(void)
{
	for (unsigned int i = 0; i < nr_actors; i++)
		if (actors[i].kind != SERVER && __atomic_load_n(&actors[i].turns, __ATOMIC_RELAXED) < LEAST_TURNS)
			return false;
	for (unsigned int i = 0; i < NR_FORMS; i++)
		if (!__atomic_load_n(&forms[i].asked, __ATOMIC_RELAXED))
			return false;
	return true;
}

static void run(unsigned long seconds, unsigned int preempt)
{
	pthread_t dog;

	pairs_init();
	watchdog_start(&dog);
	handlers_start();
	actors_start(WORKER, nr_cpus, worker_body, true);
	actors_start(ROVER, (nr_cpus + 3) / 4, worker_body, false);
	actors_start(LEADER, nr_pairs, player_body, false);
	actors_start(FOLLOWER, nr_pairs, player_body, false);
	actors_start(SERVER, nr_servers, server_body, false);
	actors_start(CLIENT, nr_clients, client_body, false);
	if (preempt && preempt_force(preempt, variable("FLAGSTONE_SOAK_SEED", 1)))
		abort();
	msleep((unsigned int)seconds * 1000);
	/* Where the host had no time for one of them: the watchdog ends that, if it must be. */
	while (!all_had_turns())
		msleep(10);
	preempt_force(0, 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int kind = 0; kind < NR_KINDS; kind++)
		if (kind != SERVER)
			actors_join(kind);
	__atomic_store_n(&servers_end, 1, __ATOMIC_RELEASE);
	wake_up_all(&servers);
	actors_join(SERVER);
	handlers_stop();
	watchdog_end(dog);
}

static bool check(bool holds, const char *what)
{
	if (!holds)
		fprintf(stderr, "machine_locks: at the end: %s\n", what);
	return holds;
}

static bool check_cells(void)
{
	bool right = true;

	for (unsigned int which = 0; which < NR_CELLS; which++) {
		unsigned long sum = 0;

		for (unsigned int i = 0; i < nr_actors; i++)
			sum += added[i][which];
		if (cells[which].first == sum && cells[which].second == sum)
			continue;
		fprintf(stderr, "machine_locks: cell %u has %lu and %lu, and %lu were added\n", which,
			cells[which].first, cells[which].second, sum);
		right = false;
	}
	return right;
}

static bool check_locks(void)
{
	bool right = check(!spin_is_locked(&spin) && !spin_is_locked(&spin_bh) && !spin_is_locked(&spin_irq),
		"a spinlock is held");

	right &= check(
		!rwlock_is_locked(&rw) && !rwlock_is_locked(&rw_bh) && !rwlock_is_locked(&rw_irq), "an rwlock is held");
	right &= check(!mutex_is_locked(&mutex) && !rwsem_is_locked(&rwsem), "a mutex or an rwsem is held");
	right &= check(sem.count == 1 && places.count == PLACES, "a semaphore has lost or gained places");
	right &= check(!waitqueue_active(&servers) && list_empty(&requests), "a server or a request is left");
	for (unsigned int i = 0; i < nr_pairs; i++)
		right &= check(!waitqueue_active(&pairs[i].queue) && !completion_done(&pairs[i].tossed[0]) &&
				       !completion_done(&pairs[i].tossed[1]) && !pairs[i].sem[0].count &&
				       !pairs[i].sem[1].count,
			"a ball is left");
	return right;
}

int main(void)
{
	unsigned long seconds = variable("FLAGSTONE_SOAK_SECONDS", 1);
	unsigned int preempt = (unsigned int)variable("FLAGSTONE_SOAK_PREEMPT", 50);
	bool right;

	actors_program = "machine_locks";
	actor_kinds = kind_names;
	nr_cpus = (unsigned int)variable("FLAGSTONE_SOAK_CPUS", MAX_CPUS);
	nr_cpus = nr_cpus > MAX_CPUS ? MAX_CPUS : nr_cpus ? nr_cpus : 1;
	nr_pairs = nr_clients = (nr_cpus + 1) / 2;
	nr_servers = (nr_cpus + 7) / 8;
	if (variable("FLAGSTONE_SOAK_LOCKDEP", 0))
		lockdep_on = true;
	printf("machine_locks: %u CPUs, seed %lu, preempted every %u us\n", nr_cpus, variable("FLAGSTONE_SOAK_SEED", 1),
		preempt);
	fflush(stdout);
	if (test_machine_boot(nr_cpus) || irq_boot())
		return 1;
	run(seconds, preempt);
	actors_print(NR_KINDS);
	for (unsigned int i = 0; i < NR_FORMS; i++)
		printf("%s: taken %lu times of %lu\n", forms[i].name, forms[i].taken, forms[i].asked);
	right = check_cells();
	right &= check_locks();
	irq_shutdown();
	return test_machine_shutdown() || !right;
}
