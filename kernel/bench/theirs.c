// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <linux/slab.h>

#include "bench.h"
#include "theirs-array.h"

static struct theirs_array *of(struct dma_fence *fence)
{
	return container_of(fence, struct theirs_array, base);
}

static struct dma_fence *make(unsigned int count, struct dma_fence **fences)
{
	return &theirs_array_create(count, fences, dma_fence_context_alloc(1), 1)->base;
}

static struct irq_work *work(struct dma_fence *array)
{
	return &of(array)->work;
}

static size_t bytes(unsigned int count)
{
	return struct_size_t(struct theirs_array, callbacks, count);
}

static size_t slab(struct dma_fence *array)
{
	return ksize(of(array));
}

const struct design theirs = {
	.name = "theirs", .make = make, .work = work, .bytes = bytes, .slab = slab,
};
