//! What needs a kernel that refuses: the tests give the engine an opener that does.

use super::*;
use std::io;

fn refused(_entries: u32) -> io::Result<io_uring::IoUring> {
    Err(io::Error::from_raw_os_error(libc::EPERM))
}

#[test]
fn a_refused_ring_is_an_error() {
    let pool = BufferPool::new(1, 1).unwrap();
    let started =
        IoEngine::start_with(EngineKind::Uring, &pool, IoOptions::default(), refused).unwrap_err();
    assert!(matches!(started, EngineError::Refused(_)));
    assert!(started.to_string().contains("seccomp"), "{started}");
}

#[test]
fn threads_take_over_with_a_notice() {
    let pool = BufferPool::new(1, 1).unwrap();
    let (engine, notice) = IoEngine::start_best_with(&pool, IoOptions::default(), refused).unwrap();
    assert_eq!(engine.kind(), EngineKind::Threads);
    let notice = notice.unwrap().to_string();
    assert!(notice.contains("io_uring_disabled") && notice.contains("threads"), "{notice}");
}

#[test]
fn other_errors_are_not_taken_for_a_refusal() {
    let pool = BufferPool::new(1, 1).unwrap();
    let options = IoOptions { queue_depth: 0, ..IoOptions::default() };
    let error = IoEngine::start_best_with(&pool, options, refused).unwrap_err();
    assert!(matches!(error, EngineError::QueueDepth(0)));
}
