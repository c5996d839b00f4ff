// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <linux/dma-fence-array.h>
#include <linux/slab.h>

#include "bench.h"

static struct dma_fence_array *of(struct dma_fence *fence)
{
	return container_of(fence, struct dma_fence_array, base);
}

static struct dma_fence *make(unsigned int count, struct dma_fence **fences)
{
	return &dma_fence_array_create(count, fences, dma_fence_context_alloc(1), 1)->base;
}

static struct irq_work *work(struct dma_fence *array)
{
	return &of(array)->work;
}

static size_t bytes(unsigned int count)
{
	return sizeof(struct dma_fence_array);
}

static size_t slab(struct dma_fence *array)
{
	return ksize(of(array));
}

const struct design ours = {
	.name = "ours", .make = make, .work = work, .bytes = bytes, .slab = slab,
};
