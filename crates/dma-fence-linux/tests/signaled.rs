//! What a signaled sync file costs. Alone in its process, for there must not be a reactor yet.

mod common;

use common::{open_fds, or_skip, threads};
use dma_fence_linux::Vgem;

#[test]
fn an_import_of_a_signaled_file_starts_no_reactor() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    let (producer, file) = vgem.new_fence().unwrap();
    producer.signal().unwrap();
    let before = (open_fds() - 1, threads());
    assert!(file.into_fence().unwrap().is_signaled());
    assert_eq!((open_fds(), threads()), before);
    // A pending one does.
    let (producer, file) = vgem.new_fence().unwrap();
    let fence = file.into_fence().unwrap();
    assert_eq!(threads(), before.1 + 1);
    producer.signal().unwrap();
    assert!(fence.is_signaled());
}
