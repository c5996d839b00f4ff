// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What arrays are made of, what they say of themselves, and how they go.
 */
#include <linux/slab.h>

#include "members.h"

static void an_array_without_waiters_goes_at_once(struct kunit *test)
{
	struct subject s;

	subject_make(test, &s, MOST_MEMBERS, SIGNALED);
	member_signal(&s, 7);
	subject_drop_array(&s);
	KUNIT_EXPECT_EQ(test, kref_read(&s.members[0]->base.refcount), 1);
	subject_end(&s);
}

static void an_array_dropped_while_pending_goes_with_its_last_member(struct kunit *test)
{
	struct subject s;
	unsigned int i;

	subject_make(test, &s, MOST_MEMBERS, SIGNALED);
	dma_fence_enable_signaling(&s.array->base);
	member_signal(&s, 63);
	subject_drop_array(&s);
	for (i = 0; i < MOST_MEMBERS - 1; i++) {
		KUNIT_ASSERT_EQ(test, kref_read(&s.members[62]->base.refcount), 2);
		member_signal(&s, i);
	}
	KUNIT_EXPECT_EQ(test, kref_read(&s.members[62]->base.refcount), 1);
	subject_end(&s);
}

static void drop_array(struct dma_fence *array, struct dma_fence_cb *waiter)
{
	subject_drop_array(container_of(waiter, struct subject, waiter));
}

static void its_own_callback_may_drop_an_array(struct kunit *test)
{
	struct subject s;

	subject_make(test, &s, 2, SIGNALED);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(&s.array->base, &s.waiter, drop_array), 0);
	member_signal(&s, 1);
	KUNIT_ASSERT_NOT_NULL(test, s.array);
	member_signal(&s, 0);
	KUNIT_EXPECT_NULL(test, s.array);
	subject_end(&s);
}

static void a_members_callback_may_drop_an_array(struct kunit *test)
{
	struct subject s;

	subject_make(test, &s, 2, SIGNALED);
	dma_fence_enable_signaling(&s.array->base);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(&s.members[1]->base, &s.waiter, drop_array), 0);
	member_signal(&s, 1);
	KUNIT_EXPECT_NULL(test, s.array);
	member_signal(&s, 0);
	subject_end(&s);
}

static void a_waiter_may_change_its_mind(struct kunit *test)
{
	struct subject s;

	subject_make(test, &s, 3, SIGNALED);
	KUNIT_ASSERT_EQ(test, subject_wait(&s), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_remove_callback(&s.array->base, &s.waiter));
	member_signal(&s, 2);
	member_signal(&s, 0);
	member_signal(&s, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&s.told), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(&s.array->base));
	subject_end(&s);
}

/* Nobody should do that, and arrays that drivers make by hand do. */
static void a_fence_may_be_a_member_twice(struct kunit *test)
{
	struct subject s;

	subject_make(test, &s, 3, SIGNALED);
	dma_fence_put(s.array->fences[0]);
	s.array->fences[0] = dma_fence_get(s.array->fences[2]);
	KUNIT_ASSERT_EQ(test, subject_wait(&s), 0);
	member_signal(&s, 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&s.array->base));
	member_signal(&s, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&s.told), 1);
	subject_end(&s);
}

static void members_are_found_in_their_order(struct kunit *test)
{
	struct dma_fence *fence;
	struct subject s;
	unsigned int i, found = 0;

	subject_make(test, &s, 5, SIGNALED);
	dma_fence_array_for_each(fence, i, &s.array->base) {
		KUNIT_EXPECT_PTR_EQ(test, fence, &s.members[i]->base);
		found++;
	}
	KUNIT_EXPECT_EQ(test, found, 5);
	dma_fence_array_for_each(fence, i, &s.members[3]->base) {
		KUNIT_EXPECT_PTR_EQ(test, fence, &s.members[3]->base);
		found++;
	}
	KUNIT_EXPECT_EQ(test, found, 6);
	KUNIT_EXPECT_NULL(test, dma_fence_array_first(NULL));
	subject_end(&s);
}

static void a_context_matches_if_it_is_every_members(struct kunit *test)
{
	struct subject s;
	u64 context;

	subject_make(test, &s, 2, SIGNALED);
	context = s.members[0]->base.context;
	KUNIT_EXPECT_FALSE(test, dma_fence_match_context(&s.array->base, context));
	s.members[1]->base.context = context;
	KUNIT_EXPECT_TRUE(test, dma_fence_match_context(&s.array->base, context));
	KUNIT_EXPECT_TRUE(test, dma_fence_match_context(&s.members[0]->base, context));
	KUNIT_EXPECT_FALSE(test, dma_fence_match_context(&s.members[0]->base, context + 1));
	subject_end(&s);
}

static void a_deadline_reaches_every_pending_member(struct kunit *test)
{
	struct subject s;
	unsigned int i;

	subject_make(test, &s, 3, SIGNALED);
	member_signal(&s, 1);
	dma_fence_set_deadline(&s.array->base, ktime_get());
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, s.members[i]->deadlines, i == 1 ? 0 : 1);
	subject_end(&s);
}

static void an_array_has_one_size(struct kunit *test)
{
	struct subject small, large;

	subject_make(test, &small, 1, SIGNALED);
	subject_make(test, &large, MOST_MEMBERS, SIGNALED);
	KUNIT_EXPECT_EQ(test, ksize(small.array), ksize(large.array));
	subject_end(&small);
	subject_end(&large);
}

static void containers_are_complained_of(struct kunit *test)
{
	struct dma_fence **fences = kmalloc_objs(*fences, 1);
	struct dma_fence_array *outer;
	struct subject s;

	KUNIT_ASSERT_NOT_NULL(test, fences);
	subject_make(test, &s, 1, SIGNALED);
	fences[0] = dma_fence_get(&s.array->base);
	kunit_warning_suppress(test) {
		outer = dma_fence_array_create(1, fences, dma_fence_context_alloc(1), 1);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_ASSERT_NOT_NULL(test, outer);
	dma_fence_put(&outer->base);
	subject_end(&s);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(an_array_without_waiters_goes_at_once),
	KUNIT_CASE(an_array_dropped_while_pending_goes_with_its_last_member),
	KUNIT_CASE(its_own_callback_may_drop_an_array),
	KUNIT_CASE(a_members_callback_may_drop_an_array),
	KUNIT_CASE(a_waiter_may_change_its_mind),
	KUNIT_CASE(a_fence_may_be_a_member_twice),
	KUNIT_CASE(members_are_found_in_their_order),
	KUNIT_CASE(a_context_matches_if_it_is_every_members),
	KUNIT_CASE(a_deadline_reaches_every_pending_member),
	KUNIT_CASE(an_array_has_one_size),
	KUNIT_CASE(containers_are_complained_of),
	{}
};

static struct kunit_suite suite = { .name = "dma-fence-array-life", .test_cases = cases };

kunit_test_suite(suite);
