/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Two designs of an array, measured in one kernel.
 */

#ifndef ARRAY_BENCH_H
#define ARRAY_BENCH_H

#include <linux/dma-fence.h>
#include <linux/irq_work.h>

#define MOST_MEMBERS 64

struct design {
	const char *name;
	struct dma_fence *(*make)(unsigned int count, struct dma_fence **fences);
	struct irq_work *(*work)(struct dma_fence *array);
	/* What is asked for, and what the allocator gives. */
	size_t (*bytes)(unsigned int count);
	size_t (*slab)(struct dma_fence *array);
};

extern const struct design ours, theirs;

/* What was measured again and again. */
struct samples {
	u64 value[201];
	unsigned int count;
};

void samples_add(struct samples *samples, u64 value);
/* Prints the median, for xtask, and forgets all. */
void samples_report(struct samples *samples, const char *design, unsigned int members,
		    const char *what);
void report(const char *design, unsigned int members, const char *what, u64 value);

/* Of the processor, which is nearer than the clock. */
static inline u64 cycles(void)
{
	return __builtin_ia32_rdtsc();
}

u64 cycles_to_ns(u64 cycles);
void calibrate_cycles(void);

#endif
