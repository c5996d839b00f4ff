//! A change that must not fail once it has begun, as Linux's xe driver binds memory.
//!
//! To *bind* memory is to write it into the page tables of every *tile* of a GPU. From the first write
//! on there is no way back, so from there on nothing may fail, not even for want of memory; yet whoever
//! asked gets one fence for all tiles. So the work is in two halves: *prepare* allocates and checks and
//! may fail, having changed nothing; *commit* only uses what is there. What the array needs is
//! allocated in the first half and becomes a fence in the second.

use dma_fence::{ArrayAllocation, ArrayMembers, DriverFence, FenceAllocation};
use dma_fence::{Errno, FenceArray, FenceContext};
use std::error::Error;

struct Tile {
    ring: FenceContext,
    page_table: u64,
}

struct Vm {
    tiles: Vec<Tile>,
}

/// A bind for which everything that can fail has been done.
struct PreparedBind<'a> {
    vm: &'a mut Vm,
    address: u64,
    jobs: Vec<DriverFence>,
    members: ArrayMembers,
    memory: ArrayAllocation,
}

impl Vm {
    fn new(tiles: usize) -> Vm {
        let tile = |_| Tile { ring: FenceContext::hardware("xe", "bind"), page_table: 0 };
        Vm { tiles: (0..tiles).map(tile).collect() }
    }

    fn prepare(&mut self, address: u64) -> Result<PreparedBind<'_>, Box<dyn Error>> {
        let memory = ArrayAllocation::new()?;
        let fences: Vec<_> =
            self.tiles.iter().map(|_| FenceAllocation::new()).collect::<Result<_, _>>()?;
        let init = |(tile, fence): (&Tile, _)| tile.ring.init_fence(fence);
        let jobs: Vec<_> = self.tiles.iter().zip(fences).map(init).collect();
        // Refused only if there is no tile; then there is no job to be undone, either.
        let members = ArrayMembers::new(jobs.iter().map(DriverFence::fence).collect())?;
        Ok(PreparedBind { vm: self, address, jobs, members, memory })
    }
}

impl PreparedBind<'_> {
    /// The point of no return and what is after it: no `Result`, no allocation.
    fn commit(self) -> (Vec<DriverFence>, FenceArray) {
        self.vm.tiles.iter_mut().for_each(|tile| tile.page_table = self.address);
        (self.jobs, self.memory.init(self.members))
    }

    /// The way back, before the point. The hardware has seen nothing, so the jobs have ended.
    fn cancel(self) {
        self.jobs.into_iter().for_each(|job| job.signal(Err(Errno::ECANCELED)));
    }
}

pub(crate) fn main() {
    assert!(Vm::new(0).prepare(0x1000).is_err(), "nothing to bind on");
    let mut vm = Vm::new(2);
    vm.prepare(0x1000).expect("there is memory").cancel();
    assert!(vm.tiles.iter().all(|tile| tile.page_table == 0));
    println!("A bind was cancelled before the point of no return: nothing has changed.");

    let (jobs, fence) = vm.prepare(0x2000).expect("there is memory").commit();
    println!("A bind on two tiles is on its way:\n{}", fence.describe());
    for job in jobs {
        assert!(!fence.is_signaled());
        job.signal(Ok(()));
    }
    assert!(fence.is_signaled() && vm.tiles.iter().all(|tile| tile.page_table == 0x2000));
    println!("It has ended on both:\n{}", fence.describe());
}
