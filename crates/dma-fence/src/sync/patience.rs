//! Looking for a moment before going to sleep.
//!
//! Sleeping and being woken costs two system calls and a trip through the scheduler. Where the other side
//! runs on another CPU and signals soon, looking on is many times faster; where it does not, looking is
//! time lost, and with only one CPU it keeps the other side from running. Each thread finds out by itself:
//! it looks twice as long after looking was worth it, and half as long after it was not. Now and then it
//! tries again, and the more often that was in vain, the later the next time.

#[cfg(not(loom))]
use core::cell::Cell;

/// How often it looks at most: about as long as sleeping and being woken takes.
#[cfg(not(loom))]
const MOST: u32 = 256;
/// After so many sleeps it looks for that long again, so that this costs next to nothing.
#[cfg(not(loom))]
const FIRST_REST: u32 = 64;
/// And not more than so many, however often that is in vain.
#[cfg(not(loom))]
const LONGEST_REST: u32 = 4096;

#[cfg(not(loom))]
std::thread_local! { static PATIENCE: Patience = const { Patience::new() } }

#[cfg(not(loom))]
struct Patience {
    looks: Cell<u32>,
    /// How many sleeps are left until it tries again.
    rest: Cell<u32>,
    /// How many there are from one try to the next.
    rests: Cell<u32>,
}

#[cfg(not(loom))]
impl Patience {
    const fn new() -> Self {
        Patience {
            looks: Cell::new(MOST),
            rest: Cell::new(FIRST_REST),
            rests: Cell::new(FIRST_REST),
        }
    }

    /// How often to look now.
    fn looks(&self) -> u32 {
        if self.rest.get() == 0 { MOST } else { self.looks.get() }
    }

    fn learn(&self, worth_it: bool) {
        let retried = self.rest.get() == 0;
        if worth_it {
            self.looks.set((self.looks() * 2).clamp(1, MOST));
            self.rests.set(FIRST_REST);
        } else if retried {
            self.rests.set(LONGEST_REST.min(self.rests.get() * 2));
        } else {
            self.looks.set(self.looks.get() / 2);
            self.rest.set(self.rest.get() - 1);
            return;
        }
        self.rest.set(self.rests.get());
    }
}

/// Looks for a moment; false if that was in vain.
#[cfg(not(loom))]
pub(crate) fn look(mut done: impl FnMut() -> bool) -> bool {
    PATIENCE.with(|patience| {
        let looks = patience.looks();
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
        let looks = patience.looks();
        patience.learn(false);
        looks
    }

    /// How many sleeps come before the next try.
    fn rest(patience: &Patience) -> usize {
        (0..).take_while(|_| in_vain(patience) < MOST).count()
    }

    #[test]
    fn patience_is_lost() {
        let patience = Patience::new();
        let looks: Vec<u32> = (0..64).map(|_| in_vain(&patience)).collect();
        assert_eq!(looks[..10], [256, 128, 64, 32, 16, 8, 4, 2, 1, 0]);
        assert!(looks[10..].iter().all(|looks| *looks == 0), "{looks:?}");
    }

    #[test]
    fn it_tries_again_the_later_the_more_often_that_was_in_vain() {
        let patience = Patience::new();
        assert_eq!(in_vain(&patience), MOST);
        let rests: Vec<usize> = (0..9).map(|_| rest(&patience)).collect();
        assert_eq!(rests, [63, 128, 256, 512, 1024, 2048, 4096, 4096, 4096]);
        assert_eq!(rest(&patience), 4096);
        (0..4096).for_each(|_| _ = in_vain(&patience));
        patience.learn(true);
        assert_eq!(patience.looks(), MOST, "the try was worth it");
        assert_eq!(in_vain(&patience), MOST);
        assert_eq!(rest(&patience), 63, "and it begins from the start");
    }

    #[test]
    fn patience_grows_while_looking_is_worth_it() {
        let patience = Patience::new();
        while in_vain(&patience) > 0 {}
        patience.learn(true);
        patience.learn(true);
        assert_eq!(patience.looks(), 2);
        (0..10).for_each(|_| patience.learn(true));
        assert_eq!(patience.looks(), MOST);
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
