//! What people read about a fence.

use super::Fence;
use crate::outcome::Status;
use alloc::vec::Vec;
use core::{fmt, iter};

impl Fence {
    /// The fence and all that it stands for, each on a line of its own.
    ///
    /// ```
    /// use dma_fence::{FenceArray, FenceContext};
    /// let gpu = FenceContext::software("gpu", "ring 0");
    /// let (a, b) = (gpu.new_fence(), gpu.new_fence());
    /// let both = FenceArray::new(vec![a.fence(), b.fence()])?;
    /// a.signal(Ok(()));
    /// let text = both.describe().to_string();
    /// let lines: Vec<&str> = text.lines().collect();
    /// assert!(lines[0].starts_with("dma_fence_array unbound") && lines[0].ends_with("pending"));
    /// assert!(lines[1].starts_with("  gpu ring 0") && lines[1].ends_with(":1 signaled"));
    /// assert!(lines[2].starts_with("  gpu ring 0") && lines[2].ends_with(":2 pending"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "dma_fence_describe")]
    pub fn describe(&self) -> Description<'_> {
        Description(self)
    }
}

/// A fence and all that it stands for, as text; see [`Fence::describe`].
#[derive(Debug)]
pub struct Description<'a>(&'a Fence);

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = |point: &Fence| point.chain()?.before().0;
        let points: Vec<Fence> = iter::successors(Some(self.0.clone()), before).collect();
        tell_of_losses(&points);
        for point in &points {
            write_line(f, 0, point, point.known(point.ask_all_but_losses()))?;
            write_parts(f, point)?;
        }
        Ok(())
    }
}

/// Abandons each point that stands for a lost fence, of a chain from its head on. Asked for its status, each by
/// itself would look for one in all that is before it, and a long chain would be looked through as often.
fn tell_of_losses(points: &[Fence]) {
    let mut lost = false;
    for point in points.iter().rev() {
        let own = point.chain().map_or(point, |node| node.contained());
        lost |= own.status() == Status::Abandoned;
        if lost {
            point.abandon();
        }
    }
}

/// What is in an array or in one point of a chain: one container in another at most.
fn write_parts(f: &mut fmt::Formatter<'_>, fence: &Fence) -> fmt::Result {
    let contained = fence.chain().map(|node| node.contained());
    if let Some(contained) = contained {
        write_line(f, 1, contained, contained.status())?;
    }
    let depth = 1 + usize::from(contained.is_some());
    for member in contained.unwrap_or(fence).members().unwrap_or_default() {
        write_line(f, depth, member, member.status())?;
    }
    Ok(())
}

fn write_line(
    f: &mut fmt::Formatter<'_>,
    depth: usize,
    fence: &Fence,
    status: Status,
) -> fmt::Result {
    write!(f, "{:indent$}", "", indent = 2 * depth)?;
    write_fence(f, fence, status)?;
    writeln!(f)
}

/// `driver timeline context:seqno state`
impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fence(f, self, self.status())
    }
}

fn write_fence(f: &mut fmt::Formatter<'_>, fence: &Fence, status: Status) -> fmt::Result {
    let (driver, timeline) = (fence.driver_name(), fence.timeline_name());
    write!(f, "{driver} {timeline} {}:{} {status}", fence.context(), fence.seqno())
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fence({self})")
    }
}
