//! What is printed and written beside the copy: JSON, traces, scripts; and the memory bound.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use common::{ENGINES, Sandbox, assert_content, dma_fence, has_command, noise};
use serde_json::Value;

#[test]
fn help_documents_every_json_field() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(1 << 20));
    let destination = sandbox.path("destination");
    let help = dma_fence().args(["copy", "--help"]).output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let fields = help.split("JSON fields").nth(1).unwrap();
    let fields: BTreeSet<&str> =
        fields.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();

    let report = sandbox.copy(&source, &destination, &["--json", "--verify"]).succeeded().json();
    let args = ["--json", "--inject", "lost-producer=2"];
    let error = sandbox.copy(&source, &destination, &args).json();
    for object in [&report, &error, &error["error"], &error["error"]["taint"]] {
        for name in object.as_object().unwrap().keys() {
            assert!(fields.contains(name.as_str()), "{name} is not documented");
        }
    }
    let rate = report["bytes"].as_f64().unwrap() / report["seconds"].as_f64().unwrap();
    assert!((report["bytes_per_second"].as_f64().unwrap() / rate - 1.0).abs() < 1e-6);
}

#[test]
fn errors_are_json_too() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"content");
    let missing = sandbox.path("missing");
    let destination = sandbox.path("destination");
    for (from, args, status, kind) in [
        (&missing, &["--json"][..], 1, "io"),
        (&sandbox.path(""), &["--json"], 1, "refused"),
        (&source, &["--json", "--buffers", "0"], 2, "usage"),
        (&source, &["--json", "--chunk-size", "1G", "--buffers", "16384"], 2, "usage"),
        (&source, &["--json", "--inject", "io-error=1"], 1, "fence_failed"),
        (&source, &["--json", "--inject", "lost-producer=3"], 4, "fence_abandoned"),
    ] {
        let run = sandbox.copy(from, &destination, args);
        assert_eq!(run.status(), status);
        let object = run.json();
        assert_eq!(object["error"]["kind"], kind);
        assert_eq!(object["error"]["exit_status"], status);
        assert!(!object["error"]["message"].as_str().unwrap().is_empty());
    }
    assert!(!destination.exists());
}

#[test]
fn what_another_command_prints_is_not_asked_for() {
    let mut command = dma_fence();
    command.args(["record", "--bogus", "--", "cmd", "--json"]);
    let run = Sandbox::new().spawn(command).finish().failed(2, &["--bogus"]);
    assert_eq!(run.stdout(), "");
}

struct Fence {
    context: u64,
    from: f64,
    to: f64,
    operation: String,
    result: String,
}

/// The names of the tracks by context, and the fences.
fn read_trace(sandbox: &Sandbox) -> (BTreeMap<u64, String>, Vec<Fence>) {
    let text = fs::read_to_string(sandbox.path("trace.json")).unwrap();
    let trace: Value = serde_json::from_str(&text).unwrap();
    let mut tracks = BTreeMap::new();
    let mut fences = Vec::new();
    let mut begun = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for event in trace["traceEvents"].as_array().unwrap() {
        let id = event["id2"]["local"].as_str();
        let tid = event["tid"].as_u64();
        match (event["ph"].as_str().unwrap(), event["name"].as_str().unwrap()) {
            ("M", "thread_name") => {
                let name = event["args"]["name"].as_str().unwrap().to_owned();
                assert_eq!(tracks.insert(tid.unwrap(), name), None, "a track is named twice");
            }
            ("M", "process_name") => {}
            ("b", name) => {
                assert_eq!(name, tracks[&tid.unwrap()], "the name gathers events in a track");
                assert!(ids.insert(id.unwrap()), "Perfetto would join the two: {event}");
                begun.insert(id, event);
            }
            ("e", name) => {
                let begin = begun.remove(&id).expect("it has begun");
                assert_eq!(name, begin["name"].as_str().unwrap());
                let args = &begin["args"];
                assert_eq!(args["context"].as_u64(), tid);
                let text = |name: &str| args[name].as_str().unwrap().to_owned();
                fences.push(Fence {
                    context: args["context"].as_u64().unwrap(),
                    from: begin["ts"].as_f64().unwrap(),
                    to: event["ts"].as_f64().unwrap(),
                    operation: text("operation"),
                    result: text("result"),
                });
            }
            _ => panic!("unexpected: {event}"),
        }
    }
    assert!(begun.is_empty(), "fences that do not end: {begun:?}");
    (tracks, fences)
}

#[test]
fn a_trace_has_one_track_per_context_and_every_fence() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(3 << 20));
    for engine in ENGINES {
        let args = ["--json", "--chunk-size", "64K", "--trace", "trace.json", "--engine", engine];
        let run = sandbox.copy(&source, &sandbox.path("destination"), &args).succeeded();
        let report = run.json();
        let (tracks, fences) = read_trace(&sandbox);

        assert_eq!(fences.len() as u64, report["fences"].as_u64().unwrap());
        let contexts: BTreeSet<u64> = fences.iter().map(|fence| fence.context).collect();
        assert!(contexts.iter().eq(tracks.keys()));
        for fence in &fences {
            let track = &tracks[&fence.context];
            assert!(track.ends_with(&format!("/{}", fence.operation)), "{track}");
            assert_eq!(fence.result, "ok");
        }
        for operation in ["read", "write", "hash"] {
            let count = fences.iter().filter(|fence| fence.operation == operation).count();
            assert_eq!(count, 48, "{operation}");
        }
        // Microseconds, within the run: in nanoseconds they would be far outside.
        let first = fences.iter().map(|fence| fence.from).fold(f64::INFINITY, f64::min);
        let last = fences.iter().map(|fence| fence.to).fold(0.0, f64::max);
        assert!((last - first) / 1e6 <= report["seconds"].as_f64().unwrap(), "{first} {last}");
        assert!(fences.iter().all(|fence| fence.from <= fence.to));
    }
}

#[test]
fn the_trace_of_a_run_that_fails_is_complete() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", &noise(3 << 20));
    let args =
        ["--chunk-size", "64K", "--trace", "trace.json", "--inject", "lost-producer=50", "--quiet"];
    sandbox.copy(&source, &sandbox.path("destination"), &args).failed(4, &["abandoned"]);
    let (_, fences) = read_trace(&sandbox);
    assert!(fences.len() >= 50);
    let abandoned = fences.iter().filter(|fence| fence.result == "abandoned").count();
    assert_eq!(abandoned, 1);
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let sandbox = Sandbox::new();
    let source = sandbox.sparse("source", 512 << 20);
    // Small chunks, so that the little that might be kept of each would show.
    for (chunk, chunk_size, more) in [
        ("4K", 4 << 10, &["--engine", "uring"][..]),
        ("16K", 16 << 10, &["--engine", "threads", "--trace", "/dev/null"]),
    ] {
        let destination = sandbox.path("destination");
        let args = ["--json", "--verify", "--chunk-size", chunk, "--buffers", "64"];
        let args = [&args[..], more].concat();
        let report = sandbox.copy(&source, &destination, &args).succeeded().json();
        let peak = report["peak_rss_bytes"].as_u64().unwrap();
        assert!(peak > 1 << 20, "that is not a size: {peak}");
        assert!(peak <= 64 * chunk_size + (32 << 20), "{peak}");
        fs::remove_file(destination).unwrap();
    }
}

#[test]
fn where_io_uring_is_refused_threads_take_over() {
    let sandbox = Sandbox::new();
    let content = noise(1 << 20);
    let source = sandbox.file("source", &content);
    let destination = sandbox.path("destination");
    let report = sandbox.copy(&source, &destination, &["--json"]).succeeded().json();
    let fell_back = !report["warnings"].as_array().unwrap().is_empty();
    assert_eq!(report["engine"], if fell_back { "threads" } else { "io_uring" }, "{report}");
    assert_content(&destination, &content);
}

#[test]
fn bash_completes_behind_a_subcommand() {
    if !has_command("bash") {
        println!("skipped: there is no bash");
        return;
    }
    let sandbox = Sandbox::new();
    let script = dma_fence().args(["completions", "bash"]).output().unwrap().stdout;
    sandbox.file("completions", &script);
    // As bash calls it for the last of these words.
    let complete = r#"
        complete() { function=$2; }
        . ./completions
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        $function "$1" "${@: -1}" "${@: -2:1}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    for (words, reply) in [
        (&["dma-fence", "ana"][..], "analyze"),
        (&["dma-fence", "analyze", "--pe"], "--perfetto"),
        (&["dma-fence", "copy", "--sync", "ser"], "serial"),
        (&["dma-fence", "help", "rec"], "record"),
    ] {
        let mut command = Command::new("bash");
        command.args(["--norc", "-c", complete, "bash"]).args(words);
        let shown = sandbox.spawn(command).finish().succeeded().stdout();
        assert_eq!(shown.trim(), reply, "{words:?}");
    }
}

#[test]
fn completions_and_the_manual() {
    for shell in ["bash", "zsh", "fish"] {
        let output = dma_fence().args(["completions", shell]).output().unwrap();
        assert!(output.status.success());
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("chunk-size") && script.contains("pid"), "{shell}");
    }
    let output = dma_fence().arg("man").output().unwrap();
    assert!(output.status.success());
    let page = String::from_utf8(output.stdout).unwrap();
    for word in [
        ".TH dma-fence",
        "chunk\\-size",
        "lost\\-producer",
        "Exit status",
        "DMA\\-FENCE INFO",
        "write_waits_for",
        "DMA\\-FENCE WATCH",
        "\ndma\\-fence copy\n",
    ] {
        assert!(page.contains(word), "no {word:?} in the manual");
    }
    assert!(!page.contains("(1)"), "there is no other page");
}
