// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <linux/delay.h>
#include <linux/math64.h>
#include <linux/sort.h>
#include <linux/timekeeping.h>

#include "bench.h"

/* Cycles and nanoseconds of the same time. */
static u64 some_cycles, their_ns;

void calibrate_cycles(void)
{
	u64 time = ktime_get_ns(), start = cycles();

	mdelay(50);
	some_cycles = cycles() - start;
	their_ns = ktime_get_ns() - time;
}

u64 cycles_to_ns(u64 cycles)
{
	return mul_u64_u64_div_u64(cycles, their_ns, some_cycles);
}

void samples_add(struct samples *samples, u64 value)
{
	if (samples->count < ARRAY_SIZE(samples->value))
		samples->value[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
	u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return left < right ? -1 : left > right;
}

void samples_report(struct samples *samples, const char *design, unsigned int members,
		    const char *what)
{
	sort(samples->value, samples->count, sizeof(u64), compare, NULL);
	report(design, members, what, samples->value[samples->count / 2]);
	samples->count = 0;
}

void report(const char *design, unsigned int members, const char *what, u64 value)
{
	pr_info("@bench %s %u %s %llu\n", design, members, what, value);
}
