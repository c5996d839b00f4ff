/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * An array to be tested, with members that the test signals.
 */

#ifndef ARRAY_KUNIT_MEMBERS_H
#define ARRAY_KUNIT_MEMBERS_H

#include <kunit/test.h>
#include <linux/dma-fence-array.h>

#define MOST_MEMBERS 64

struct subject;

struct member {
	struct dma_fence base;
	struct subject *subject;
	/* What the device would say, for members that are asked. */
	bool device_done;
	unsigned int deadlines;
};

/* How a member's end becomes known. */
enum kind {
	/* It is signaled. */
	SIGNALED,
	/* It is asked, by its operation "signaled". */
	ASKED,
	/* It is said when the first waiter comes, by its operation "enable_signaling". */
	FOUND_DONE,
	/* As SIGNALED, and all members share a lock of their driver's. */
	SHARED_LOCK,
};

struct subject {
	struct kunit *test;
	unsigned int count;
	struct member *members[MOST_MEMBERS];
	struct dma_fence_array *array;
	spinlock_t shared_lock;
	/* Members that are gone. */
	atomic_t released;
	/* How often the array's waiter was told. */
	atomic_t told;
	struct dma_fence_cb waiter;
};

/* Makes an array. The test has a reference of it and one of each member. */
void subject_make(struct kunit *test, struct subject *s, unsigned int count, enum kind kind);
/* Gives the test's references of the members back, and checks that all are gone: drop the array before. */
void subject_end(struct subject *s);
void subject_drop_array(struct subject *s);

/* Registers the waiter, and with it enables signaling: what dma_fence_add_callback() says. */
int subject_wait(struct subject *s);

/* Signals, then lets deferred work of this CPU run. */
void member_signal(struct subject *s, unsigned int index);
/* The same at that time, with that error, if it is not 0. */
void member_signal_at(struct subject *s, unsigned int index, s64 time, int error);
/* Lets the device finish, of which nobody hears before asking. */
void member_finish(struct subject *s, unsigned int index);
void run_deferred_work(void);

/* Callbacks on all members together, all of which are the array's. */
unsigned int callbacks_on_members(struct subject *s);
bool all_members_signaled(struct subject *s);

/* A random order of 0 … count - 1. */
void shuffle(unsigned int *order, unsigned int count);

#endif
