//! The text of `bufinfo`, of old and new kernels.
//!
//! ```text
//! size    flags   mode    count   exp_name    ino     name
//! 00004096    00000002    02080007    00000004    drm 00000003    <none>
//!     write fence:vgem unbound seq 1 unsignalled          driver, timeline: Linux 6.12
//!     write fence:9:8 ring-stuck sw_sync unsignalled      context:seqno, timeline, driver: Linux 7.3
//!     write fence:5:40   signalled                        its names are not told any more
//!     Exclusive fence: i915 [i915] signalled              before Linux 5.17
//!     Attached Devices:
//!     0000:00:02.0
//! Total 1 devices attached
//! ```
//!
//! Names may have blanks in them, and then nobody can tell for sure where one ends. Drivers' names are taken to be
//! one word, for they are written so; timelines' are not.

use dma_fence::Usage;

use super::{BufferList, ListedBuffer, ListedFence};

pub(super) fn list(text: &str) -> BufferList {
    let mut list = BufferList::default();
    let mut devices_follow = false;
    for line in text.lines() {
        if is_decoration(line) {
            continue;
        }
        if let Some(buffer) = buffer(line) {
            list.buffers.push(buffer);
            devices_follow = false;
        } else if !inside(line, list.buffers.last_mut(), &mut devices_follow) {
            list.unknown_lines += 1;
        }
    }
    list
}

/// Headings, sums and empty lines.
fn is_decoration(line: &str) -> bool {
    let is_sum = |tail| line.starts_with("Total ") && line.ends_with(tail);
    line.is_empty()
        || line == "Dma-buf Objects:"
        || line.starts_with("size    \t")
        || line.starts_with("size\t")
        || is_sum(" devices attached")
        || is_sum(" bytes")
}

/// Size, flags, mode, count, exporter, inode, name.
fn buffer(line: &str) -> Option<ListedBuffer> {
    let mut columns = line.splitn(7, '\t');
    let size = columns.next()?.parse().ok()?;
    let [_flags, _mode] = [columns.next()?, columns.next()?];
    let references = columns.next()?.parse().ok()?;
    let exporter = columns.next()?.to_owned();
    let inode = columns.next()?.parse().ok()?;
    // The first kernels that had this list had no names.
    let name = columns.next().filter(|name| *name != "<none>").unwrap_or("").to_owned();
    Some(ListedBuffer { size, references, exporter, inode, name, ..ListedBuffer::default() })
}

/// A line that belongs to a buffer: a fence or a device. Says if it does.
fn inside(line: &str, buffer: Option<&mut ListedBuffer>, devices_follow: &mut bool) -> bool {
    let (Some(buffer), Some(line)) = (buffer, line.strip_prefix('\t')) else { return false };
    if line == "Attached Devices:" {
        *devices_follow = true;
    } else if *devices_follow {
        buffer.devices.push(line.to_owned());
    } else if let Some(fence) = fence(line) {
        buffer.fences.push(fence);
    } else {
        return false;
    }
    true
}

fn fence(line: &str) -> Option<ListedFence> {
    let (usage, rest) = line.split_once(" fence:")?;
    let usage = match usage {
        "kernel" => Usage::Kernel,
        "write" | "Exclusive" => Usage::Write,
        "read" | "Shared" => Usage::Read,
        "bookkeep" => Usage::Bookkeep,
        _ => return None,
    };
    let (what, state) = rest.rsplit_once(' ')?;
    let is_signaled = match state {
        "signalled" | "signaled" => true,
        "unsignalled" | "unsignaled" => false,
        _ => return None,
    };
    let (context, seqno, timeline, driver) = new_names(what).or_else(|| old_names(what))?;
    let [driver, timeline] = [driver, timeline].map(str::to_owned);
    Some(ListedFence { usage, driver, timeline, context, seqno, is_signaled })
}

type Names<'a> = (Option<u64>, Option<u64>, &'a str, &'a str);

/// `context:seqno timeline driver`
fn new_names(what: &str) -> Option<Names<'_>> {
    let (numbers, names) = what.split_once(' ')?;
    let (context, seqno) = numbers.split_once(':')?;
    let (timeline, driver) = names.rsplit_once(' ')?;
    Some((Some(context.parse().ok()?), Some(seqno.parse().ok()?), timeline, driver))
}

/// `driver timeline seq N`, and without the last two words before Linux 5.17.
fn old_names(what: &str) -> Option<Names<'_>> {
    let numbered = what.rsplit_once(" seq ");
    let numbered = numbered.and_then(|(names, seqno)| Some((names, seqno.parse().ok()?)));
    let (names, seqno) = match numbered {
        Some((names, seqno)) => (names, Some(seqno)),
        None => (what.trim_start(), None),
    };
    let (driver, timeline) = names.split_once(' ')?;
    Some((None, seqno, timeline, driver))
}

#[cfg(test)]
mod tests;
