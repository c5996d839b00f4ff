//! One fence for work that several rings do together, as Linux's i915 driver submits it.
//!
//! A *parallel* submission runs one request on each of several rings at the same time. Every ring has a
//! timeline of its own, but whoever submitted wants one fence for all of it, and wants the fences of
//! one submission after the other to be in order. So there is a *parent* context that stands for the
//! rings together: the fences of the requests become the members of an array, and the array is the
//! next fence on the parent's timeline.

use dma_fence::{ArrayAllocation, ArrayMembers, DriverFence, Errno, FenceArray, FenceContext};
use std::error::Error;

/// Rings that always work together.
struct ParallelContext {
    parent: FenceContext,
    rings: Vec<FenceContext>,
}

/// What a submission leaves: the requests, which the hardware will signal, and one fence for all.
struct Submission {
    requests: Vec<DriverFence>,
    fence: FenceArray,
}

impl ParallelContext {
    fn new(width: usize) -> ParallelContext {
        let ring = |number| FenceContext::hardware("i915", format!("ring {number}"));
        let parent = FenceContext::hardware("i915", "parent");
        ParallelContext { parent, rings: (0..width).map(ring).collect() }
    }

    fn submit(&self) -> Result<Submission, Box<dyn Error>> {
        // What can fail comes first: a request that is there must run.
        let composite = ArrayAllocation::new()?;
        let requests: Vec<_> = self.rings.iter().map(FenceContext::new_fence).collect();
        let members = ArrayMembers::new(requests.iter().map(DriverFence::fence).collect())?;
        Ok(Submission { fence: composite.init_in(&self.parent, members), requests })
    }
}

pub(crate) fn main() {
    let gpu = ParallelContext::new(3);
    let first = gpu.submit().expect("there is memory");
    let second = gpu.submit().expect("there is memory");
    println!(
        "Two submissions to three rings:\n{}{}",
        first.fence.describe(),
        second.fence.describe()
    );

    // Each is one fence on the parent's timeline, one after the other.
    let place = |submission: &Submission| (submission.fence.context(), submission.fence.seqno());
    assert_eq!(place(&first), (gpu.parent.id(), 1));
    assert_eq!(place(&second), (gpu.parent.id(), 2));
    assert_eq!(second.fence.is_later_than(&first.fence), Some(true));

    // The rings finish when they like; the submission has ended with the last of them.
    for request in first.requests.into_iter().rev() {
        assert!(!first.fence.is_signaled());
        request.signal(Ok(()));
    }
    assert_eq!(first.fence.error(), None);
    assert!(first.fence.is_signaled() && !second.fence.is_signaled());
    println!("All rings are through with the first:\n{}", first.fence.describe());

    // One request of the second fails, and so has the submission, once all have ended.
    for (number, request) in second.requests.into_iter().enumerate() {
        assert!(!second.fence.is_signaled());
        request.signal(if number == 1 { Err(Errno::EIO) } else { Ok(()) });
    }
    assert_eq!(second.fence.error(), Some(Errno::EIO));
    println!("One ring failed in the second:\n{}", second.fence.describe());
}
