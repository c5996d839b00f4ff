// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Members that signal on several CPUs and in interrupts, while somebody waits, asks, or drops the array.
 */
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "members.h"

#define ROUNDS 300
#define SIGNALERS 2
/* Jiffies, for what should take a moment. */
#define LONG (20 * HZ)

/* Signals every second member, beginning with its number. */
struct signaler {
	struct race *race;
	unsigned int first;
	struct completion done;
};

struct race {
	struct subject subject;
	unsigned int order[MOST_MEMBERS];
	struct signaler signalers[SIGNALERS];
	/* Signalers wait for this, actively, so that they start together. */
	atomic_t started;
	struct hrtimer timer;
	unsigned int next;
};

static int signal_half(void *data)
{
	struct signaler *signaler = data;
	struct race *race = signaler->race;
	unsigned int i;

	atomic_inc(&race->started);
	while (atomic_read(&race->started) < SIGNALERS)
		cond_resched();
	for (i = signaler->first; i < race->subject.count; i += SIGNALERS) {
		struct dma_fence *fence = &race->subject.members[race->order[i]]->base;

		/* Half of the time the work is left to the next tick, and to the other CPU's luck. */
		if (get_random_u32_below(2))
			dma_fence_signal(fence);
		else
			member_signal(&race->subject, race->order[i]);
	}
	complete(&signaler->done);
	return 0;
}

static void race_start(struct race *race)
{
	unsigned int i;

	shuffle(race->order, race->subject.count);
	atomic_set(&race->started, 0);
	for (i = 0; i < SIGNALERS; i++) {
		struct signaler *signaler = &race->signalers[i];
		struct task_struct *thread;

		*signaler = (struct signaler){ .race = race, .first = i };
		init_completion(&signaler->done);
		thread = kthread_create(signal_half, signaler, "array-signaler");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(race->subject.test, thread);
		if (i < num_online_cpus())
			kthread_bind(thread, i);
		wake_up_process(thread);
	}
}

static void race_end(struct race *race)
{
	unsigned int i;

	for (i = 0; i < SIGNALERS; i++)
		wait_for_completion(&race->signalers[i].done);
	subject_end(&race->subject);
}

typedef void (*meanwhile)(struct race *race);

static void many_races(struct kunit *test, enum kind kind, meanwhile run)
{
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	unsigned int round;

	KUNIT_ASSERT_NOT_NULL(test, race);
	for (round = 0; round < ROUNDS; round++) {
		subject_make(test, &race->subject, 1 + get_random_u32_below(12), kind);
		race_start(race);
		run(race);
		race_end(race);
	}
}

static void wait_for_it(struct race *race)
{
	struct subject *s = &race->subject;
	long left = dma_fence_wait_timeout(&s->array->base, false, LONG);

	KUNIT_ASSERT_GT_MSG(s->test, left, 0, "%u members, and nobody woke the waiter", s->count);
	KUNIT_ASSERT_TRUE(s->test, all_members_signaled(s));
}

static void waiters_are_woken(struct kunit *test)
{
	many_races(test, SIGNALED, wait_for_it);
}

static void ask_until_it_has_signaled(struct race *race)
{
	struct subject *s = &race->subject;
	unsigned long limit = jiffies + LONG;

	if (get_random_u32_below(2))
		dma_fence_enable_signaling(&s->array->base);
	while (!dma_fence_is_signaled(&s->array->base)) {
		KUNIT_ASSERT_TRUE(s->test, time_before(jiffies, limit));
		cond_resched();
	}
	KUNIT_ASSERT_TRUE_MSG(s->test, all_members_signaled(s), "too early, of %u members", s->count);
}

static void a_poll_is_never_early(struct kunit *test)
{
	many_races(test, SIGNALED, ask_until_it_has_signaled);
	many_races(test, ASKED, ask_until_it_has_signaled);
}

static void drop_it(struct race *race)
{
	struct subject *s = &race->subject;

	if (get_random_u32_below(2))
		dma_fence_enable_signaling(&s->array->base);
	subject_drop_array(s);
}

static void an_array_may_go_while_its_members_signal(struct kunit *test)
{
	many_races(test, SIGNALED, drop_it);
}

static enum hrtimer_restart signal_next(struct hrtimer *timer)
{
	struct race *race = container_of(timer, struct race, timer);
	struct subject *s = &race->subject;

	dma_fence_signal(&s->members[race->order[race->next++]]->base);
	if (race->next == s->count)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, us_to_ktime(50));
	return HRTIMER_RESTART;
}

static void members_may_signal_in_interrupts(struct kunit *test)
{
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	struct subject *s = &race->subject;
	unsigned int round;

	KUNIT_ASSERT_NOT_NULL(test, race);
	for (round = 0; round < ROUNDS / 10; round++) {
		subject_make(test, s, 1 + get_random_u32_below(12), SIGNALED);
		shuffle(race->order, s->count);
		race->next = 0;
		hrtimer_setup(&race->timer, signal_next, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
		hrtimer_start(&race->timer, us_to_ktime(50), HRTIMER_MODE_REL);
		KUNIT_ASSERT_GT(test, dma_fence_wait_timeout(&s->array->base, false, LONG), 0);
		KUNIT_ASSERT_TRUE(test, all_members_signaled(s));
		hrtimer_cancel(&race->timer);
		subject_end(s);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(waiters_are_woken),
	KUNIT_CASE(a_poll_is_never_early),
	KUNIT_CASE(an_array_may_go_while_its_members_signal),
	KUNIT_CASE(members_may_signal_in_interrupts),
	{}
};

static struct kunit_suite suite = { .name = "dma-fence-array-races", .test_cases = cases };

kunit_test_suite(suite);
