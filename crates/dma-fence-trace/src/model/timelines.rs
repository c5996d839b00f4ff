//! Timelines: fences that follow each other.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::durations::Durations;
use super::fence::State;
use super::tasks::Who;
use crate::event::{FenceId, FenceStep};

/// Contexts with statistics of their own. There are hundreds on a busy desktop; beyond this they are
/// gathered by name.
const MOST_CONTEXTS: usize = 4096;
/// Names of timelines, likewise.
const MOST_NAMES: usize = 4096;
/// The slowest fences that are remembered, for each timeline.
const MOST_SLOW: usize = 1024;

/// A timeline, and what its fences were like.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) driver: Arc<str>,
    pub(crate) name: Arc<str>,
    /// `None` where fences have a context each, and are gathered by name.
    pub(crate) context: Option<u32>,
    pub(crate) contexts: u64,
    /// Containers have no producer: they signal when their members have.
    pub(crate) is_container: bool,
    /// The kernel's displays name their timelines so, whatever the driver: a picture is on the screen, or written
    /// back.
    pub(crate) is_display: bool,
    pub(crate) is_scheduler: bool,
    /// Its fences are made to be pending until somebody wants memory back or another job to run, and then to be waited
    /// for: amdgpu's of compute processes, and xe's.
    pub(crate) is_on_demand: bool,
    pub(crate) fences: u64,
    /// From beginning to signal.
    pub(crate) durations: Durations,
    pub(crate) waits: Durations,
    /// Its driver numbers fences when it emits them: `context:0` is none.
    pub(crate) numbers_at_emit: bool,
    /// The last sign of life.
    pub(crate) last: Option<Last>,
    /// The fence that signaled last.
    pub(crate) previous: Option<(FenceId, u64)>,
    pub(crate) slow: Slow,
}

#[derive(Debug)]
pub(crate) struct Last {
    pub(crate) step: FenceStep,
    pub(crate) fence: FenceId,
    pub(crate) at: u64,
    pub(crate) who: Who,
}

impl Timeline {
    fn new(driver: &str, name: &str, context: Option<u32>) -> Self {
        Self {
            driver: driver.into(),
            name: name.into(),
            context,
            contexts: 0,
            is_container: matches!(driver, "dma_fence_array" | "dma_fence_chain"),
            is_display: name.starts_with("CRTC:") || name.starts_with("CONNECTOR:"),
            is_scheduler: driver == "drm_sched",
            is_on_demand: driver == "amdgpu_amdkfd_fence" || name == "preempt",
            fences: 0,
            durations: Durations::new(),
            waits: Durations::new(),
            numbers_at_emit: false,
            last: None,
            previous: None,
            slow: Slow::default(),
        }
    }

    /// That fences are made, or emitted, or waited for, does not show that they get done: a signal counts more.
    pub(crate) fn sign_of_life(&mut self, sign: Last) {
        let rank = |step| match step {
            FenceStep::Signaled => 2,
            FenceStep::Emit => 1,
            _ => 0,
        };
        let known = self.last.as_ref().map(|last| (rank(last.step), last.at));
        if known <= Some((rank(sign.step), sign.at)) {
            self.last = Some(sign);
        }
    }
}

/// All timelines, by index.
#[derive(Default, Debug)]
pub(crate) struct Timelines {
    all: Vec<Timeline>,
    by_context: HashMap<u32, usize, RandomState>,
    by_name: HashMap<String, usize, RandomState>,
    /// `driver`, zero byte, `timeline`: kept, so that asking allocates nothing.
    name: String,
    /// The context that was asked for last, and its answer: of a busy timeline many events follow each other.
    recent: Option<(u32, usize)>,
    /// Whether fences were seen without a context.
    pub(crate) no_contexts: bool,
    /// The first timeline whose context came to have another driver or name, and those.
    pub(crate) renamed: Option<(usize, String)>,
}

impl Timelines {
    /// The timeline of a fence whose names can be seen.
    pub(crate) fn find(&mut self, context: u32, driver: &str, name: &str) -> usize {
        if let Some((recent, index)) = self.recent
            && recent == context
        {
            return index;
        }
        if let Some(index) = self.by_context.get(&context) {
            self.recent = Some((context, *index));
            return *index;
        }
        if name != "unbound" && self.by_context.len() < MOST_CONTEXTS {
            let index = self.push(Timeline::new(driver, name, Some(context)));
            self.by_context.insert(context, index);
            return index;
        }
        self.gathered(driver, name)
    }

    /// A fence of the timeline is made, which is when its names can be relied on.
    pub(crate) fn made(&mut self, index: usize, driver: &str, name: &str) {
        let known = &self.all[index];
        // The scheduler gives a queue that is empty to another of its rings.
        let same = *known.driver == *driver && (*known.name == *name || known.is_scheduler);
        // What prints context 0 is a stub, or not yet made.
        if !same && known.context.is_some_and(|context| context != 0) && self.renamed.is_none() {
            self.renamed = Some((index, format!("{driver}/{name}")));
        }
    }

    fn gathered(&mut self, driver: &str, name: &str) -> usize {
        self.name.clear();
        self.name.extend([driver, "\0", name]);
        if let Some(index) = self.by_name.get(&self.name) {
            return *index;
        }
        if self.by_name.len() >= MOST_NAMES && name != "(others)" {
            return self.gathered("", "(others)");
        }
        let key = self.name.clone();
        let index = self.push(Timeline::new(driver, name, None));
        self.by_name.insert(key, index);
        index
    }

    /// What names a fence of an old kernel, which prints no contexts: a context that nobody has.
    pub(crate) fn stand_in(&mut self, driver: &str, name: &str, seqno: u32) -> FenceId {
        let context = u32::MAX - self.gathered(driver, name) as u32;
        self.no_contexts = true;
        FenceId { context, seqno }
    }

    fn push(&mut self, timeline: Timeline) -> usize {
        self.all.push(timeline);
        self.all.len() - 1
    }

    pub(crate) fn get(&self, index: usize) -> &Timeline {
        &self.all[index]
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> &mut Timeline {
        &mut self.all[index]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Timeline> {
        self.all.iter()
    }
}

/// The slowest fences that have signaled and are gone.
#[derive(Default, Debug)]
pub(crate) struct Slow {
    /// The fastest of them on top.
    heap: BinaryHeap<Reverse<ByLatency>>,
    /// How many were not slow enough to stay.
    pub(crate) dropped: u64,
}

impl Slow {
    pub(crate) fn add(&mut self, latency: u64, id: FenceId, state: State) {
        self.heap.push(Reverse(ByLatency { latency, fence: Box::new((id, state)) }));
        if self.heap.len() > MOST_SLOW {
            self.heap.pop();
            self.dropped += 1;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(FenceId, State)> {
        self.heap.iter().map(|Reverse(slow)| &*slow.fence)
    }
}

#[derive(Debug)]
struct ByLatency {
    latency: u64,
    fence: Box<(FenceId, State)>,
}

impl Ord for ByLatency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.latency.cmp(&other.latency)
    }
}

impl PartialOrd for ByLatency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByLatency {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByLatency {}
