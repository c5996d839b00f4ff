//! What cannot be written down about buffers: `cargo test --doc`.

#[macro_use]
#[path = "../../../dma-fence/tests/compile_fail/refused.rs"]
mod refused;

refused! {
    ReadWhileLeased, "E0502",
    "let pool = dma_fence_engines::BufferPool::new(1, 1).unwrap();
     let mut buffer = pool.acquire().unwrap();
     let lease = buffer.lease_write().unwrap();",
    "let _ = buffer.bytes(); drop(lease);"
}

refused! {
    WriteWhileLeased, "E0502",
    "let pool = dma_fence_engines::BufferPool::new(1, 1).unwrap();
     let mut buffer = pool.acquire().unwrap();
     let lease = buffer.lease_read().unwrap();",
    "let _ = buffer.bytes_mut(); drop(lease);"
}

refused! {
    FreeWhileLeased, "E0505",
    "let pool = dma_fence_engines::BufferPool::new(1, 1).unwrap();
     let buffer = pool.acquire().unwrap();
     let lease = buffer.lease_read().unwrap();",
    "drop(buffer); drop(lease);"
}

refused! {
    LeaseWhileLeased, "E0499",
    "let pool = dma_fence_engines::BufferPool::new(1, 1).unwrap();
     let mut buffer = pool.acquire().unwrap();
     let lease = buffer.lease_write().unwrap();",
    "let _ = buffer.lease_write(); drop(lease);"
}

refused! {
    /// What the CPU looks at is given to no device that writes.
    LeaseWhileRead, "E0502",
    "let pool = dma_fence_engines::BufferPool::new(1, 1).unwrap();
     let mut buffer = pool.acquire().unwrap();
     let bytes = buffer.bytes().unwrap();",
    "let _ = buffer.lease_write(); assert_eq!(bytes.len(), 1);"
}

refused! {
    CommitTwice, "E0382",
    "let pool = dma_fence_engines::BufferPool::new(1, 1).unwrap();
     let fence = dma_fence::FenceContext::hardware(\"a\", \"b\").new_fence().fence();
     let buffer = pool.acquire().unwrap();
     let lease = buffer.lease_read().unwrap();
     lease.commit(&fence);",
    "lease.commit(&fence);"
}

refused! {
    /// A lease is a lock.
    SendLease, "E0277",
    "let pool = dma_fence_engines::BufferPool::new(1, 1).unwrap();
     let buffer = pool.acquire().unwrap();
     let lease = buffer.lease_read().unwrap();",
    "std::thread::scope(|scope| { scope.spawn(move || drop(lease)); });"
}

refused! {
    /// The one unsafe step.
    AddressInSafeCode, "E0133",
    "let pool = dma_fence_engines::BufferPool::new(1, 1).unwrap();
     let fence = dma_fence::FenceContext::hardware(\"a\", \"b\").new_fence().fence();
     let buffer = pool.acquire().unwrap();
     let memory = buffer.lease_read().unwrap().commit(&fence);",
    "memory.address();"
}

refused! {
    CloneBuffer, "E0599",
    "let pool = dma_fence_engines::BufferPool::new(1, 1).unwrap();
     let buffer = pool.acquire().unwrap();",
    "let second = buffer.clone();"
}
