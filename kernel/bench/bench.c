// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What arrays cost, ours and the kernel's own in turn.
 *
 * A suite of KUnit's, for want of another way to run something. It judges nothing: what it prints is for
 * `cargo xtask kernel bench`.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "bench.h"

#define ROUNDS 201
/* Between two signals from a timer. */
#define PERIOD_US 100
#define TIMER_ROUNDS 51

static const struct design *const designs[] = { &theirs, &ours };
static const unsigned int sizes[] = { 1, 2, 4, 8, 16, 32, MOST_MEMBERS };

/* An array that is being measured. */
struct subject {
	const struct design *design;
	unsigned int count;
	struct dma_fence *members[MOST_MEMBERS];
	unsigned int order[MOST_MEMBERS];
	struct dma_fence *array;
	struct dma_fence_cb waiter;
	struct completion told;
	u64 told_at;
	/* Signaled by the timer. */
	struct hrtimer timer;
	unsigned int next;
	u64 last_signal;
	unsigned int works;
};

static const char *name(struct dma_fence *fence)
{
	return "bench";
}

static const struct dma_fence_ops operations = {
	.get_driver_name = name, .get_timeline_name = name,
};

static void make(struct subject *s, const struct design *design, unsigned int count)
{
	struct dma_fence **fences = kmalloc_objs(*fences, count, GFP_KERNEL | __GFP_NOFAIL);
	unsigned int i;

	s->design = design;
	s->count = count;
	for (i = 0; i < count; i++) {
		s->members[i] = kzalloc_obj(*s->members[i], GFP_KERNEL | __GFP_NOFAIL);
		dma_fence_init(s->members[i], &operations, NULL, dma_fence_context_alloc(1), 1);
		fences[i] = dma_fence_get(s->members[i]);
	}
	s->array = design->make(count, fences);
	init_completion(&s->told);
}

static void drop(struct subject *s)
{
	unsigned int i;

	irq_work_sync(s->design->work(s->array));
	dma_fence_put(s->array);
	for (i = 0; i < s->count; i++)
		dma_fence_put(s->members[i]);
}

static void tell(struct dma_fence *array, struct dma_fence_cb *waiter)
{
	struct subject *s = container_of(waiter, struct subject, waiter);

	s->told_at = cycles();
	complete(&s->told);
}

enum order { FIRST_TO_LAST, LAST_TO_FIRST, IN_ANY_ORDER };

static void arrange(struct subject *s, enum order order)
{
	unsigned int i, j;

	for (i = 0; i < s->count; i++) {
		j = order == IN_ANY_ORDER ? get_random_u32_below(i + 1) : i;
		s->order[i] = s->order[j];
		s->order[j] = order == LAST_TO_FIRST ? s->count - 1 - i : i;
	}
}

/* What is known after one array has signaled. */
struct cost {
	struct samples enable, signals, longest, works, work, delay;
};

static void enable(struct subject *s, struct cost *cost)
{
	unsigned long flags;
	u64 start;

	local_irq_save(flags);
	start = cycles();
	dma_fence_add_callback(s->array, &s->waiter, tell);
	samples_add(&cost->enable, cycles() - start);
	local_irq_restore(flags);
}

/* Signals all, and lets deferred work run after each one, or after all. */
static void signal_all(struct subject *s, struct cost *cost, bool at_once)
{
	struct irq_work *work = s->design->work(s->array);
	u64 signals = 0, longest = 0, works = 0, deferred = 0, start = 0, time;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		local_irq_save(flags);
		start = cycles();
		dma_fence_signal(s->members[s->order[i]]);
		time = cycles();
		signals += time - start;
		longest = max(longest, time - start);
		if (!at_once || i + 1 == s->count) {
			if (irq_work_is_pending(work))
				works++;
			time = cycles();
			irq_work_run();
			deferred += cycles() - time;
		}
		local_irq_restore(flags);
	}
	samples_add(&cost->signals, signals);
	samples_add(&cost->longest, longest);
	samples_add(&cost->works, works);
	samples_add(&cost->work, deferred);
	samples_add(&cost->delay, s->told_at - start);
}

static void in_nanoseconds(struct samples *samples)
{
	unsigned int i;

	for (i = 0; i < samples->count; i++)
		samples->value[i] = cycles_to_ns(samples->value[i]);
}

static void report_time(struct samples *samples, const struct design *design, unsigned int count,
			const char *prefix, const char *what)
{
	char name[48];

	snprintf(name, sizeof(name), "%s%s", prefix, what);
	in_nanoseconds(samples);
	samples_report(samples, design->name, count, name);
}

static void report_works(struct samples *samples, const struct design *design, unsigned int count,
			 const char *prefix)
{
	char name[48];
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < samples->count; i++)
		sum += samples->value[i];
	/* In thousandths: a mean, for orders at random. */
	snprintf(name, sizeof(name), "%smilliworks", prefix);
	report(design->name, count, name, div_u64(sum * 1000, samples->count));
	samples->count = 0;
}

static void report_cost(struct cost *cost, const struct design *design, unsigned int count,
			const char *prefix)
{
	report_time(&cost->enable, design, count, prefix, "enable-ns");
	report_time(&cost->signals, design, count, prefix, "signals-ns");
	report_time(&cost->longest, design, count, prefix, "longest-ns");
	report_time(&cost->work, design, count, prefix, "work-ns");
	report_time(&cost->delay, design, count, prefix, "delay-ns");
	report_works(&cost->works, design, count, prefix);
}

/* Both designs in turn, so that what disturbs the one disturbs the other. */
static void measure_order(struct kunit *test, enum order order, bool at_once, const char *prefix)
{
	struct cost *costs = kunit_kzalloc(test, sizeof(*costs) * 2, GFP_KERNEL);
	struct subject *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int i, round, which;

	KUNIT_ASSERT_NOT_NULL(test, costs);
	KUNIT_ASSERT_NOT_NULL(test, s);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (round = 0; round < 2 * ROUNDS; round++) {
			which = round % 2;
			make(s, designs[which], sizes[i]);
			arrange(s, order);
			enable(s, &costs[which]);
			signal_all(s, &costs[which], at_once);
			drop(s);
		}
		for (which = 0; which < 2; which++)
			report_cost(&costs[which], designs[which], sizes[i], prefix);
	}
}

static void orders(struct kunit *test)
{
	calibrate_cycles();
	measure_order(test, FIRST_TO_LAST, false, "first-to-last-");
	measure_order(test, LAST_TO_FIRST, false, "last-to-first-");
	measure_order(test, IN_ANY_ORDER, false, "at-random-");
	measure_order(test, IN_ANY_ORDER, true, "at-once-");
}

static unsigned int callbacks_on_members(struct subject *s)
{
	unsigned int i, callbacks = 0;

	for (i = 0; i < s->count; i++)
		callbacks += list_count_nodes(&s->members[i]->cb_list);
	return callbacks;
}

static void memory(struct kunit *test)
{
	struct subject *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int count, which;

	KUNIT_ASSERT_NOT_NULL(test, s);
	for (count = 1; count <= MOST_MEMBERS; count++) {
		for (which = 0; which < 2; which++) {
			const struct design *design = designs[which];

			make(s, design, count);
			report(design->name, count, "bytes", design->bytes(count));
			report(design->name, count, "slab", design->slab(s->array));
			dma_fence_enable_signaling(s->array);
			report(design->name, count, "callbacks", callbacks_on_members(s));
			arrange(s, FIRST_TO_LAST);
			while (s->count)
				dma_fence_signal(s->members[--s->count]);
			s->count = count;
			drop(s);
		}
	}
}

static u64 time_of_polls(struct subject *s)
{
	u64 start = cycles();
	unsigned int i;

	for (i = 0; i < 16; i++)
		dma_fence_is_signaled(s->array);
	return (cycles() - start) / 16;
}

/* Nobody waits: after each member somebody asks. */
static u64 time_of_asking(struct subject *s)
{
	u64 start, time = 0;
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		dma_fence_signal(s->members[s->order[i]]);
		start = cycles();
		dma_fence_is_signaled(s->array);
		time += cycles() - start;
	}
	return time;
}

static void polls(struct kunit *test)
{
	/* Nothing has signaled and nobody waits; the same while somebody waits; all has signaled but the first. */
	static const char *const names[] = {
		"poll-idle-ns", "poll-waited-ns", "poll-late-ns", "poll-all-ns"
	};
	struct samples (*samples)[4] = kunit_kzalloc(test, sizeof(*samples) * 2, GFP_KERNEL);
	struct subject *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int i, j, round, which;

	KUNIT_ASSERT_NOT_NULL(test, samples);
	KUNIT_ASSERT_NOT_NULL(test, s);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (round = 0; round < 2 * ROUNDS; round++) {
			which = round % 2;
			make(s, designs[which], sizes[i]);
			arrange(s, LAST_TO_FIRST);
			samples_add(&samples[which][0], time_of_polls(s));
			dma_fence_enable_signaling(s->array);
			samples_add(&samples[which][1], time_of_polls(s));
			for (j = 0; j + 1 < s->count; j++)
				dma_fence_signal(s->members[s->order[j]]);
			samples_add(&samples[which][2], time_of_polls(s));
			dma_fence_signal(s->members[0]);
			drop(s);

			make(s, designs[which], sizes[i]);
			arrange(s, IN_ANY_ORDER);
			samples_add(&samples[which][3], time_of_asking(s));
			drop(s);
		}
		for (which = 0; which < 2; which++)
			for (j = 0; j < 4; j++)
				report_time(&samples[which][j], designs[which], sizes[i], "", names[j]);
	}
}

static enum hrtimer_restart signal_next(struct hrtimer *timer)
{
	struct subject *s = container_of(timer, struct subject, timer);
	struct irq_work *work = s->design->work(s->array);
	bool pending = irq_work_is_pending(work);

	s->last_signal = cycles();
	dma_fence_signal(s->members[s->order[s->next++]]);
	if (!pending && irq_work_is_pending(work))
		s->works++;
	if (s->next == s->count)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, us_to_ktime(PERIOD_US));
	return HRTIMER_RESTART;
}

static void signal_by_timer(struct subject *s)
{
	s->next = 0;
	s->works = 0;
	hrtimer_setup(&s->timer, signal_next, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	hrtimer_start(&s->timer, us_to_ktime(PERIOD_US), HRTIMER_MODE_REL_PINNED_HARD);
	wait_for_completion(&s->told);
	hrtimer_cancel(&s->timer);
}

static void timers(struct kunit *test)
{
	struct samples *delays = kunit_kzalloc(test, sizeof(*delays) * 2, GFP_KERNEL);
	struct samples *works = kunit_kzalloc(test, sizeof(*works) * 2, GFP_KERNEL);
	struct subject *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int i, round, which;

	KUNIT_ASSERT_NOT_NULL(test, delays);
	KUNIT_ASSERT_NOT_NULL(test, works);
	KUNIT_ASSERT_NOT_NULL(test, s);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (round = 0; round < 2 * TIMER_ROUNDS; round++) {
			which = round % 2;
			make(s, designs[which], sizes[i]);
			arrange(s, IN_ANY_ORDER);
			dma_fence_add_callback(s->array, &s->waiter, tell);
			signal_by_timer(s);
			samples_add(&delays[which], s->told_at - s->last_signal);
			samples_add(&works[which], s->works);
			drop(s);
		}
		for (which = 0; which < 2; which++) {
			report_time(&delays[which], designs[which], sizes[i], "timer-", "delay-ns");
			report_works(&works[which], designs[which], sizes[i], "timer-");
		}
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(memory),
	KUNIT_CASE_SLOW(orders),
	KUNIT_CASE_SLOW(polls),
	KUNIT_CASE_SLOW(timers),
	{}
};

static struct kunit_suite suite = { .name = "bench-dma-fence-array", .test_cases = cases };

kunit_test_suite(suite);

MODULE_DESCRIPTION("Measurements of arrays of fences");
MODULE_LICENSE("Dual MIT/GPL");
