//! Who makes the kernel's fences, and signals them.

use dma_fence::Errno;
use dma_fence_linux::{SwSync, SwSyncError, SyncFile, Vgem, VgemFence};

/// A driver with timelines of fences that signal in order, or all of a timeline with an error.
pub(crate) trait Kernel {
    /// How many timelines there are; with 0 each fence has one of its own.
    fn timelines(&self) -> usize;
    /// A pending fence, the last one of the timeline.
    fn create(&mut self, timeline: usize) -> SyncFile;
    /// Signals the first pending fence of the timeline.
    fn signal(&mut self, timeline: usize);
    /// Ends the timeline: what is pending on it gets this error. `None` if the driver cannot.
    fn fail(&mut self, timeline: usize) -> Option<Errno>;
}

/// vgem: each fence has a timeline of its own, and there are no errors.
pub(crate) struct VgemFences {
    vgem: Vgem,
    producers: Vec<Option<VgemFence>>,
}

impl VgemFences {
    pub(crate) fn new(vgem: Vgem) -> Self {
        VgemFences { vgem, producers: Vec::new() }
    }
}

impl Kernel for VgemFences {
    fn timelines(&self) -> usize {
        0
    }

    fn create(&mut self, timeline: usize) -> SyncFile {
        assert_eq!(timeline, self.producers.len());
        let (producer, file) = self.vgem.new_fence().unwrap();
        self.producers.push(Some(producer));
        file
    }

    fn signal(&mut self, timeline: usize) {
        self.producers[timeline].take().unwrap().signal().unwrap();
    }

    fn fail(&mut self, _: usize) -> Option<Errno> {
        None
    }
}

/// sw_sync: a few timelines, and all of one fail when it is closed.
pub(crate) struct SwSyncFences {
    /// Gone once it has failed; and its last number.
    timelines: Vec<(Option<SwSync>, u32)>,
}

impl SwSyncFences {
    pub(crate) fn new() -> Result<Self, SwSyncError> {
        let timelines: Result<Vec<SwSync>, _> = (0..3).map(|_| SwSync::open()).collect();
        let timelines = timelines?.into_iter().map(|timeline| (Some(timeline), 0)).collect();
        Ok(SwSyncFences { timelines })
    }
}

impl Kernel for SwSyncFences {
    fn timelines(&self) -> usize {
        self.timelines.len()
    }

    fn create(&mut self, timeline: usize) -> SyncFile {
        let (timeline, seqno) = &mut self.timelines[timeline];
        *seqno += 1;
        // Each program signals what it makes.
        timeline.as_ref().unwrap().create_fence(*seqno).unwrap().vouch_finite()
    }

    fn signal(&mut self, timeline: usize) {
        self.timelines[timeline].0.as_ref().unwrap().inc(1).unwrap();
    }

    fn fail(&mut self, timeline: usize) -> Option<Errno> {
        self.timelines[timeline].0 = None;
        Some(Errno::ENOENT)
    }
}
