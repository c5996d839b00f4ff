/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Between the array's algorithm, which is linked in from an object made elsewhere, and the kernel.
 */

#ifndef DMA_FENCE_ARRAY_GLUE_H
#define DMA_FENCE_ARRAY_GLUE_H

#include <linux/types.h>

struct dma_fence_array;

/* What the algorithm does. A turn is a reference of the array. */

/* First waiter, under the array's lock. */
void dfa_enable(struct dma_fence_array *array);
/* The member that carries the callback has signaled. Consumes the turn that dfa_arm() took. */
void dfa_on_callback(struct dma_fence_array *array);
/* Under no lock. Consumes the turn that dfa_queue_work() took. */
void dfa_on_work(struct dma_fence_array *array);
/* Have all members signaled? If so, the array's error is set. */
bool dfa_signaled(struct dma_fence_array *array);

/* What it needs for that. */

void dfa_get(struct dma_fence_array *array);
void dfa_put(struct dma_fence_array *array);
u32 dfa_members(const struct dma_fence_array *array);
u32 dfa_pending(const struct dma_fence_array *array);
void dfa_set_pending(struct dma_fence_array *array, u32 pending);
bool dfa_member_signaled(struct dma_fence_array *array, u32 index);
s32 dfa_member_error(const struct dma_fence_array *array, u32 index);
s64 dfa_member_timestamp(const struct dma_fence_array *array, u32 index);
/* True if the callback is on that member now; then it has the turn. */
bool dfa_arm(struct dma_fence_array *array, u32 index);
void dfa_queue_work(struct dma_fence_array *array);
void dfa_set_error(struct dma_fence_array *array, s32 error);
void dfa_signal(struct dma_fence_array *array, s64 timestamp);
void dfa_signal_locked(struct dma_fence_array *array, s64 timestamp);

#endif
