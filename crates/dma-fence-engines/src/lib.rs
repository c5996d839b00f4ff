//! Memory guarded by fences, and engines that work on it asynchronously.
//!
//! - [`BufferPool`], [`Buffer`], [`Lease`]: page-aligned memory that safe code can neither read, write, free
//!   nor re-lease while a device may touch it.
//! - [`IoEngine`]: reads and writes files, by io_uring where the kernel allows it, by threads elsewhere.
//! - [`HashEngine`]: BLAKE3 over buffers in the order of submission, on a thread of its own.
//!
//! Each operation is one fence. What it must wait for is said by fences too, and no thread blocks for it:
//!
//! ```
//! use dma_fence_engines::{BufferPool, HashEngine, Faults, IoEngine, IoOptions};
//! use std::{fs::File, sync::Arc};
//!
//! # let path = std::env::temp_dir().join(format!("dma-fence-doc-{}", std::process::id()));
//! # std::fs::write(&path, b"twelve bytes")?;
//! let pool = BufferPool::new(2, 4096)?;
//! let (io, notice) = IoEngine::start_best(&pool, IoOptions::default())?;
//! let hash = HashEngine::start(Faults::none())?;
//! if let Some(notice) = notice {
//!     eprintln!("{notice}");
//! }
//! let source = Arc::new(File::open(&path)?);
//! let mut buffer = pool.acquire()?;
//! let read = io.read(&source, 0, &mut buffer, 12, &[])?;
//! // Starts when the read has ended; fails if the read fails.
//! hash.update(&buffer, 12, &[read])?;
//! // The slot goes back to the pool when the hash has finished with it.
//! drop(buffer);
//! assert_eq!(hash.finish()?, blake3::hash(b"twelve bytes"));
//! # std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Unsafe code is confined to six modules: `memory::{region, buffer, lease}`, where memory meets the CPU and
//! devices, and `engine::{uring, threads, hash}`, the devices. Each block names the invariant of `docs/invariants-memory.md` that it leans on.
#![deny(unsafe_code)]

#[cfg(not(loom))]
mod engine;
#[cfg(not(loom))]
mod job;
mod memory;
mod sync;

#[cfg(not(loom))]
pub use engine::{
    EngineError, EngineKind, EngineStats, Faults, FinishError, HashEngine, IoEngine, IoOptions,
    Notice, SubmitError,
};
pub use memory::{
    AcquireError, Buffer, BufferPool, Busy, DeviceMemory, Lease, LeaseError, PoolError, PoolStats,
};

#[cfg(doctest)]
#[path = "../tests/compile_fail/mod.rs"]
pub mod compile_fail;
