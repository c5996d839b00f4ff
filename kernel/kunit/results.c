// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What an array has to say when it has signaled: the error that came first, and the time of the last member.
 */
#include <linux/random.h>

#include "members.h"

#define ROUNDS 200
/* Nanoseconds. */
#define EPOCH 1000000

/* What shall happen, and when. */
struct plan {
	unsigned int order[MOST_MEMBERS];
	s64 times[MOST_MEMBERS];
	int errors[MOST_MEMBERS];
};

static struct plan *make_plan(struct kunit *test, unsigned int count)
{
	struct plan *plan = kunit_kzalloc(test, sizeof(*plan), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, plan);
	shuffle(plan->order, count);
	for (i = 0; i < count; i++) {
		unsigned int index = plan->order[i];

		/* Some of them at the same time. */
		plan->times[index] = EPOCH + i / 2;
		plan->errors[index] = get_random_u32_below(4) ? 0 : -(int)(index + 1);
	}
	return plan;
}

static int expected_error(const struct plan *plan, unsigned int count)
{
	s64 first = S64_MAX;
	int error = 0;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (plan->errors[i] && plan->times[i] < first) {
			first = plan->times[i];
			error = plan->errors[i];
		}
	}
	return error;
}

enum waiting { NOBODY, FROM_THE_START, FROM_THE_MIDDLE, TOO_LATE };

static void carry_out(struct subject *s, const struct plan *plan, enum waiting waiting)
{
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		unsigned int index = plan->order[i];

		if ((waiting == FROM_THE_START && i == 0) ||
		    (waiting == FROM_THE_MIDDLE && i == s->count / 2))
			KUNIT_ASSERT_EQ(s->test, subject_wait(s), 0);
		member_signal_at(s, index, plan->times[index], plan->errors[index]);
	}
	if (waiting == TOO_LATE)
		KUNIT_ASSERT_EQ(s->test, subject_wait(s), -ENOENT);
}

static void check_results(struct kunit *test, enum waiting waiting)
{
	struct subject *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int round;

	KUNIT_ASSERT_NOT_NULL(test, s);
	for (round = 0; round < ROUNDS; round++) {
		unsigned int count = 1 + get_random_u32_below(MOST_MEMBERS);
		struct plan *plan = make_plan(test, count);
		int error = expected_error(plan, count);

		subject_make(test, s, count, SIGNALED);
		carry_out(s, plan, waiting);
		KUNIT_ASSERT_EQ(test, dma_fence_get_status(&s->array->base), error ?: 1);
		subject_end(s);
		kunit_kfree(test, plan);
	}
}

static void the_first_error_in_time_counts(struct kunit *test)
{
	check_results(test, FROM_THE_START);
	check_results(test, FROM_THE_MIDDLE);
}

static void the_first_error_counts_when_nobody_waits(struct kunit *test)
{
	check_results(test, NOBODY);
}

static void the_first_error_counts_for_who_comes_late(struct kunit *test)
{
	check_results(test, TOO_LATE);
}

/* No state of the array's own is an error. */
static void a_pending_array_shows_no_error(struct kunit *test)
{
	struct subject s;

	subject_make(test, &s, 2, SIGNALED);
	KUNIT_EXPECT_EQ(test, s.array->base.error, 0);
	KUNIT_ASSERT_EQ(test, subject_wait(&s), 0);
	KUNIT_EXPECT_EQ(test, s.array->base.error, 0);
	member_signal(&s, 1);
	KUNIT_EXPECT_EQ(test, s.array->base.error, 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&s.array->base), 0);
	member_signal(&s, 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&s.array->base), 1);
	subject_end(&s);
}

static void among_errors_of_one_time_the_lowest_member_counts(struct kunit *test)
{
	struct subject s;

	subject_make(test, &s, 3, SIGNALED);
	KUNIT_ASSERT_EQ(test, subject_wait(&s), 0);
	member_signal_at(&s, 2, EPOCH, -EIO);
	member_signal_at(&s, 1, EPOCH, -ETIME);
	member_signal_at(&s, 0, EPOCH + 1, -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&s.array->base), -ETIME);
	subject_end(&s);
}

static void the_time_is_that_of_the_last_member(struct kunit *test)
{
	static const enum waiting cases[] = { FROM_THE_START, FROM_THE_MIDDLE, TOO_LATE };
	struct subject s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct plan *plan = make_plan(test, 9);

		subject_make(test, &s, 9, SIGNALED);
		carry_out(&s, plan, cases[i]);
		KUNIT_EXPECT_EQ(test, ktime_to_ns(dma_fence_timestamp(&s.array->base)),
				EPOCH + (9 - 1) / 2);
		subject_end(&s);
	}
}

/* A poll cannot hand over a time: the array has that of the poll. */
static void the_time_of_a_poll_is_not_before_the_last_member(struct kunit *test)
{
	struct subject s;
	ktime_t last;

	subject_make(test, &s, 2, SIGNALED);
	member_signal(&s, 0);
	member_signal(&s, 1);
	last = dma_fence_timestamp(&s.members[1]->base);
	KUNIT_ASSERT_TRUE(test, dma_fence_is_signaled(&s.array->base));
	KUNIT_EXPECT_TRUE(test, ktime_compare(dma_fence_timestamp(&s.array->base), last) >= 0);
	subject_end(&s);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(the_first_error_in_time_counts),
	KUNIT_CASE(the_first_error_counts_when_nobody_waits),
	KUNIT_CASE(the_first_error_counts_for_who_comes_late),
	KUNIT_CASE(a_pending_array_shows_no_error),
	KUNIT_CASE(among_errors_of_one_time_the_lowest_member_counts),
	KUNIT_CASE(the_time_is_that_of_the_last_member),
	KUNIT_CASE(the_time_of_a_poll_is_not_before_the_last_member),
	{}
};

static struct kunit_suite suite = { .name = "dma-fence-array-results", .test_cases = cases };

kunit_test_suite(suite);
