//! When the next picture is due: soon after something has happened, and never so often that it costs much.

use std::time::Duration;

/// Between two pictures, at least.
const PICTURE: Duration = Duration::from_millis(100);
/// Where nothing has happened only ages have grown.
const QUIET: Duration = Duration::from_millis(500);
/// Between two looks whether a signal has come, where nothing moves.
const STILL: Duration = Duration::from_millis(250);
/// Judging takes at most one part in so many of the time: what a long trace says is judged less often.
const SHARE: u32 = 8;

/// Times are those of whoever looks, from any beginning.
#[derive(Debug)]
pub(super) struct Pictures {
    last: Duration,
    interval: Duration,
    fresh: bool,
}

impl Pictures {
    pub(super) fn new() -> Self {
        Self { last: Duration::ZERO, interval: PICTURE, fresh: true }
    }

    /// There is something new to see.
    pub(super) fn want(&mut self) {
        self.fresh = true;
    }

    /// Somebody has pressed a key for it: at once, whatever it costs.
    pub(super) fn want_now(&mut self) {
        *self = Self { interval: Duration::ZERO, fresh: true, ..*self };
    }

    pub(super) fn is_due(&self, now: Duration, moving: bool) -> bool {
        self.due_in(now, moving).is_zero()
    }

    /// How long keys may be waited for. What moves is looked after even if it does not change the picture.
    pub(super) fn wait(&self, now: Duration, moving: bool) -> Duration {
        self.due_in(now, moving).min(if moving { PICTURE } else { STILL })
    }

    /// It has been made, from `begin` to `end`.
    pub(super) fn made(&mut self, begin: Duration, end: Duration) {
        let cost = end.saturating_sub(begin);
        *self = Self { last: end, interval: PICTURE.max(cost * SHARE), fresh: false };
    }

    fn due_in(&self, now: Duration, moving: bool) -> Duration {
        let interval = match (self.fresh, moving) {
            (true, _) => self.interval,
            (false, true) => self.interval.max(QUIET),
            (false, false) => return Duration::MAX,
        };
        (self.last + interval).saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn made_at(begin: u64, end: u64) -> Pictures {
        let mut pictures = Pictures::new();
        pictures.made(ms(begin), ms(end));
        pictures
    }

    #[test]
    fn what_happens_is_seen_soon_and_at_most_ten_times_a_second() {
        let mut pictures = made_at(1000, 1000);
        pictures.want();
        assert!(!pictures.is_due(ms(1099), true) && pictures.is_due(ms(1100), true));
        assert_eq!(pictures.wait(ms(1060), true), ms(40));
    }

    #[test]
    fn where_nothing_happens_ages_grow_twice_a_second() {
        let pictures = made_at(1000, 1000);
        assert!(!pictures.is_due(ms(1499), true) && pictures.is_due(ms(1500), true));
        assert_eq!(pictures.wait(ms(1000), true), PICTURE, "events are looked for more often");
    }

    #[test]
    fn what_stands_still_costs_nothing_but_a_look_for_signals() {
        let mut pictures = made_at(1000, 1000);
        assert!(!pictures.is_due(ms(1_000_000), false));
        assert_eq!(pictures.wait(ms(1_000_000), false), STILL);
        pictures.want();
        assert!(pictures.is_due(ms(1_000_000), false));
    }

    #[test]
    fn what_is_expensive_is_done_less_often() {
        let mut pictures = made_at(1000, 1500);
        pictures.want();
        assert!(!pictures.is_due(ms(1500 + 3999), true) && pictures.is_due(ms(1500 + 4000), true));
        pictures.want_now();
        assert!(pictures.is_due(ms(1500), true), "but not if somebody has asked for it");
    }
}
