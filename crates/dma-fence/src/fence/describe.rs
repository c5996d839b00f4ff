//! What people read about a fence.

use super::Fence;
use core::fmt;

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
        let mut next = Some(self.0.clone());
        while let Some(fence) = next {
            write_line(f, 0, &fence)?;
            write_parts(f, &fence)?;
            next = fence.chain().and_then(|node| node.before().0);
        }
        Ok(())
    }
}

/// What is in an array or in one point of a chain: one container in another at most.
fn write_parts(f: &mut fmt::Formatter<'_>, fence: &Fence) -> fmt::Result {
    let contained = fence.chain().map(|node| node.contained());
    if let Some(contained) = contained {
        write_line(f, 1, contained)?;
    }
    let depth = 1 + usize::from(contained.is_some());
    for member in contained.unwrap_or(fence).members().unwrap_or_default() {
        write_line(f, depth, member)?;
    }
    Ok(())
}

fn write_line(f: &mut fmt::Formatter<'_>, depth: usize, fence: &Fence) -> fmt::Result {
    writeln!(f, "{:indent$}{fence}", "", indent = 2 * depth)
}

/// `driver timeline context:seqno state`
impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (driver, timeline) = (self.driver_name(), self.timeline_name());
        let (context, seqno) = (self.context(), self.seqno());
        write!(f, "{driver} {timeline} {context}:{seqno} {}", self.status())
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fence({self})")
    }
}
