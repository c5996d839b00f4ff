// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Arrays of fences: everything but the algorithm.
 *
 * When an array signals, and which member carries its one callback until then, is decided in an object that is
 * linked in (dma-fence-array-walk.o). Here is what ties it to the kernel: the interface for drivers, the fence
 * operations, the thunks that interrupts and fences call, and access to what only C knows the layout of.
 */

#include <linux/dma-fence-array.h>
#include <linux/export.h>
#include <linux/irq_work.h>
#include <linux/slab.h>

#include "dma-fence-array-glue.h"

/* What the algorithm needs */

void dfa_get(struct dma_fence_array *array)
{
	dma_fence_get(&array->base);
}

void dfa_put(struct dma_fence_array *array)
{
	dma_fence_put(&array->base);
}

u32 dfa_members(const struct dma_fence_array *array)
{
	return array->num_fences;
}

u32 dfa_pending(const struct dma_fence_array *array)
{
	/* Pairs with dfa_set_pending(): members above have signaled. */
	return smp_load_acquire(&array->num_pending);
}

void dfa_set_pending(struct dma_fence_array *array, u32 pending)
{
	/* Pairs with dfa_pending(). */
	smp_store_release(&array->num_pending, pending);
}

bool dfa_member_signaled(struct dma_fence_array *array, u32 index)
{
	return dma_fence_is_signaled(array->fences[index]);
}

s32 dfa_member_error(const struct dma_fence_array *array, u32 index)
{
	/* Who asks has seen that the member signaled; what it ended with must not be older than that. */
	smp_rmb();
	return array->fences[index]->error;
}

s64 dfa_member_timestamp(const struct dma_fence_array *array, u32 index)
{
	return ktime_to_ns(dma_fence_timestamp(array->fences[index]));
}

static void dfa_callback(struct dma_fence *member, struct dma_fence_cb *callback)
{
	dfa_on_callback(container_of(callback, struct dma_fence_array, callback));
}

bool dfa_arm(struct dma_fence_array *array, u32 index)
{
	return !dma_fence_add_callback(array->fences[index], &array->callback, dfa_callback);
}

static void dfa_work(struct irq_work *work)
{
	dfa_on_work(container_of(work, struct dma_fence_array, work));
}

void dfa_queue_work(struct dma_fence_array *array)
{
	/* Never queued already: there is one turn. It may be running, though, on another CPU. */
	irq_work_queue(&array->work);
}

void dfa_set_error(struct dma_fence_array *array, s32 error)
{
	/* Not dma_fence_set_error(): a poll may find the same result after the signal of another one. */
	WRITE_ONCE(array->base.error, error);
}

void dfa_signal(struct dma_fence_array *array, s64 timestamp)
{
	bool cookie = dma_fence_begin_signalling();

	dma_fence_signal_timestamp(&array->base, ns_to_ktime(timestamp));
	dma_fence_end_signalling(cookie);
}

void dfa_signal_locked(struct dma_fence_array *array, s64 timestamp)
{
	dma_fence_signal_timestamp_locked(&array->base, ns_to_ktime(timestamp));
}

/* Fence operations */

static const char *dfa_driver_name(struct dma_fence *fence)
{
	return "dma_fence_array";
}

static const char *dfa_timeline_name(struct dma_fence *fence)
{
	return "unbound";
}

static bool dfa_enable_signaling(struct dma_fence *fence)
{
	dfa_enable(container_of(fence, struct dma_fence_array, base));
	return !dma_fence_test_signaled_flag(fence);
}

static bool dfa_is_signaled(struct dma_fence *fence)
{
	return dfa_signaled(container_of(fence, struct dma_fence_array, base));
}

static void dfa_release(struct dma_fence *fence)
{
	struct dma_fence_array *array = container_of(fence, struct dma_fence_array, base);
	u32 i;

	for (i = 0; i < array->num_fences; i++)
		dma_fence_put(array->fences[i]);
	kfree(array->fences);
	dma_fence_free(fence);
}

static void dfa_set_deadline(struct dma_fence *fence, ktime_t deadline)
{
	struct dma_fence_array *array = container_of(fence, struct dma_fence_array, base);
	u32 i;

	for (i = 0; i < array->num_fences; i++)
		dma_fence_set_deadline(array->fences[i], deadline);
}

const struct dma_fence_ops dma_fence_array_ops = {
	.get_driver_name = dfa_driver_name,
	.get_timeline_name = dfa_timeline_name,
	.enable_signaling = dfa_enable_signaling,
	.signaled = dfa_is_signaled,
	.release = dfa_release,
	.set_deadline = dfa_set_deadline,
};
EXPORT_SYMBOL(dma_fence_array_ops);

/* Interface for drivers */

/**
 * dma_fence_array_alloc - memory for an array of any size
 *
 * Return: what dma_fence_array_init() makes an array of, or NULL.
 */
struct dma_fence_array *dma_fence_array_alloc(void)
{
	return kzalloc_obj(struct dma_fence_array);
}
EXPORT_SYMBOL(dma_fence_array_alloc);

/**
 * dma_fence_array_init - make an array, without any way to fail
 * @array: from dma_fence_array_alloc()
 * @num_fences: how many members there are, at least one
 * @fences: the members, no containers; the array takes over the references and the memory that they are in
 * @context: the array's context
 * @seqno: the array's number there
 *
 * Nothing is registered on any member before somebody waits for the array.
 */
void dma_fence_array_init(struct dma_fence_array *array, int num_fences, struct dma_fence **fences,
			  u64 context, unsigned int seqno)
{
	static struct lock_class_key key;
	int i;

	WARN_ON(!num_fences || !fences);
	for (i = 0; i < num_fences; i++)
		WARN_ON(dma_fence_is_container(fences[i]));

	array->num_fences = num_fences;
	array->num_pending = num_fences;
	array->fences = fences;
	init_irq_work(&array->work, dfa_work);
	dma_fence_init(&array->base, &dma_fence_array_ops, NULL, context, seqno);
	/* The first waiter arms a member, and takes that one's lock, under this one. */
	lockdep_set_class(&array->base.inline_lock, &key);
}
EXPORT_SYMBOL(dma_fence_array_init);

/**
 * dma_fence_array_create - allocate and make an array
 * @num_fences: see dma_fence_array_init()
 * @fences: see there
 * @context: see there
 * @seqno: see there
 *
 * Return: the array, or NULL if there is no memory: then the members are still the caller's.
 */
struct dma_fence_array *dma_fence_array_create(int num_fences, struct dma_fence **fences,
					       u64 context, unsigned int seqno)
{
	struct dma_fence_array *array = dma_fence_array_alloc();

	if (array)
		dma_fence_array_init(array, num_fences, fences, context, seqno);
	return array;
}
EXPORT_SYMBOL(dma_fence_array_create);

/**
 * dma_fence_array_first - the first of the fences that a fence stands for
 * @head: an array, or any other fence, which stands for itself
 *
 * Return: the fence without a reference of its own, or NULL. See dma_fence_array_for_each().
 */
struct dma_fence *dma_fence_array_first(struct dma_fence *head)
{
	return to_dma_fence_array(head) ? dma_fence_array_next(head, 0) : head;
}
EXPORT_SYMBOL(dma_fence_array_first);

/**
 * dma_fence_array_next - one of the fences that an array stands for
 * @head: an array, or any other fence, which has no next one
 * @index: which member
 *
 * Return: the fence without a reference of its own, or NULL.
 */
struct dma_fence *dma_fence_array_next(struct dma_fence *head, unsigned int index)
{
	struct dma_fence_array *array = to_dma_fence_array(head);

	return array && index < array->num_fences ? array->fences[index] : NULL;
}
EXPORT_SYMBOL(dma_fence_array_next);

/**
 * dma_fence_match_context - does everything that a fence stands for belong to one context?
 * @fence: an array or any other fence
 * @context: which context
 *
 * Return: whether it does.
 */
bool dma_fence_match_context(struct dma_fence *fence, u64 context)
{
	struct dma_fence *member;
	unsigned int i;

	dma_fence_array_for_each(member, i, fence)
		if (member->context != context)
			return false;
	return true;
}
EXPORT_SYMBOL(dma_fence_match_context);
