// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <linux/irq_work.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "members.h"

static struct member *to_member(struct dma_fence *fence)
{
	return container_of(fence, struct member, base);
}

static const char *name(struct dma_fence *fence)
{
	return "array-kunit";
}

static bool device_says_done(struct dma_fence *fence)
{
	return READ_ONCE(to_member(fence)->device_done);
}

static bool done_before_enabling(struct dma_fence *fence)
{
	return !device_says_done(fence);
}

static void set_deadline(struct dma_fence *fence, ktime_t deadline)
{
	to_member(fence)->deadlines++;
}

static void release(struct dma_fence *fence)
{
	atomic_inc(&to_member(fence)->subject->released);
	dma_fence_free(fence);
}

#define OPERATIONS						\
	.get_driver_name = name, .get_timeline_name = name,	\
	.release = release, .set_deadline = set_deadline

static const struct dma_fence_ops operations[] = {
	[SIGNALED] = { OPERATIONS },
	[ASKED] = { OPERATIONS, .signaled = device_says_done },
	[FOUND_DONE] = { OPERATIONS, .enable_signaling = done_before_enabling },
	[SHARED_LOCK] = { OPERATIONS },
};

static struct member *make_member(struct subject *s, enum kind kind)
{
	struct member *member = kzalloc_obj(struct member);

	KUNIT_ASSERT_NOT_NULL(s->test, member);
	member->subject = s;
	dma_fence_init(&member->base, &operations[kind], kind == SHARED_LOCK ? &s->shared_lock : NULL,
		       dma_fence_context_alloc(1), 1);
	return member;
}

void subject_make(struct kunit *test, struct subject *s, unsigned int count, enum kind kind)
{
	struct dma_fence **fences = kmalloc_objs(*fences, count);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, fences);
	*s = (struct subject){ .test = test, .count = count };
	spin_lock_init(&s->shared_lock);
	for (i = 0; i < count; i++) {
		s->members[i] = make_member(s, kind);
		fences[i] = dma_fence_get(&s->members[i]->base);
	}
	s->array = dma_fence_array_create(count, fences, dma_fence_context_alloc(1), 1);
	KUNIT_ASSERT_NOT_NULL(test, s->array);
}

void subject_drop_array(struct subject *s)
{
	dma_fence_put(&s->array->base);
	s->array = NULL;
}

void subject_end(struct subject *s)
{
	unsigned long limit = jiffies + 10 * HZ;
	unsigned int i;

	if (s->array)
		subject_drop_array(s);
	for (i = 0; i < s->count; i++)
		dma_fence_put(&s->members[i]->base);
	/* Deferred work on another CPU may have the last reference of the array still. */
	while (atomic_read(&s->released) < s->count && time_before(jiffies, limit))
		schedule_timeout_uninterruptible(1);
	KUNIT_ASSERT_EQ_MSG(s->test, atomic_read(&s->released), s->count, "members are never released");
}

static void tell(struct dma_fence *array, struct dma_fence_cb *waiter)
{
	atomic_inc(&container_of(waiter, struct subject, waiter)->told);
}

int subject_wait(struct subject *s)
{
	return dma_fence_add_callback(&s->array->base, &s->waiter, tell);
}

void run_deferred_work(void)
{
	unsigned long flags;

	local_irq_save(flags);
	irq_work_run();
	local_irq_restore(flags);
}

void member_signal(struct subject *s, unsigned int index)
{
	/* Work is deferred to the CPU that signals. */
	preempt_disable();
	dma_fence_signal(&s->members[index]->base);
	run_deferred_work();
	preempt_enable();
}

void member_signal_at(struct subject *s, unsigned int index, s64 time, int error)
{
	struct dma_fence *fence = &s->members[index]->base;

	if (error)
		dma_fence_set_error(fence, error);
	preempt_disable();
	dma_fence_signal_timestamp(fence, ns_to_ktime(time));
	run_deferred_work();
	preempt_enable();
}

void member_finish(struct subject *s, unsigned int index)
{
	WRITE_ONCE(s->members[index]->device_done, true);
}

static unsigned int callbacks_on(struct dma_fence *fence)
{
	unsigned int count = 0;
	unsigned long flags;

	dma_fence_lock_irqsave(fence, flags);
	/* The list is in a union with the time of the signal. */
	if (!dma_fence_test_signaled_flag(fence))
		count = list_count_nodes(&fence->cb_list);
	dma_fence_unlock_irqrestore(fence, flags);
	return count;
}

unsigned int callbacks_on_members(struct subject *s)
{
	unsigned int i, count = 0;

	for (i = 0; i < s->count; i++)
		count += callbacks_on(&s->members[i]->base);
	return count;
}

bool all_members_signaled(struct subject *s)
{
	unsigned int i;

	for (i = 0; i < s->count; i++)
		if (!dma_fence_test_signaled_flag(&s->members[i]->base))
			return false;
	return true;
}

void shuffle(unsigned int *order, unsigned int count)
{
	unsigned int i, j;

	for (i = 0; i < count; i++) {
		j = get_random_u32_below(i + 1);
		order[i] = order[j];
		order[j] = i;
	}
}
