//! Copies that cannot be: the message names the cause, the destination stays as it was.

mod common;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use common::{BIN, ENGINES, Sandbox, assert_content, has_command, noise};

#[test]
fn wrong_options_are_named() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"content");
    let destination = sandbox.file("destination", b"old");
    for (args, words) in [
        (&["--buffers", "0"][..], &["--buffers"][..]),
        (&["--buffers", "100000"], &["--buffers"]),
        (&["--queue-depth", "0"], &["--queue-depth"]),
        (&["--chunk-size", "0"], &["--chunk-size", "at least 1 byte"]),
        (&["--chunk-size", "2G"], &["--chunk-size", "at most 1 GiB"]),
        (&["--chunk-size", "many"], &["--chunk-size"]),
        (&["--chunk-size", "99999999999999999999"], &["--chunk-size"]),
        (&["--engine", "steam"], &["--engine"]),
        (&["--inject", "lost-producer=0"], &["--inject", "from 1"]),
        (&["--inject", "gremlins"], &["--inject", "io-error=N"]),
        (&["--trace", "source"], &["--trace", "source"]),
        (&["--trace", "destination"], &["--trace", "destination"]),
        (&["--trace", "./destination"], &["--trace", "destination"]),
    ] {
        sandbox.copy(&source, &destination, args).failed(2, words);
    }
    sandbox.copy(&source, &sandbox.path("new"), &["--trace", "new"]).failed(2, &["--trace"]);
    assert!(!sandbox.path("new").exists());
    assert_content(&source, b"content");
    assert_content(&destination, b"old");
}

#[test]
fn buffers_beyond_memory() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"content");
    let info = rustix::system::sysinfo();
    let memory = info.totalram as u64 * u64::from(info.mem_unit);
    // What the kernel would map without a word, and then not have.
    let many = (memory / (64 << 20) * 3 / 5).clamp(1, 16384).to_string();
    for (chunk, buffers) in [("64M", many.as_str()), ("1G", "16384")] {
        let args = ["--chunk-size", chunk, "--buffers", buffers];
        let words = ["--buffers", "--chunk-size", "memory"];
        sandbox.copy(&source, &sandbox.path("destination"), &args).failed(2, &words);
    }
}

#[test]
fn sources_that_are_not_files() {
    let sandbox = Sandbox::new();
    let destination = sandbox.file("destination", b"old");
    let directory = sandbox.path("directory");
    fs::create_dir(&directory).unwrap();
    for (source, words) in [
        (sandbox.path("missing").as_path(), &["missing", "No such file"][..]),
        (&directory, &["directory", "is a directory"]),
        (Path::new("/dev/zero"), &["/dev/zero", "not a regular file"]),
        (Path::new("/proc/self/status"), &["/proc/self/status", "does not know its size"]),
    ] {
        sandbox.copy(source, &destination, &[]).failed(1, words);
    }
    if has_command("mkfifo") {
        let fifo = sandbox.path("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        sandbox.copy(&fifo, &destination, &[]).failed(1, &["fifo", "not a regular file"]);
    }
    assert_content(&destination, b"old");
}

#[test]
fn destinations_that_cannot_be() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"content");
    symlink("nowhere", sandbox.path("dangling")).unwrap();
    symlink("loop", sandbox.path("loop")).unwrap();
    for (destination, words) in [
        ("missing/destination", &["missing/destination", "No such file"][..]),
        ("missing/", &["missing/", "is not a directory"]),
        ("source/destination", &["source/destination", "Not a directory"]),
        ("dangling", &["dangling", "symbolic link"]),
        ("loop", &["loop", "symbolic links"]),
        ("/dev/null", &["/dev/null", "not a regular file"]),
        // Not even root creates files here.
        ("/proc/destination", &["/proc", "temporary file"]),
    ] {
        sandbox.copy(&source, destination.as_ref(), &[]).failed(1, words);
    }
    assert_content(&source, b"content");
}

#[test]
fn the_same_file_under_any_name() {
    let sandbox = Sandbox::new();
    let content = noise(100_000);
    let source = sandbox.file("source", &content);
    fs::hard_link(&source, sandbox.path("hard")).unwrap();
    symlink("source", sandbox.path("soft")).unwrap();
    for name in ["source", "./source", "hard", "soft", "."] {
        sandbox.copy(&source, name.as_ref(), &[]).failed(1, &["same file", "source"]);
    }
    let soft = sandbox.path("soft");
    sandbox.copy(&soft, &source, &[]).failed(1, &["same file", "soft"]);
    assert_content(&source, &content);
    assert_eq!(fs::metadata(&source).unwrap().nlink(), 2);
}

#[test]
fn permission_denied() {
    let sandbox = Sandbox::new();
    if rustix::process::geteuid().is_root() {
        println!("skipped: root may read and write everything");
        return;
    }
    let source = sandbox.file("source", b"content");
    let destination = sandbox.path("directory/destination");
    fs::create_dir(sandbox.path("directory")).unwrap();
    fs::set_permissions(sandbox.path("directory"), PermissionsExt::from_mode(0o500)).unwrap();
    sandbox.copy(&source, &destination, &[]).failed(1, &["directory", "Permission denied"]);
    fs::set_permissions(&source, PermissionsExt::from_mode(0o000)).unwrap();
    sandbox.copy(&source, &sandbox.path("new"), &[]).failed(1, &["source", "Permission denied"]);
    assert!(!sandbox.path("new").exists());
}

#[test]
fn a_file_size_limit_is_an_error_and_not_a_death() {
    let sandbox = Sandbox::new();
    sandbox.file("source", &noise(5 << 20));
    let destination = sandbox.file("destination", b"old");
    for engine in ENGINES {
        let mut command = Command::new("sh");
        // The unit is 512 or 1024 bytes: at most 1 MiB.
        let script = r#"ulimit -f 1024; exec "$0" copy source destination --engine "$1""#;
        command.args(["-c", script, BIN, engine]);
        sandbox.spawn(command).finish().failed(1, &["destination", "File too large"]);
        assert_content(&destination, b"old");
    }
}

#[test]
fn a_full_file_system() {
    let sandbox = Sandbox::new();
    sandbox.file("source", &noise(5 << 20));
    fs::create_dir(sandbox.path("small")).unwrap();
    let may_mount = Command::new("unshare").args(["-rm", "true"]).output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        println!(
            "skipped: this user may not mount a small file system in a namespace of their own"
        );
        return;
    }
    for engine in ENGINES {
        let mut command = Command::new("unshare");
        let script = r#"
            mount -t tmpfs -o size=1m none small || exit 99
            echo old > small/destination
            "$0" copy source small/destination --engine "$1"
            status=$?
            ls -A small; cat small/destination
            exit $status
        "#;
        command.args(["-rm", "sh", "-c", script, BIN, engine]);
        let run = sandbox.spawn(command).finish();
        if run.status() == 99 {
            println!("skipped: tmpfs cannot be mounted here");
            return;
        }
        let run = run.failed(1, &["small/destination", "No space left on device"]);
        assert_eq!(run.stdout(), "destination\nold\n");
    }
}

#[test]
fn a_trace_that_cannot_be_written_fails_the_run() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source", b"content");
    let destination = sandbox.file("destination", b"old");
    let args = ["--trace", "missing/trace.json"];
    sandbox.copy(&source, &destination, &args).failed(1, &["missing/trace.json", "No such file"]);
    let args = ["--trace", "/dev/full"];
    sandbox.copy(&source, &destination, &args).failed(1, &["/dev/full", "No space left"]);
    assert_content(&destination, b"old");
}
