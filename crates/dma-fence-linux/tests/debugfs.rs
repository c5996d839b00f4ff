//! The machine's list of DMA buffers, beside buffers that are known.

mod common;

use common::or_skip;
use dma_fence::Usage;
use dma_fence_linux::{BufferList, DmaBuf, ListedBuffer, Vgem};

fn listed(dma_buf: &DmaBuf) -> ListedBuffer {
    let inode = dma_buf.inode().unwrap();
    let found = BufferList::read().unwrap().buffers.into_iter().filter(|it| it.inode == inode);
    let [buffer] = &found.collect::<Vec<_>>()[..] else { panic!("listed once") };
    buffer.clone()
}

#[test]
fn a_buffer_is_listed_with_its_fences() {
    let Some(vgem) = or_skip("vgem", Vgem::open()) else { return };
    if or_skip("debugfs", BufferList::read()).is_none() {
        return;
    }
    let buffer = vgem.new_buffer(8192).unwrap();
    let dma_buf = DmaBuf::new(buffer.dma_buf().unwrap()).unwrap();
    dma_buf.set_name("a name").unwrap();
    let idle = listed(&dma_buf);
    assert_eq!((idle.size, idle.name.as_str(), &idle.fences[..]), (8192, "a name", &[][..]));
    assert_eq!(idle.exporter, dma_buf.info().unwrap().exporter);

    for (write, usage) in [(true, Usage::Write), (false, Usage::Read)] {
        let fence = buffer.attach(write).unwrap();
        let busy = listed(&dma_buf);
        let pending: Vec<_> = busy.fences.iter().filter(|it| !it.is_signaled).collect();
        let [one] = pending[..] else { panic!("{busy:?}") };
        assert_eq!(
            (one.usage, one.driver.as_str(), one.timeline.as_str()),
            (usage, "vgem", "unbound")
        );
        fence.signal().unwrap();
        assert!(listed(&dma_buf).fences.iter().all(|it| it.is_signaled));
    }
    let again = BufferList::read().unwrap();
    assert_eq!(again.unknown_lines, 0, "{again:?}");
}
