//! What happens to a copy while it runs: signals, a source that changes.

mod common;

use std::{
    fs::File,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use common::{BIN, ENGINES, Sandbox, assert_content, dma_fence, fifo, noise};
use rustix::process::Signal;

/// Hours to copy with [`SLOW`], no space on the disk.
const HUGE: u64 = 16 << 30;
const SLOW: [&str; 6] = ["--chunk-size", "4K", "--buffers", "2", "--sync", "serial"];

#[test]
fn signals_end_the_run_and_leave_no_trace() {
    let sandbox = Sandbox::new();
    let source = sandbox.sparse("source", HUGE);
    for (signal, name, status) in
        [(Signal::INT, "SIGINT", 130), (Signal::TERM, "SIGTERM", 143), (Signal::HUP, "SIGHUP", 129)]
    {
        for options in [&["--engine", "uring"][..], &["--engine", "threads"], &SLOW] {
            let destination = sandbox.file("destination", b"old");
            let mut run = sandbox.start(&source, &destination, options);
            run.wait_until_writing();
            run.signal(signal);
            let run = run.finish().failed(status, &[name, "destination", "untouched"]);
            // It stops submitting and waits for what is in flight, which is little.
            assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
            assert_content(&destination, b"old");
        }
    }
}

/// A pipe that nobody may ever read, and nothing has begun.
#[test]
fn a_signal_while_a_trace_waits_for_its_reader() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"content");
    let destination = sandbox.file("destination", b"old");
    fifo(&sandbox.path(""));
    for option in ["--trace", "--trace-events"] {
        for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15)] {
            let run = sandbox.start(&source, &destination, &[option, "fifo"]);
            run.wait_until_it_waits();
            run.signal(signal);
            assert_eq!(run.finish().signal(), Some(number));
            assert_content(&destination, b"old");
        }
    }
}

#[test]
fn a_signal_while_the_copy_is_read_back() {
    let sandbox = Sandbox::new();
    // Small enough to be written soon; it is read back until the signal arrives or it ends.
    let source = sandbox.sparse("source", 256 << 20);
    let destination = sandbox.file("destination", b"old");
    let mut run = sandbox.start(&source, &destination, &["--verify"]);
    run.wait_until_written(256 << 20);
    run.signal(Signal::INT);
    run.finish().failed(130, &["SIGINT"]);
    assert_content(&destination, b"old");
}

#[test]
fn what_was_ignored_stays_ignored() {
    let sandbox = Sandbox::new();
    let content = noise(40 << 20);
    sandbox.file("source", &content);
    let mut command = Command::new("sh");
    let script = r#"trap "" HUP; exec "$0" copy source destination "$@""#;
    command.args(["-c", script, BIN]).args(SLOW);
    let mut run = sandbox.spawn(command);
    run.wait_until_writing();
    run.signal(Signal::HUP);
    run.finish().succeeded();
    assert_content(&sandbox.path("destination"), &content);
}

#[test]
fn a_source_that_shrinks() {
    let sandbox = Sandbox::new();
    for engine in ENGINES {
        let source = sandbox.sparse("source", HUGE);
        let destination = sandbox.file("destination", b"old");
        let mut run = sandbox.start(&source, &destination, &["--engine", engine]);
        run.wait_until_writing();
        File::options().write(true).open(&source).unwrap().set_len(100).unwrap();
        run.finish().failed(1, &["source", "shrank"]);
        assert_content(&destination, b"old");
    }
}

#[test]
fn a_source_that_grows() {
    let sandbox = Sandbox::new();
    let content = noise(40 << 20);
    let source = sandbox.file("source", &content);
    let destination = sandbox.path("destination");
    let mut args = vec!["--json"];
    args.extend(SLOW);
    let mut run = sandbox.start(&source, &destination, &args);
    run.wait_until_writing();
    File::options().append(true).open(&source).unwrap().write_all(b"more").unwrap();
    let report = run.finish().succeeded().json();
    assert!(report["warnings"][0].as_str().unwrap().contains("grew"), "{report}");
    assert_content(&destination, &content);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"content");
    let destination = sandbox.path("destination");
    for args in [&["man"][..], &["completions", "zsh"], &["copy", "source", "destination"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = dma_fence();
        command.args(args).current_dir(sandbox.path("")).stdout(writer).stderr(Stdio::piped());
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
    assert_content(&destination, b"content");
    assert_content(&source, b"content");
}
