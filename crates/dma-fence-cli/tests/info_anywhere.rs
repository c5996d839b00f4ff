//! `dma-fence info`, as far as a machine without fences goes.

mod common;

use std::{
    collections::BTreeSet,
    fs,
    io::pipe,
    os::fd::{AsFd, AsRawFd},
    path::PathBuf,
    process::{Command, id},
};

use common::{BIN, Run, Sandbox, add_keys, dma_fence, has_command};
use rustix::event::{EventfdFlags, eventfd};
use serde_json::{Value, json};

#[track_caller]
fn info(args: &[&str]) -> Run {
    let mut command = dma_fence();
    command.arg("info").args(args);
    Sandbox::new().spawn(command).finish()
}

/// The numbers of this process and of one of its file descriptors.
fn of(fd: impl AsFd) -> [String; 2] {
    [id().to_string(), fd.as_fd().as_raw_fd().to_string()]
}

/// A list of buffers that a kernel printed.
fn saved(name: &str) -> String {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dma-fence-linux/tests/data");
    format!("--buffers={}", data.join(name).display())
}

// === refusals ===

#[test]
fn wrong_usage_is_named() {
    for (args, words) in [
        (&[][..], &["--pid", "--buffers"][..]),
        (&["--fd", "1"], &["--pid"]),
        (&["--pid", "1", "--buffers"], &["--pid", "--buffers"]),
        (&["--fd", "1", "--buffers"], &["--pid"]),
        (&["--pid", "0"], &["--pid"]),
        (&["--pid", "-1"], &["-1"]),
        (&["--pid", "1", "--fd", "-1"], &["-1"]),
        (&["--pid", "99999999999"], &["--pid"]),
        (&["--pid", "init"], &["--pid"]),
    ] {
        info(args).failed(2, words);
    }
    let error = &info(&["--json"]).json()["error"];
    assert_eq!((&error["kind"], &error["exit_status"]), (&"usage".into(), &2.into()));
}

#[test]
fn processes_that_are_not_there() {
    // No kernel gives numbers as high.
    for args in [&["--pid", "2147483647"][..], &["--pid", "2147483647", "--fd", "1"]] {
        info(args).failed(1, &["no process 2147483647"]);
    }
    let failure = info(&["--pid", "2147483647", "--json"]).json();
    let error = json!({
        "kind": "no_process", "message": "there is no process 2147483647", "exit_status": 1,
    });
    assert_eq!(failure, json!({ "error": error, "warnings": [] }));
}

#[test]
fn a_thread_is_no_process() {
    let thread = std::thread::spawn(|| {
        let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
        info(&["--pid", &thread]).failed(1, &[&thread, "is a thread", "Tgid"]);
    });
    thread.join().unwrap();
}

#[test]
fn file_descriptors_that_are_not_there() {
    let [pid, _] = of(std::io::stdin());
    for fd in ["1000000", "2147483647"] {
        let run = info(&["--pid", &pid, "--fd", fd]);
        run.failed(1, &[&format!("process {pid} has no file descriptor {fd}")]);
    }
    let error = &info(&["--pid", &pid, "--fd", "1000000", "--json"]).json()["error"];
    assert_eq!(error["kind"], "no_fd");
}

#[test]
fn processes_of_others() {
    let mut command = dma_fence();
    let mut pid = "1".to_owned();
    if rustix::process::geteuid().is_root() {
        if !has_command("setpriv") {
            println!("skipped: root may look into every process, and setpriv is missing");
            return;
        }
        command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--clear-groups", BIN]);
        pid = id().to_string();
    }
    command.args(["info", "--pid", &pid]);
    let words = ["not permitted", &pid, "root may"];
    Sandbox::new().spawn(command).finish().failed(1, &words);
}

#[test]
fn lists_that_cannot_be_read() {
    info(&["--buffers=missing/bufinfo"]).failed(1, &["missing/bufinfo", "No such file"]);
    info(&["--buffers", "/"]).failed(1, &["'/'", "Is a directory"]);
    let error = &info(&["--buffers", "/", "--json"]).json()["error"];
    assert_eq!(error["kind"], "io");
}

/// Whatever the machine has: a list, or what to do to get one.
#[test]
fn this_machine() {
    let run = info(&["--buffers"]);
    match run.status() {
        0 => assert!(run.stdout().contains(" buffers of "), "{}", run.stdout()),
        _ => {
            let mounted = fs::exists("/sys/kernel/debug/dma_buf").is_ok_and(|exists| exists);
            assert!(!mounted, "root may read it: {}", run.stderr());
            let message = run.stderr();
            let hints = ["mount -t debugfs debugfs /sys/kernel/debug", "root may", "lists no DMA"];
            assert!(hints.iter().any(|hint| message.contains(hint)), "{message}");
        }
    }
}

// === file descriptors ===

#[test]
fn another_kind_is_told_with_what_it_is() {
    let (reader, _writer) = pipe().unwrap();
    let [pid, fd] = of(&reader);
    let report = info(&["--pid", &pid, "--fd", &fd, "--json"]).succeeded().json();
    let link = fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
    let link = link.to_str().unwrap();
    assert!(link.starts_with("pipe:["));
    let expected =
        json!({ "fd": reader.as_raw_fd(), "kind": "other", "link": link, "error": null });
    assert_eq!(report, json!({ "pid": id(), "fds": [expected] }));
    let text = info(&["--pid", &pid, "--fd", &fd]).succeeded().stdout();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(&fd) && text.contains("other") && text.contains(link), "{text}");
}

#[test]
fn a_process_has_what_has_to_do_with_fences() {
    let (reader, _writer) = pipe().unwrap();
    let events = [(); 2].map(|()| eventfd(0, EventfdFlags::CLOEXEC).unwrap());
    let [pid, _] = of(&reader);
    let report = info(&["--pid", &pid, "--json"]).succeeded().json();
    let fds = report["fds"].as_array().unwrap();
    assert!(fds.iter().all(|fd| fd["kind"] != "other"), "{report}");
    for event in &events {
        let of_it: Vec<_> = fds.iter().filter(|fd| fd["fd"] == event.as_raw_fd()).collect();
        let [found] = of_it[..] else { panic!("{report}") };
        assert_eq!(
            (&found["kind"], &found["link"]),
            (&"eventfd".into(), &"anon_inode:[eventfd]".into())
        );
    }
    let numbers: Vec<_> = fds.iter().map(|fd| fd["fd"].as_i64().unwrap()).collect();
    assert!(numbers.is_sorted(), "{report}");
}

// === lists of buffers ===

#[test]
fn a_list_as_json() {
    let report = info(&[&saved("bufinfo-7.3-names.txt"), "--json"]).succeeded().json();
    let busy = json!({
        "inode": 2, "size": 4096, "exporter": "drm", "name": "", "references": 4, "devices": [],
        "fences": [{
            "usage": "write", "driver": "sw_sync", "timeline": "stuck: seqno=1",
            "context": 7, "seqno": 2, "status": "pending",
        }],
    });
    assert_eq!(report["buffers"][0], busy);
    assert_eq!(report["buffers"][1]["fences"][0]["status"], "signaled");
    assert_eq!(report["unknown_lines"], 0);
    let old = info(&[&saved("bufinfo-6.12.txt"), "--json"]).succeeded().json();
    let fence = &old["buffers"][9]["fences"][0];
    assert_eq!((&fence["context"], &fence["seqno"]), (&Value::Null, &1.into()));
}

#[test]
fn a_list_as_a_table() {
    let text = info(&[&saved("bufinfo-6.12.txt")]).succeeded().stdout();
    let lines: Vec<_> = text.lines().collect();
    let row =
        lines.iter().position(|line| line.starts_with("      23         16384  drm")).unwrap();
    assert_eq!(lines[row + 1].trim_start(), "write: vgem unbound 1, pending");
    assert_eq!(text.matches("vgem").count(), 1, "what has signaled concerns nobody: {text}");
    assert_eq!(*lines.last().unwrap(), "13 buffers of 200704 bytes, 1 with pending fences");
}

#[test]
fn what_is_no_list_is_refused() {
    let sandbox = Sandbox::new();
    for content in [&b""[..], b"\x1f\x8b\x08\0rest", b"a-7 [000] ..... 1.0: dma_fence_init\n"] {
        let argument = format!("--buffers={}", sandbox.file("bufinfo", content).display());
        info(&[&argument]).failed(1, &["bufinfo' is no list of DMA buffers"]);
        assert_eq!(info(&[&argument, "--json"]).json()["error"]["kind"], "input");
    }
    let none =
        sandbox.file("bufinfo", b"\nDma-buf Objects:\nsize\tflags\nTotal 0 objects, 0 bytes\n");
    let text = info(&[&format!("--buffers={}", none.display())]).succeeded().stdout();
    assert!(text.contains("\n0 buffers of 0 bytes"), "{text}");
}

#[test]
fn what_is_not_understood_is_said_and_harmless() {
    let sandbox = Sandbox::new();
    let content = b"00004096\t0\t0\t00000001\tdrm\t00000007\t\x1b[31mred\xff\x07\nsecond line\n\
        \twrite fence:1:2 ring\x1b[0m gpu unsignalled\n\tAttached Devices:\n\tdev\x1b[2J\n";
    let path = sandbox.file("bufinfo", content);
    let argument = format!("--buffers={}", path.display());
    let text = info(&[&argument]).succeeded().stdout();
    assert!(text.chars().all(|char| char == '\n' || !char.is_control()), "{text:?}");
    for word in ["\\u{1b}[31mred", "ring\\u{1b}[0m", "used by dev\\u{1b}[2J", "1 lines"] {
        assert!(text.contains(word), "no {word:?}: {text}");
    }
    let report = info(&[&argument, "--json"]).succeeded().json();
    assert_eq!(report["buffers"][0]["name"], "\u{1b}[31mred\u{fffd}\u{7}");
    assert_eq!(report["unknown_lines"], 1);
}

// === help ===

#[test]
fn help_has_every_field() {
    let help = info(&["--help"]).succeeded().stdout();
    let (reader, _writer) = pipe().unwrap();
    let [pid, fd] = of(&reader);
    let mut found = BTreeSet::new();
    for args in [
        &["--json", "--pid", &pid, "--fd", &fd][..],
        &["--json", "--pid", "2147483647"],
        &["--json", &saved("bufinfo-7.3.txt")],
    ] {
        add_keys(&info(args).json(), &mut found);
    }
    for key in found {
        assert!(help.contains(&key), "no {key:?} in: {help}");
    }
    for word in ["Exit status", "mount -t debugfs", "ptrace_scope"] {
        assert!(help.contains(word), "no {word:?} in: {help}");
    }
}
