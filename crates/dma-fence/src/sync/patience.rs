//! Looking for a moment before going to sleep.
//!
//! Sleeping and being woken costs two system calls and a trip through the scheduler. Where the other side
//! runs on another CPU and signals soon, looking on is many times faster; where it does not, looking is
//! time lost, and with only one CPU it keeps the other side from running. Each thread finds out by itself:
//! it looks twice as long after looking was worth it, and half as long after it was not. Now and then it
//! tries again.

#[cfg(not(loom))]
use core::cell::Cell;

/// How often it looks at most: about as long as sleeping and being woken takes.
#[cfg(not(loom))]
const MOST: u32 = 256;
/// Every so many sleeps it looks for that long again, so that this costs next to nothing.
#[cfg(not(loom))]
const RETRY: u32 = 64;

#[cfg(not(loom))]
std::thread_local! { static PATIENCE: Patience = const { Patience::new() } }

#[cfg(not(loom))]
struct Patience {
    looks: Cell<u32>,
    sleeps: Cell<u32>,
}

#[cfg(not(loom))]
impl Patience {
    const fn new() -> Self {
        Patience { looks: Cell::new(MOST), sleeps: Cell::new(0) }
    }

    fn learn(&self, worth_it: bool) {
        if worth_it {
            self.looks.set((self.looks.get() * 2).clamp(1, MOST));
            return;
        }
        let sleeps = self.sleeps.get() + 1;
        self.sleeps.set(sleeps % RETRY);
        self.looks.set(if sleeps == RETRY { MOST } else { self.looks.get() / 2 });
    }
}

/// Looks for a moment; false if that was in vain.
#[cfg(not(loom))]
pub(crate) fn look(mut done: impl FnMut() -> bool) -> bool {
    PATIENCE.with(|patience| {
        let looks = patience.looks.get();
        let worth_it = (0..looks).any(|_| {
            core::hint::spin_loop();
            done()
        });
        patience.learn(worth_it);
        worth_it
    })
}

/// A model explores everything that can happen meanwhile anyway.
#[cfg(loom)]
pub(crate) fn look(_: impl FnMut() -> bool) -> bool {
    false
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// How often it looks in vain.
    fn in_vain(patience: &Patience) -> u32 {
        let looks = patience.looks.get();
        patience.learn(false);
        looks
    }

    #[test]
    fn patience_is_lost_and_comes_back() {
        let patience = Patience::new();
        let looks: Vec<u32> = (0..2 * RETRY).map(|_| in_vain(&patience)).collect();
        assert_eq!(looks[..10], [256, 128, 64, 32, 16, 8, 4, 2, 1, 0]);
        assert!(looks[10..64].iter().all(|looks| *looks == 0), "{looks:?}");
        assert_eq!(looks[64..66], [256, 128], "it tries again");
        while in_vain(&patience) > 0 {}
        patience.learn(true);
        patience.learn(true);
        assert_eq!(patience.looks.get(), 2);
        (0..10).for_each(|_| patience.learn(true));
        assert_eq!(patience.looks.get(), MOST);
    }

    #[test]
    fn it_looks_until_it_is_done() {
        let mut looks = 0;
        assert!(look(|| {
            looks += 1;
            looks == 3
        }));
        assert_eq!(looks, 3);
    }
}
