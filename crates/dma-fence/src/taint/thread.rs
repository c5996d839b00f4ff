//! Which thread something happened on, in a few bytes of its own.

use core::fmt;

/// What the system calls a thread is no longer than this.
const LONGEST: usize = 15;

#[derive(Clone, Copy)]
pub(super) struct Thread {
    bytes: [u8; LONGEST],
    len: usize,
    panicking: bool,
}

impl Thread {
    #[cfg(feature = "std")]
    pub(super) fn current() -> Thread {
        let mut bytes = [0; LONGEST];
        let len = read_name(&mut bytes);
        Thread { bytes, len, panicking: std::thread::panicking() }
    }

    #[cfg(not(feature = "std"))]
    pub(super) fn current() -> Thread {
        Thread { bytes: [0; LONGEST], len: 0, panicking: false }
    }

    pub(super) fn name(&self) -> Option<&str> {
        // The system cuts a long name anywhere, also inside a character.
        let whole = self.bytes[..self.len].utf8_chunks().next()?.valid();
        (!whole.is_empty()).then_some(whole)
    }

    pub(super) fn was_panicking(&self) -> bool {
        self.panicking
    }
}

/// Asks the system and not `std`, whose handle of a thread may have to be allocated and is not there any
/// more when the last thread-locals go. Returns the length; 0 if the system does not say.
#[cfg(feature = "std")]
fn read_name(into: &mut [u8; LONGEST]) -> usize {
    use std::io::Read;
    let file = std::fs::File::open("/proc/thread-self/comm");
    let len = file.and_then(|mut file| file.read(into)).unwrap_or(0);
    into[..len].iter().position(|&byte| byte == b'\n').unwrap_or(len)
}

/// ` on thread NAME, which was panicking`, as far as it is known and true.
impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, ", on thread {name}")?,
            None if self.panicking => f.write_str(", on a thread")?,
            None => {}
        }
        f.write_str(if self.panicking { ", which was panicking" } else { "" })
    }
}
