//! The array algorithm in Linux: what the glue in C calls.
//!
//! [`algorithm`] is the very file that the library in user space runs on. [`host`] is its host here, and
//! [`glue`] declares what C does for it. An array is an address to this crate, and no more: whatever depends
//! on the kernel's configuration is done in C, where its checkers see every access.
#![no_std]

#[path = "../../crates/dma-fence/src/array/algorithm.rs"]
mod algorithm;
mod glue;
mod host;

use core::mem::ManuallyDrop;
use core::panic::PanicInfo;
use core::ptr::NonNull;
use glue::Array;
use host::{Deferred, Enabling, Turn};

/// Somebody waits for the array for the first time.
///
/// # Safety
/// The array is alive, its own lock is held, and nobody has called this for it before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfa_enable(array: NonNull<Array>) {
    // SAFETY: our contract.
    algorithm::enable(unsafe { Turn::<Enabling>::of(array) });
}

/// The member that carries the array's callback has signaled.
///
/// # Safety
/// The call is the callback's: the turn that it was given at [`glue::dfa_arm`] is ours now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfa_on_callback(array: NonNull<Array>) {
    // SAFETY: our contract.
    algorithm::on_callback(unsafe { Turn::<Deferred>::from_raw(array) });
}

/// Goes on after [`dfa_on_callback`], outside every lock.
///
/// # Safety
/// The call is the work's: the turn that it was given at [`glue::dfa_queue_work`] is ours now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfa_on_work(array: NonNull<Array>) {
    // SAFETY: our contract.
    let turn = unsafe { Turn::<Deferred>::from_raw(array) };
    // Once a member is armed the turn may end on another CPU, and with it the array, while this one is still
    // about to unlock that member.
    let _until_unlocked = turn.clone();
    algorithm::on_work(turn);
}

/// Have all members signaled? If so, leaves the result where C expects it.
///
/// # Safety
/// The array is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfa_signaled(array: NonNull<Array>) -> bool {
    // Who asks has a reference, and a poll need not count another one.
    // SAFETY: our contract; it is never dropped.
    let asked = ManuallyDrop::new(unsafe { Turn::<Deferred>::from_raw(array) });
    let signaled = algorithm::signaled(&*asked);
    if signaled {
        asked.leave_error(&algorithm::settle(&*asked));
    }
    signaled
}

/// Not in the object: the build fails if anything there can panic.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
