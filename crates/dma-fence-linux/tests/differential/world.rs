//! Both sides, and what has to agree.

use crate::kernel::Kernel;
use dma_fence::{DriverFence, Fence, FenceContext, Status, Timestamp, merge};
use dma_fence_linux::{BinarySyncobj, FenceStatus, SyncFile};
use std::collections::{HashMap, VecDeque};

/// Numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// A pending fence on a timeline.
    Create(u8),
    /// One fence for two.
    Merge(u8, u8),
    /// The first pending fence of a timeline signals.
    Signal(u8),
    /// A timeline ends with an error.
    Fail(u8),
    /// Compares all that is said of a fence.
    Query(u8),
    /// Compares what kind of fence it is, and its context and number.
    Name(u8),
    /// Compares the kernel's fence with itself, imported.
    Import(u8),
    /// Nobody has the fence any more.
    Drop(u8),
}

/// One fence, twice.
struct Pair {
    file: SyncFile,
    fence: Fence,
    /// Merging fences that had all signaled, the kernel forgets their errors, and the library does not.
    forgot_error: bool,
}

struct Timeline {
    context: FenceContext,
    pending: VecDeque<DriverFence>,
    ended: bool,
}

pub(crate) struct World<'a, K> {
    kernel: K,
    timelines: Vec<Timeline>,
    pairs: Vec<Pair>,
    /// Tells the name that the kernel would give a sync file that was merged.
    syncobj: Option<&'a BinarySyncobj>,
    /// The kernel's contexts, and the library's.
    contexts: HashMap<u64, u64>,
    /// The kernel's times, and the library's.
    times: Vec<(Timestamp, Timestamp)>,
    comparisons: u64,
}

impl<'a, K: Kernel> World<'a, K> {
    pub(crate) fn new(kernel: K, syncobj: Option<&'a BinarySyncobj>) -> Self {
        let mut world = World {
            timelines: Vec::new(),
            pairs: Vec::new(),
            syncobj,
            contexts: HashMap::new(),
            times: Vec::new(),
            comparisons: 0,
            kernel,
        };
        for _ in 0..world.kernel.timelines() {
            world.add_timeline();
        }
        world
    }

    pub(crate) fn run(&mut self, op: Op) {
        match op {
            Op::Create(which) => self.create(which),
            Op::Merge(one, other) => self.merge(one, other),
            Op::Signal(which) => self.signal(which),
            Op::Fail(which) => self.fail(which),
            Op::Query(which) => self.with(which, Self::compare),
            Op::Name(which) => self.with(which, Self::compare_names),
            Op::Import(which) => self.with(which, Self::compare_import),
            Op::Drop(which) => {
                if let Some(index) = pick(which, self.pairs.len()) {
                    self.pairs.swap_remove(index);
                }
            }
        }
    }

    /// Signals all that is pending, and compares all there is. Returns how many comparisons there were.
    pub(crate) fn finish(mut self) -> u64 {
        for timeline in 0..self.timelines.len() {
            while !self.timelines[timeline].pending.is_empty() {
                self.signal_first(timeline);
            }
        }
        for index in 0..self.pairs.len() {
            self.compare(index);
            self.compare_names(index);
            assert!(self.pairs[index].fence.is_signaled());
        }
        self.compare_times();
        self.comparisons
    }

    // === steps ===

    fn add_timeline(&mut self) -> usize {
        let context = FenceContext::hardware("kernel", "timeline");
        self.timelines.push(Timeline { context, pending: VecDeque::new(), ended: false });
        self.timelines.len() - 1
    }

    fn create(&mut self, which: u8) {
        let index = match pick(which, self.kernel.timelines()) {
            Some(index) => index,
            None => self.add_timeline(),
        };
        let timeline = &mut self.timelines[index];
        if timeline.ended {
            return;
        }
        let producer = timeline.context.new_fence();
        let (file, fence) = (self.kernel.create(index), producer.fence());
        timeline.pending.push_back(producer);
        // Where several fences share a context, their numbers have to agree from the first one on.
        let (context, seqno) = numbers(&file.info().unwrap().name).expect("it is pending");
        self.see_context(context, fence.context());
        assert_eq!(seqno, fence.seqno());
        self.pairs.push(Pair { file, fence, forgot_error: false });
    }

    fn merge(&mut self, one: u8, other: u8) {
        let (Some(one), Some(other)) = (pick(one, self.pairs.len()), pick(other, self.pairs.len()))
        else {
            return;
        };
        let inputs = [&self.pairs[one], &self.pairs[other]];
        let all_signaled = inputs.iter().all(|pair| pair.fence.is_signaled());
        let error = inputs.iter().any(|pair| pair.fence.error().is_some());
        let file = inputs[0].file.merge(&inputs[1].file, "merged").unwrap();
        let fence = merge(inputs.map(|pair| pair.fence.clone()));
        self.pairs.push(Pair { file, fence, forgot_error: all_signaled && error });
    }

    fn signal(&mut self, which: u8) {
        let pending: Vec<usize> = (0..self.timelines.len())
            .filter(|&timeline| !self.timelines[timeline].pending.is_empty())
            .collect();
        if let Some(index) = pick(which, pending.len()) {
            self.signal_first(pending[index]);
        }
    }

    fn signal_first(&mut self, timeline: usize) {
        self.kernel.signal(timeline);
        self.timelines[timeline].pending.pop_front().unwrap().signal(Ok(()));
    }

    fn fail(&mut self, which: u8) {
        let Some(index) = pick(which, self.timelines.len()) else { return };
        let Some(error) = self.kernel.fail(index) else { return };
        let timeline = &mut self.timelines[index];
        timeline.ended = true;
        timeline.pending.drain(..).for_each(|producer| producer.signal(Err(error)));
    }

    fn with(&mut self, which: u8, compare: impl FnOnce(&mut Self, usize)) {
        if let Some(index) = pick(which, self.pairs.len()) {
            compare(self, index);
        }
    }

    // === comparisons ===

    /// Every leaf, in the order in which both sides list them.
    fn compare(&mut self, index: usize) {
        let Pair { file, fence, forgot_error } = &self.pairs[index];
        let (theirs, ours): (_, Vec<_>) = (file.info().unwrap(), fence.leaves().collect());
        assert_eq!(theirs.fences.len(), ours.len(), "{theirs:?} {}", fence.describe());
        for (theirs, ours) in theirs.fences.iter().zip(&ours) {
            same_status(theirs.status, ours.status(), *forgot_error);
            if let (FenceStatus::Signaled(theirs), Some(ours)) = (theirs.status, ours.timestamp()) {
                self.times.push((theirs.timestamp, ours));
            }
        }
        same_status(theirs.status(), fence.status(), *forgot_error);
        assert_eq!(file.is_signaled().unwrap(), fence.is_signaled());
        self.comparisons += 1;
    }

    /// A container is one on both sides; anything else has the same context and number.
    fn compare_names(&mut self, index: usize) {
        let Pair { file, fence, .. } = &self.pairs[index];
        let Some(file) = self.syncobj.map(|syncobj| renamed(syncobj, file)) else { return };
        let name = file.info().unwrap().name;
        let is_pending = !fence.is_signaled();
        if is_pending {
            let is_container = name.starts_with("dma_fence_array-");
            assert_eq!(is_container, fence.is_container(), "{name} {}", fence.describe());
        }
        if !fence.is_container() && fence.driver_name() != "stub" {
            let (ours, our_seqno) = (fence.context(), fence.seqno());
            match numbers(&name) {
                Some((context, seqno)) => {
                    assert_eq!(seqno, our_seqno);
                    self.see_context(context, ours);
                }
                // Newer kernels forget what has signaled.
                None => assert!(!is_pending && name.starts_with("detached-driver-"), "{name}"),
            }
        }
        self.comparisons += 1;
    }

    fn compare_import(&mut self, index: usize) {
        let file = self.pairs[index].file.try_clone().unwrap();
        let theirs = file.status().unwrap();
        same_status(theirs, file.into_fence().unwrap().status(), false);
        self.comparisons += 1;
    }

    fn see_context(&mut self, theirs: u64, ours: u64) {
        let known = *self.contexts.entry(theirs).or_insert(ours);
        assert_eq!(known, ours, "one context of the kernel is one of the library");
        let same = self.contexts.values().filter(|&&known| known == ours).count();
        assert_eq!(same, 1, "and the other way round");
    }

    /// What happened first on one side did not happen last on the other.
    fn compare_times(&mut self) {
        self.times.sort_unstable();
        let mut ours = self.times.iter().map(|&(theirs, ours)| (theirs, ours));
        let Some(mut before) = ours.next() else { return };
        for now in ours {
            assert!(before.0 == now.0 || before.1 <= now.1, "{:?}", self.times);
            before = now;
        }
        self.comparisons += 1;
    }
}

fn pick(which: u8, len: usize) -> Option<usize> {
    (len > 0).then(|| usize::from(which) % len)
}

fn same_status(theirs: FenceStatus, ours: Status, forgot_error: bool) {
    match (theirs, ours) {
        (FenceStatus::Pending, Status::Pending) => {}
        (FenceStatus::Signaled(theirs), Status::Signaled(ours)) => {
            let forgotten = forgot_error && theirs.result.is_ok();
            assert!(forgotten || theirs.result == ours.result, "{theirs:?} {ours:?}");
        }
        (theirs, ours) => panic!("{theirs:?} {ours:?}"),
    }
}

/// The same fence, in a sync file that was not given a name when it was merged.
fn renamed(syncobj: &BinarySyncobj, file: &SyncFile) -> SyncFile {
    syncobj.point().submit(file).unwrap();
    syncobj.point().sync_file().unwrap()
}

/// Context and number at the end of a sync file's name, after driver and timeline, which have no digits.
fn numbers(name: &str) -> Option<(u64, u64)> {
    let (before, seqno) = name.rsplit_once('-')?;
    let context = before.trim_start_matches(|c: char| !c.is_ascii_digit());
    Some((context.parse().ok()?, seqno.parse().ok()?))
}
