//! A device that the tests play themselves.

use dma_fence::{DriverFence, FenceContext};
use dma_fence_engines::{Buffer, DeviceMemory};

pub(crate) fn device() -> FenceContext {
    FenceContext::hardware("test", "device")
}

/// The device begins to write: its fence, and the memory it may touch.
pub(crate) fn begin_write(
    context: &FenceContext,
    buffer: &mut Buffer,
) -> (DriverFence, DeviceMemory) {
    let driver = context.new_fence();
    let memory = buffer.lease_write().unwrap().commit(&driver.fence());
    (driver, memory)
}
