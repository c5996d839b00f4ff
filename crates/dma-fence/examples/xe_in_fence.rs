//! One fence for everything that was queued so far, as Linux's xe driver gathers it.
//!
//! Before page tables change, the work that uses them has to end: that of a queue and of the queues
//! *tied* to it, on every *tile* of the GPU. Each has a *last fence*, and as a queue runs in order, that
//! one stands for all before it. They are gathered in one array. When that fails half-way, for a queue
//! may have been banned or memory may be short, what was gathered is let go and nothing has changed.

use dma_fence::{
    ArrayAllocation, ArrayMembers, DriverFence, Errno, Fence, FenceArray, FenceContext,
};
use std::error::Error;

/// A queue's share of one tile.
struct Tile {
    timeline: FenceContext,
    last: Fence,
    banned: bool,
}

struct Queue {
    tiles: Vec<Tile>,
    tied: Vec<Queue>,
}

impl Tile {
    fn new() -> Tile {
        let timeline = FenceContext::hardware("xe", "tile");
        Tile { timeline, last: Fence::signaled(), banned: false }
    }

    fn submit(&mut self) -> DriverFence {
        let job = self.timeline.new_fence();
        self.last = job.fence();
        job
    }

    fn last_fence(&self) -> Result<Fence, Errno> {
        if self.banned { Err(Errno::ECANCELED) } else { Ok(self.last.clone()) }
    }
}

impl Queue {
    fn new(tiles: usize, tied: Vec<Queue>) -> Queue {
        Queue { tiles: (0..tiles).map(|_| Tile::new()).collect(), tied }
    }

    /// Signals when this queue and those tied to it are done with what they were given until now.
    fn in_fence(&self) -> Result<FenceArray, Box<dyn Error>> {
        let tiles = self.tiles.iter().chain(self.tied.iter().flat_map(|queue| &queue.tiles));
        let mut fences = Vec::new();
        for tile in tiles {
            fences.try_reserve(1)?;
            // If this fails, `fences` goes, and with it what was gathered: there is no more to unwinding.
            fences.push(tile.last_fence()?);
        }
        Ok(ArrayAllocation::new()?.init(ArrayMembers::new(fences)?))
    }
}

pub(crate) fn main() {
    let mut queue = Queue::new(2, vec![Queue::new(2, vec![])]);
    let own = queue.tiles[1].submit();
    let tied = queue.tied[0].tiles[0].submit();

    let fence = queue.in_fence().expect("nothing fails yet");
    println!("Two queues on two tiles, of which two are busy:\n{}", fence.describe());
    assert_eq!(fence.members().len(), 4);

    queue.tied[0].tiles[1].banned = true;
    let error = queue.in_fence().expect_err("the last tile is banned");
    println!("The last one is banned, so gathering fails after three fences: {error}");

    // The fence that was gathered before does not mind.
    own.signal(Ok(()));
    assert!(!fence.is_signaled());
    tied.signal(Ok(()));
    assert!(fence.is_signaled());
    println!("The work has ended:\n{}", fence.describe());
}
