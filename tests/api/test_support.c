/*
 * test_support.c: random numbers, panic, what headers reach, reference counts of CPUs, bits as locks, latches, and
 * devices.
 *
 * Broken if this fails: a run cannot be repeated, a count is released too early or never, or a lock keeps nobody out.
 */
#include <linux/bit_spinlock.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/percpu-refcount.h>
#include <linux/random.h>
#include <linux/seqlock.h>
#include <linux/version.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "booted.h"
#include "reach.h"

/* ---- random numbers ---- */

#define NUMBERS 64

static int draw(void *to)
{
	get_random_bytes(to, NUMBERS * sizeof(u32) - 3);
	return 0;
}

/* What two tasks of a machine draw, one with others drawing meanwhile. */
static void draw_all(u32 numbers[2][NUMBERS], const char *machine)
{
	u32 other[NUMBERS] = {0};

	memset(numbers, 0, 2 * NUMBERS * sizeof(u32));
	assert_int_equal(flagstone_machine_boot_text(machine), 0);
	flagstone_machine_run(1, draw, numbers[0]);
	flagstone_machine_run(2, draw, other);
	draw(numbers[1]);
	assert_memory_not_equal(numbers[0], other, sizeof(other));
	assert_int_equal(flagstone_machine_shutdown(), 0);
}

static void numbers_follow_from_the_seed(void **state)
{
	u32 first[2][NUMBERS], again[2][NUMBERS], seeded[2][NUMBERS];
	int bits = 0;

	(void)state;
	draw_all(first, "cpus=4,ram=32m,seed=7");
	draw_all(again, "cpus=4,ram=32m,seed=7");
	draw_all(seeded, "cpus=4,ram=32m,seed=8");
	assert_memory_equal(first, again, sizeof(first));
	assert_memory_not_equal(first[0], first[1], sizeof(first[0]));
	assert_memory_not_equal(first[0], seeded[0], sizeof(first[0]));
	for (int i = 0; i < NUMBERS; i++)
		bits += (int)hweight32(first[0][i]);
	/* Of 2024 bits, half: 1012, 22.5 the standard deviation; the seed is the same each time. */
	assert_in_range(bits, 900, 1124);
}

static void ranges_are_filled(void **state)
{
	unsigned int seen[7] = {0};
	struct rnd_state a, b;

	(void)state;
	for (int i = 0; i < 7000; i++) {
		u32 number = get_random_u32_below(7);

		assert_in_range(number, 0, 6);
		seen[number]++;
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 800, 1200);
	assert_int_equal(get_random_u32_below(0), 0);
	assert_int_equal(get_random_u32_below(1), 0);
	assert_int_equal(get_random_u32_inclusive(9, 9), 9);
	for (int i = 0; i < 100; i++) {
		assert_true(get_random_u32_above(0xfffffffd) > 0xfffffffd);
		assert_in_range(get_random_u32_inclusive(3, 5), 3, 5);
	}
	prandom_seed_state(&a, 5);
	prandom_seed_state(&b, 5);
	for (int i = 0; i < 100; i++)
		assert_int_equal(prandom_u32_state(&a), prandom_u32_state(&b));
}

/* ---- the kernel's build ---- */

#define CONFIG_HERE 1
#define CONFIG_LOADED_MODULE 1
#define CONFIG_ZERO 0

static void options_are_constants(void **state)
{
	(void)state;
#if !IS_ENABLED(CONFIG_HERE) || !IS_ENABLED(CONFIG_LOADED) || IS_ENABLED(CONFIG_NOT_HERE) || IS_ENABLED(CONFIG_ZERO)
#error IS_ENABLED
#endif
#if !IS_BUILTIN(CONFIG_HERE) || IS_BUILTIN(CONFIG_LOADED) || !IS_MODULE(CONFIG_LOADED) || IS_REACHABLE(CONFIG_LOADED)
#error IS_BUILTIN
#endif
	assert_true(IS_ENABLED(CONFIG_SMP));
	assert_int_equal(LINUX_VERSION_CODE, KERNEL_VERSION(6, 1, 0));
	assert_true(KERNEL_VERSION(5, 4, 300) < KERNEL_VERSION(5, 5, 0));
	assert_string_equal(KBUILD_MODNAME, "test_support.c");
	assert_in_range(hash_64(12345, 4), 0, 15);
	assert_int_equal(hash_32(1, 32), GOLDEN_RATIO_32);
}

static void headers_reach_what_kernel_code_uses(void **state)
{
	(void)state;
	assert_int_equal(reach_kernel(), 0);
	assert_int_equal(reach_module(), 0);
	assert_int_equal(reach_interrupt(), 0);
}

/* ---- the end ---- */

static void panic_ends_the_process(void **state)
{
	int file = memfd_create("log", 0), status;
	char text[8192];
	ssize_t length;
	pid_t child = fork();

	(void)state;
	if (!child) {
		signal(SIGABRT, SIG_DFL);
		dup2(file, 2);
		panic("disk %d: %pe", 3, ERR_PTR(-EIO));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	length = pread(file, text, sizeof(text) - 1, 0);
	close(file);
	assert_true(length > 0);
	text[length] = '\0';
	assert_memory_equal(text, "Kernel panic - not syncing: disk 3: -EIO\n", 41);
	assert_non_null(strstr(text, "\n---[ end Kernel panic - not syncing: disk 3: -EIO ]---\n"));
}

/* ---- tasks on all CPUs ---- */

#define TASKS 4

static DECLARE_COMPLETION(ended);

static void run_on_all(int (*function)(void *))
{
	struct task_struct *tasks[TASKS];

	for (unsigned int cpu = 0; cpu < TASKS; cpu++) {
		tasks[cpu] = kthread_create_on_cpu(function, (void *)(unsigned long)cpu, cpu, "all/%u");
		assert_false(IS_ERR(tasks[cpu]));
		get_task_struct(tasks[cpu]);
		wake_up_process(tasks[cpu]);
	}
	for (int i = 0; i < TASKS; i++)
		wait_for_completion(&ended);
	for (int i = 0; i < TASKS; i++) {
		kthread_stop(tasks[i]);
		put_task_struct(tasks[i]);
	}
}

/* ---- counts ---- */

static struct percpu_ref ref;
static int nr_released, nr_confirmed;
static DECLARE_COMPLETION(released);

static void on_release(struct percpu_ref *which)
{
	assert_ptr_equal(which, &ref);
	nr_released++;
	complete(&released);
}

static void on_confirm(struct percpu_ref *which)
{
	assert_false(percpu_ref_tryget_live(which));
	nr_confirmed++;
}

/* Gets on one CPU what another one puts: only the sum is right. */
static int use_until_killed(void *unused)
{
	int held = 0;

	(void)unused;
	while (percpu_ref_tryget_live(&ref)) {
		percpu_ref_get_many(&ref, 2);
		percpu_ref_put(&ref);
		held++;
		if (held % 2)
			percpu_ref_put_many(&ref, 2);
		else
			percpu_ref_put(&ref), percpu_ref_put(&ref);
		cond_resched();
	}
	complete(&ended);
	return 0;
}

static void kill_meanwhile(void)
{
	struct task_struct *tasks[TASKS];
	int before = nr_released;

	for (unsigned int cpu = 0; cpu < TASKS; cpu++) {
		tasks[cpu] = kthread_create_on_cpu(use_until_killed, NULL, cpu, "use/%u");
		get_task_struct(tasks[cpu]);
		wake_up_process(tasks[cpu]);
	}
	schedule_timeout_uninterruptible(2);
	assert_int_equal(__atomic_load_n(&nr_released, __ATOMIC_RELAXED), before);
	percpu_ref_kill_and_confirm(&ref, on_confirm);
	for (int i = 0; i < TASKS; i++)
		wait_for_completion(&ended);
	for (int i = 0; i < TASKS; i++) {
		kthread_stop(tasks[i]);
		put_task_struct(tasks[i]);
	}
}

static void a_count_is_released_once_it_is_killed_and_zero(void **state)
{
	(void)state;
	nr_released = nr_confirmed = 0;
	assert_int_equal(percpu_ref_init(&ref, on_release, PERCPU_REF_ALLOW_REINIT, GFP_KERNEL), 0);
	for (int life = 1; life <= 3; life++) {
		percpu_ref_get(&ref); /* keeps it through the kill */
		assert_false(percpu_ref_is_dying(&ref));
		assert_false(percpu_ref_is_zero(&ref));
		kill_meanwhile();
		rcu_barrier();
		assert_true(percpu_ref_is_dying(&ref));
		assert_int_equal(nr_confirmed, life);
		assert_int_equal(nr_released, life - 1);
		assert_false(percpu_ref_is_zero(&ref));
		assert_true(percpu_ref_tryget(&ref));
		percpu_ref_put_many(&ref, 2);
		wait_for_completion(&released);
		assert_true(percpu_ref_is_zero(&ref));
		assert_false(percpu_ref_tryget(&ref));
		percpu_ref_reinit(&ref);
	}
	percpu_ref_kill(&ref);
	wait_for_completion(&released);
	percpu_ref_exit(&ref);
	assert_int_equal(nr_released, 4);
}

static void a_count_changes_its_mode(void **state)
{
	(void)state;
	nr_released = 0;
	assert_int_equal(percpu_ref_init(&ref, on_release, PERCPU_REF_INIT_ATOMIC, GFP_KERNEL), 0);
	percpu_ref_get_many(&ref, 5);
	percpu_ref_switch_to_percpu(&ref);
	percpu_ref_put_many(&ref, 3);
	percpu_ref_switch_to_atomic_sync(&ref);
	percpu_ref_put_many(&ref, 2);
	assert_false(percpu_ref_is_zero(&ref));
	percpu_ref_kill(&ref);
	wait_for_completion(
		&released); /* the switch may hold one a little longer than percpu_ref_switch_to_atomic_sync() waits */
	assert_int_equal(nr_released, 1);
	percpu_ref_exit(&ref);
	assert_int_equal(percpu_ref_init(&ref, on_release, PERCPU_REF_INIT_DEAD, GFP_KERNEL), 0);
	assert_true(percpu_ref_is_zero(&ref));
	assert_false(percpu_ref_tryget_live(&ref));
	percpu_ref_reinit(&ref);
	assert_true(percpu_ref_tryget_live(&ref));
	percpu_ref_put(&ref);
	percpu_ref_kill(&ref);
	wait_for_completion(&released);
	percpu_ref_exit(&ref);
}

/* ---- bits ---- */

static unsigned long word = 1ul << 5 | 1ul << 63;
static int guarded;

static int count_under_bit(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2000; i++) {
		if (i % 4 || !bit_spin_trylock(7, &word))
			bit_spin_lock(7, &word);
		guarded++;
		bit_spin_unlock(7, &word);
	}
	complete(&ended);
	return 0;
}

static void a_bit_keeps_others_out(void **state)
{
	(void)state;
	guarded = 0;
	run_on_all(count_under_bit);
	assert_int_equal(guarded, TASKS * 2000);
	assert_int_equal(word, 1ul << 5 | 1ul << 63);
	bit_spin_lock(0, &word);
	assert_true(bit_spin_is_locked(0, &word));
	assert_true(in_atomic());
	assert_false(bit_spin_trylock(0, &word));
	__bit_spin_unlock(0, &word);
	assert_false(in_atomic());
}

/* ---- latches ---- */

static seqcount_latch_t latch = SEQCNT_LATCH_ZERO(latch);
static struct {
	unsigned long a, b; /* a * 3 == b */
} latched[2];

static int use_latch(void *cpu)
{
	for (unsigned long i = 1; i <= 3000; i++) {
		unsigned long a, b;
		unsigned int seq;

		if (!cpu) {
			for (int copy = 0; copy < 2; copy++) {
				raw_write_seqcount_latch(&latch);
				WRITE_ONCE(latched[copy].a, i);
				WRITE_ONCE(latched[copy].b, 3 * i);
			}
			continue;
		}
		do {
			seq = raw_read_seqcount_latch(&latch);
			a = READ_ONCE(latched[seq & 1].a);
			b = READ_ONCE(latched[seq & 1].b);
		} while (read_seqcount_latch_retry(&latch, seq));
		assert_int_equal(3 * a, b);
	}
	complete(&ended);
	return 0;
}

static void a_latch_always_has_a_whole_copy(void **state)
{
	(void)state;
	run_on_all(use_latch);
	assert_int_equal(latched[0].a, 3000);
	assert_int_equal(latched[1].b, 9000);
}

/* ---- devices ---- */

struct disk {
	struct device dev;
	int *sectors;
};

static char events[16];

static void note(void *what)
{
	strcat(events, what);
}

static void disk_release(struct device *dev)
{
	note("D");
	kfree(container_of(dev, struct disk, dev));
}

static struct disk *disk_create(void)
{
	struct disk *disk = kzalloc(sizeof(*disk), GFP_KERNEL);

	if (!disk)
		return NULL;
	disk->dev.release = disk_release;
	device_initialize(&disk->dev);
	return disk;
}

/* A probe function: what it got so far goes back with the device, whatever failed. */
static int probe(void *unused)
{
	struct disk *disk = disk_create();
	int error = -ENOMEM;

	(void)unused;
	if (!disk)
		return -ENOMEM;
	if (dev_set_name(&disk->dev, "disk%d", 1))
		goto out;
	disk->sectors = devm_kcalloc(&disk->dev, 8, sizeof(int), GFP_KERNEL);
	if (!disk->sectors)
		goto out;
	error = devm_add_action_or_reset(&disk->dev, note, "a");
	if (!error)
		error = devm_add_action_or_reset(&disk->dev, note, "b");
out:
	put_device(&disk->dev);
	return error;
}

static void nothing_is_left_of_a_device(void **state)
{
	/* The disk, its name, its sectors, two actions; then none fails. What was called at each failure. */
	static const char *const expected[] = {"baD", "", "D", "D", "aD", "baD"};
	char machine[40];

	(void)state;
	for (int nth = 0; nth < 6; nth++) {
		snprintf(machine, sizeof(machine), "cpus=1,ram=32m,fail_nth=%d", nth);
		assert_int_equal(flagstone_machine_boot_text(machine), 0);
		events[0] = '\0';
		assert_int_equal(probe(NULL), nth ? -ENOMEM : 0);
		assert_string_equal(events, expected[nth]);
		assert_int_equal(flagstone_machine_shutdown(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_follow_from_the_seed),
		cmocka_unit_test_setup_teardown(ranges_are_filled, boot, shut_down),
		cmocka_unit_test(options_are_constants),
		cmocka_unit_test_setup_teardown(headers_reach_what_kernel_code_uses, boot, shut_down),
		cmocka_unit_test_setup_teardown(panic_ends_the_process, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_count_is_released_once_it_is_killed_and_zero, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_count_changes_its_mode, boot, shut_down),
		cmocka_unit_test_setup_teardown(a_bit_keeps_others_out, boot, shut_down),
		cmocka_unit_test(nothing_is_left_of_a_device),
		cmocka_unit_test_setup_teardown(a_latch_always_has_a_whole_copy, boot, shut_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
