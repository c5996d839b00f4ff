//! Who makes the kernel's fences, and signals them.

use dma_fence::Errno;
use dma_fence_linux::{SyncFile, Vgem, VgemFence};

/// A driver with timelines of fences that signal in order, or all of a timeline with an error.
pub(crate) trait Kernel {
    /// Driver and timeline, as in the name of a sync file before the numbers.
    fn prefix(&self, timeline: usize) -> String;
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
    fn prefix(&self, _: usize) -> String {
        "vgem-unbound".into()
    }

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
