//! Runs that are broken on purpose: what fences are for.

mod common;

use std::time::Duration;

use common::{ENGINES, SYNCS, Sandbox, assert_content, noise};

const CHUNK: usize = 64 << 10;
/// 40 chunks, so 120 fences.
const LEN: usize = 40 * CHUNK - 5;

fn options(engine: &str) -> Vec<&str> {
    vec!["--chunk-size", "64K", "--engine", engine]
}

#[test]
fn signaling_early_corrupts_and_is_seen() {
    let sandbox = Sandbox::new();
    let content = noise(LEN);
    let source = sandbox.file("source", &content);
    for engine in ENGINES {
        // Chance must not decide: every run is corrupt, and the same without the fault is not.
        for _ in 0..5 {
            let destination = sandbox.file("destination", b"old");
            let mut args = options(engine);
            args.push("--verify");
            sandbox.copy(&source, &destination, &args).succeeded();
            assert_content(&destination, &content);

            let destination = sandbox.file("destination", b"old");
            args.extend(["--inject", "early-signal"]);
            let words = ["corrupt", "destination", "untouched", "BROKEN ON PURPOSE"];
            sandbox.copy(&source, &destination, &args).failed(3, &words);
            assert_content(&destination, b"old");
        }
    }
}

#[test]
fn signaling_early_without_a_check_at_least_warns() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(LEN));
    let args = ["--quiet", "--inject", "early-signal"];
    let run = sandbox.copy(&source, &sandbox.path("destination"), &args).succeeded();
    assert!(run.stderr().contains("BROKEN ON PURPOSE"), "{}", run.stderr());
}

#[test]
fn a_lost_producer_ends_the_run_and_its_buffer_is_quarantined() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(LEN));
    for engine in ENGINES {
        for sync in SYNCS {
            for buffers in ["1", "8"] {
                for nth in [1, 2, 3, 4, 59, 60, 61, 118, 119, 120] {
                    let destination = sandbox.file("destination", b"old");
                    let fault = format!("lost-producer={nth}");
                    let mut args = options(engine);
                    args.extend(["--json", "--inject", &fault, "--sync", sync]);
                    args.extend(["--buffers", buffers]);
                    let run = sandbox.copy(&source, &destination, &args);
                    assert_eq!(run.status(), 4, "{}", run.stdout());
                    assert!(run.took < Duration::from_secs(10), "{fault}: {:?}", run.took);
                    assert_content(&destination, b"old");

                    let error = &run.json()["error"];
                    assert_eq!(error["kind"], "fence_abandoned");
                    assert_eq!(error["chunk"], (nth - 1) / 3, "{error}");
                    let operation = ["reading", "writing", "hashing"][(nth - 1) % 3];
                    let message = error["message"].as_str().unwrap();
                    assert!(message.contains(operation), "{fault}: {message}");
                    assert!(message.contains(error["fence"].as_str().unwrap()), "{message}");
                    assert_eq!(error["quarantined_buffers"], 1, "{fault}: {error}");
                    assert_eq!(error["released_buffers"], 1, "{fault}: {error}");
                    assert_eq!(error["taint"]["abandoned_fences"], 1, "{fault}: {error}");
                    assert_eq!(error["taint"]["leaks"], 0, "{fault}: {error}");
                }
            }
        }
    }
}

#[test]
fn an_io_error_travels_through_the_fences() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(LEN));
    for engine in ENGINES {
        for (nth, file) in [(1, "source"), (2, "destination"), (3, "source"), (61, "source")] {
            let destination = sandbox.file("destination", b"old");
            let fault = format!("io-error={nth}");
            let mut args = options(engine);
            args.extend(["--inject", &fault]);
            let chunk = format!("chunk {})", (nth - 1) / 3);
            let words = [file, "Input/output error", &chunk];
            sandbox.copy(&source, &destination, &args).failed(1, &words);
            assert_content(&destination, b"old");
        }
    }
}

#[test]
fn the_first_failure_ends_the_run() {
    let sandbox = Sandbox::new();
    // 16 GiB of nothing: copying on would take longer than the test may.
    let source = sandbox.sparse("source", 16 << 30);
    for engine in ENGINES {
        for (fault, status) in [("io-error=2", 1), ("lost-producer=1", 4), ("lost-producer=5", 4)] {
            let args = ["--engine", engine, "--inject", fault];
            let run = sandbox.copy(&source, &sandbox.path("destination"), &args);
            let run = run.failed(status, &["chunk"]);
            assert!(run.took < Duration::from_secs(3), "{fault}: {:?}", run.took);
        }
    }
}

#[test]
fn a_fault_that_never_strikes_is_told() {
    let sandbox = Sandbox::new();
    let content = noise(LEN);
    let source = sandbox.file("source", &content);
    let destination = sandbox.path("destination");
    for fault in ["lost-producer=121", "io-error=121"] {
        let mut args = options("threads");
        args.extend(["--verify", "--inject", fault]);
        let run = sandbox.copy(&source, &destination, &args).succeeded();
        assert!(run.stderr().contains("no effect"), "{}", run.stderr());
        assert_content(&destination, &content);
    }
}
