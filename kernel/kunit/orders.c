// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Members that end in any order: an array signals with the last of them, not before, and not later.
 */
#include <linux/random.h>

#include "members.h"

/* Of each size. */
#define ORDERS 8

typedef void (*in_order)(struct subject *s, const unsigned int *order);

static void in_random_orders(struct kunit *test, enum kind kind, in_order run)
{
	struct subject *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int order[MOST_MEMBERS];
	unsigned int count, round;

	KUNIT_ASSERT_NOT_NULL(test, s);
	for (count = 1; count <= MOST_MEMBERS; count++) {
		for (round = 0; round < ORDERS; round++) {
			subject_make(test, s, count, kind);
			shuffle(order, count);
			run(s, order);
			subject_end(s);
		}
	}
}

/* Without asking, which would signal it. */
static bool has_signaled(struct subject *s)
{
	return dma_fence_test_signaled_flag(&s->array->base);
}

static void signal_while_somebody_waits(struct subject *s, const unsigned int *order)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(s->test, subject_wait(s), 0);
	for (i = 0; i < s->count; i++) {
		KUNIT_ASSERT_FALSE_MSG(s->test, has_signaled(s), "%u of %u", i, s->count);
		KUNIT_ASSERT_EQ(s->test, atomic_read(&s->told), 0);
		member_signal(s, order[i]);
	}
	KUNIT_ASSERT_TRUE_MSG(s->test, has_signaled(s), "%u members", s->count);
	KUNIT_ASSERT_EQ(s->test, atomic_read(&s->told), 1);
}

static void a_waiter_is_told_with_the_last(struct kunit *test)
{
	in_random_orders(test, SIGNALED, signal_while_somebody_waits);
}

static void members_may_share_a_lock(struct kunit *test)
{
	in_random_orders(test, SHARED_LOCK, signal_while_somebody_waits);
}

static void signal_and_ask(struct subject *s, const unsigned int *order)
{
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		KUNIT_ASSERT_FALSE_MSG(s->test, dma_fence_is_signaled(&s->array->base),
				       "%u of %u", i, s->count);
		KUNIT_ASSERT_EQ(s->test, dma_fence_get_status(&s->array->base), 0);
		member_signal(s, order[i]);
	}
	KUNIT_ASSERT_TRUE(s->test, dma_fence_is_signaled(&s->array->base));
	KUNIT_ASSERT_EQ(s->test, dma_fence_get_status(&s->array->base), 1);
}

static void a_poll_is_right_before_the_first_waiter(struct kunit *test)
{
	in_random_orders(test, SIGNALED, signal_and_ask);
}

static void wait_signal_and_ask(struct subject *s, const unsigned int *order)
{
	KUNIT_ASSERT_EQ(s->test, subject_wait(s), 0);
	signal_and_ask(s, order);
	KUNIT_ASSERT_EQ(s->test, atomic_read(&s->told), 1);
}

static void a_poll_is_right_while_somebody_waits(struct kunit *test)
{
	in_random_orders(test, SIGNALED, wait_signal_and_ask);
}

static void wait_in_the_middle(struct subject *s, const unsigned int *order)
{
	unsigned int i, when = get_random_u32_below(s->count);

	for (i = 0; i < s->count; i++) {
		if (i == when)
			KUNIT_ASSERT_EQ(s->test, subject_wait(s), 0);
		KUNIT_ASSERT_FALSE(s->test, dma_fence_is_signaled(&s->array->base));
		member_signal(s, order[i]);
	}
	KUNIT_ASSERT_TRUE(s->test, has_signaled(s));
	KUNIT_ASSERT_EQ(s->test, atomic_read(&s->told), 1);
}

static void the_first_waiter_may_come_in_the_middle(struct kunit *test)
{
	in_random_orders(test, SIGNALED, wait_in_the_middle);
}

static void finish_and_ask(struct subject *s, const unsigned int *order)
{
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		KUNIT_ASSERT_FALSE(s->test, dma_fence_is_signaled(&s->array->base));
		member_finish(s, order[i]);
	}
	KUNIT_ASSERT_TRUE(s->test, dma_fence_is_signaled(&s->array->base));
}

static void members_that_must_be_asked_are_asked(struct kunit *test)
{
	in_random_orders(test, ASKED, finish_and_ask);
}

static void wait_finish_and_ask(struct subject *s, const unsigned int *order)
{
	KUNIT_ASSERT_EQ(s->test, subject_wait(s), 0);
	finish_and_ask(s, order);
	KUNIT_ASSERT_EQ(s->test, atomic_read(&s->told), 1);
}

static void members_that_must_be_asked_are_asked_while_somebody_waits(struct kunit *test)
{
	in_random_orders(test, ASKED, wait_finish_and_ask);
}

static void finish_and_wait(struct subject *s, const unsigned int *order)
{
	unsigned int i, finished = get_random_u32_below(s->count + 1);

	for (i = 0; i < finished; i++)
		member_finish(s, order[i]);
	if (finished == s->count) {
		KUNIT_ASSERT_EQ(s->test, subject_wait(s), -ENOENT);
		KUNIT_ASSERT_TRUE(s->test, has_signaled(s));
		return;
	}
	KUNIT_ASSERT_EQ(s->test, subject_wait(s), 0);
	for (i = finished; i < s->count; i++) {
		KUNIT_ASSERT_FALSE(s->test, has_signaled(s));
		member_signal(s, order[i]);
	}
	/* What has ended and was not enabled at once is found when the walk comes to it. */
	KUNIT_ASSERT_TRUE(s->test, has_signaled(s));
}

static void members_may_be_found_done_while_they_are_enabled(struct kunit *test)
{
	in_random_orders(test, FOUND_DONE, finish_and_wait);
}

static void watch_callbacks(struct subject *s, const unsigned int *order)
{
	unsigned int i;

	KUNIT_ASSERT_FALSE(s->test, dma_fence_is_signaled(&s->array->base));
	KUNIT_ASSERT_EQ_MSG(s->test, callbacks_on_members(s), 0, "before anybody waits");
	KUNIT_ASSERT_EQ(s->test, subject_wait(s), 0);
	KUNIT_ASSERT_FALSE_MSG(s->test, list_empty(&s->members[s->count - 1]->base.cb_list),
			       "the last member is the first one");
	for (i = 0; i < s->count; i++) {
		KUNIT_ASSERT_EQ_MSG(s->test, callbacks_on_members(s), 1, "%u of %u", i, s->count);
		member_signal(s, order[i]);
	}
	KUNIT_ASSERT_EQ(s->test, callbacks_on_members(s), 0);
}

static void one_callback_is_registered_at_a_time(struct kunit *test)
{
	in_random_orders(test, SIGNALED, watch_callbacks);
}

static void signal_and_wait(struct subject *s, const unsigned int *order)
{
	unsigned int i;

	for (i = 0; i < s->count; i++)
		member_signal(s, order[i]);
	KUNIT_ASSERT_FALSE(s->test, has_signaled(s));
	KUNIT_ASSERT_EQ(s->test, subject_wait(s), -ENOENT);
	KUNIT_ASSERT_TRUE(s->test, has_signaled(s));
}

static void a_waiter_that_comes_late_need_not_wait(struct kunit *test)
{
	in_random_orders(test, SIGNALED, signal_and_wait);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_waiter_is_told_with_the_last),
	KUNIT_CASE(members_may_share_a_lock),
	KUNIT_CASE(a_poll_is_right_before_the_first_waiter),
	KUNIT_CASE(a_poll_is_right_while_somebody_waits),
	KUNIT_CASE(the_first_waiter_may_come_in_the_middle),
	KUNIT_CASE(members_that_must_be_asked_are_asked),
	KUNIT_CASE(members_that_must_be_asked_are_asked_while_somebody_waits),
	KUNIT_CASE(members_may_be_found_done_while_they_are_enabled),
	KUNIT_CASE(one_callback_is_registered_at_a_time),
	KUNIT_CASE(a_waiter_that_comes_late_need_not_wait),
	{}
};

static struct kunit_suite suite = { .name = "dma-fence-array-orders", .test_cases = cases };

kunit_test_suite(suite);

MODULE_DESCRIPTION("Tests of arrays of fences");
MODULE_LICENSE("Dual MIT/GPL");
