//! The page of `dma-fence analyze --html`: what is written, and what it does in a browser.
//!
//! Without Chromium the tests of the browser say so and pass, unless `DMA_FENCE_NEED_CHROMIUM` is 1. With
//! `DMA_FENCE_SCREENSHOTS=DIR` they leave pictures there.

mod browser;
#[path = "../common/mod.rs"]
mod common;
mod file;
mod look;
mod many;
mod picture;
mod real;
mod samples;
mod usage;
